import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sensor_writers import pcd_data

from st3d.formats.point_clouds import BLOCK, has_faces, random_rows, read_cloud
from st3d.kernels.points import farthest_points
from st3d.student_teacher.scenes import cloud_scene

MANY = 10**9
CLOUD = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3.5], [-1, -1, -1]], np.float32)
MEASURED = st.floats(-1e3, 1e3, width=32).map(lambda number: number if abs(number) > 1e-9 else 0.0)
METRES = arrays(np.float32, st.tuples(st.integers(1, 30), st.just(3)), elements=MEASURED)
FORMATS = ["bin", "npy", "xyz", "ply ascii", "ply binary_little_endian", "ply binary_big_endian"]
FORMATS += ["pcd ascii", "pcd binary", "pcd binary_compressed"]


def ply(points, form, kind="float"):
    head = f"ply\nformat {form} 1.0\ncomment by hand\nelement vertex {len(points)}\nproperty uchar red\n"
    head += "".join(f"property {kind} {axis}\n" for axis in "xyz") + "property int label\nend_header\n"
    if form == "ascii":
        return (head + "".join(f"7 {x!s} {y!s} {z!s} 12\n" for x, y, z in points)).encode()
    order, size = ">" if "big" in form else "<", {"float": "f4", "double": "f8"}[kind]
    rows = np.zeros(len(points), [("red", "u1"), *((axis, order + size) for axis in "xyz"), ("label", order + "i4")])
    for axis, values in zip("xyz", points.T, strict=True):
        rows[axis] = values
    return head.encode() + rows.tobytes()


def pcd(points, data, size=4):
    """PCD by hand."""
    head = "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS intensity x y z\n"
    head += f"SIZE 4 {size} {size} {size}\nTYPE F F F F\nCOUNT 1 1 1 1\nWIDTH {len(points)}\nHEIGHT 1\n"
    head += f"VIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA {data}\n"
    if data == "ascii":
        return (head + "".join(f"0.5 {x!s} {y!s} {z!s}\n" for x, y, z in points)).encode()
    kind = f"<f{size}"
    rows = np.zeros(len(points), [("intensity", "<f4"), ("x", kind), ("y", kind), ("z", kind)])
    for axis, values in zip("xyz", points.T, strict=True):
        rows[axis] = values
    return head.encode() + pcd_data(rows, data)


def written(folder, form, points):
    """A file with `points` in one of FORMATS."""
    kind, _, sub = form.partition(" ")
    path = folder / f"cloud.{kind}"
    if kind == "bin":
        np.column_stack([points, np.full(len(points), 0.5)]).astype("<f4").tofile(path)
    elif kind == "npy":
        np.save(path, points)
    elif kind == "xyz":
        path.write_text("".join(f"{x} {y} {z}\n" for x, y, z in points.tolist()))  # every digit: read as doubles
    else:
        path.write_bytes({"ply": ply, "pcd": pcd}[kind](points, sub))
    return path


def itodd(folder, scan):
    """An ITODD scan (h, w, 3) as its three images."""
    for axis, image in zip("xyz", np.moveaxis(scan, 2, 0), strict=True):
        tifffile.imwrite(folder / f"3d_long_baseline_{axis}.tif", image)
    return folder / "3d_long_baseline_x.tif"


def whole(path):
    return read_cloud(path, MANY, np.random.default_rng(0))


def fault(path, content=None):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        whole(path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@given(points=METRES)
@settings(max_examples=15, deadline=None)
def test_what_is_written_comes_back(tmp_path_factory, points):
    for form in FORMATS:
        found = whole(written(tmp_path_factory.mktemp("cloud"), form, points))
        assert found.dtype == np.float32 and found.shape == points.shape, form
        low, high = points.min(axis=0), points.max(axis=0)
        far = np.abs([low, high]).max() > 100 * (high - low).max()
        moved = far and form[:3] in ("xyz", "ply")  # what counts as doubles is moved to the origin
        wanted = (points - (low.astype(float) + high) / 2).astype(np.float32) if moved else points
        assert np.array_equal(found, wanted), form


def test_points_that_are_not_finite_are_left_out(tmp_path):
    for form in FORMATS:
        points = CLOUD.copy()
        points[1, 1], points[3, 0] = np.nan, np.inf
        assert np.array_equal(whole(written(tmp_path, form, points)), CLOUD[[0, 2, 4]]), form
        assert "found NaN or infinity in all 5" in fault(written(tmp_path, form, CLOUD * np.nan))


def test_a_sample_is_a_random_subset_in_the_files_order(tmp_path, rng):
    for form in FORMATS:
        points = rng.random((200, 3)).astype(np.float32)
        points[rng.random(200) < 0.3] = np.nan
        path = written(tmp_path, form, points)
        kept = whole(path)
        some = [read_cloud(path, 20, np.random.default_rng(seed)) for seed in range(60)]
        assert all(cloud.shape == (20, 3) for cloud in some)
        places = np.array([[np.flatnonzero((kept == point).all(axis=1))[0] for point in cloud] for cloud in some])
        assert (np.diff(places, axis=1) > 0).all()
        assert np.bincount(places.ravel(), minlength=len(kept)).max() < 25  # 60 * 20 / 140 = 9 each on average
        assert np.array_equal(some[7], read_cloud(path, 20, np.random.default_rng(7)))


def test_every_point_is_as_likely(rng):
    table = np.arange(30.0).reshape(10, 3)
    times = np.zeros(10)
    for _ in range(2000):
        times[(random_rows(table, 3, rng)[:, 0] / 3).astype(int)] += 1
    assert np.abs(times - 600).max() < 5 * (600 * 0.7) ** 0.5


def test_a_sample_of_blocks_is_the_one_of_the_whole_table(rng):
    for most in [10, BLOCK, 2 * BLOCK, MANY]:
        table = rng.random((3 * BLOCK + 5, 4)) * 10
        table[rng.random(len(table)) < 0.2, 1] = np.nan
        table[BLOCK : 2 * BLOCK, 2] = 1e300  # a block of which float32 can hold nothing
        with np.errstate(over="ignore"):
            rows = np.flatnonzero(np.isfinite(table[:, :3].astype(np.float32)).all(axis=1))
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(4).choice(rows, most, replace=False))
        assert np.array_equal(random_rows(table, most, np.random.default_rng(4)), table[rows, :3].astype(np.float32))


def test_doubles_far_from_the_origin_keep_their_decimals(tmp_path):
    for make in [lambda p: ply(p, "binary_big_endian", "double"), lambda p: pcd(p, "binary", 8)]:
        utm = np.array([[691_000.125, 5_335_000.5, 520.25]]) + CLOUD
        path = tmp_path / ("a.ply" if make(utm)[:3] == b"ply" else "a.pcd")
        path.write_bytes(make(utm))
        found = whole(path)
        assert np.allclose(found - found[0], CLOUD - CLOUD[0], atol=1e-6) and np.abs(found).max() < 5


def test_numpys_files_may_have_other_columns_orders_and_types(tmp_path):
    path = tmp_path / "a.npy"
    for table in (
        np.asfortranarray(np.column_stack([CLOUD, CLOUD])),
        np.column_stack([CLOUD, CLOUD[:, :1]]).astype(">f8"),
        (CLOUD * 2).astype(np.int16),
    ):
        np.save(path, table)
        assert np.array_equal(whole(path), table[:, :3].astype(np.float32))


def test_text_may_have_titles_comments_blank_lines_and_further_columns(tmp_path):
    path = tmp_path / "a.xyz"
    rows = "".join(f"{x} {y}\t{z} 255 0 note\r\n\r\n" for x, y, z in CLOUD)
    path.write_text("# by hand\n// and more\n5\nx y z red\n" + rows)
    assert np.array_equal(whole(path), CLOUD)


def test_an_itodd_scan_is_its_three_images_without_what_the_sensor_did_not_see(tmp_path, rng):
    scan = rng.random((6, 5, 3), np.float32) + 0.5
    scan[0, 0], scan[2, 3, 2], scan[4, 4, 0] = 0, 0, np.nan
    path = itodd(tmp_path, scan)
    seen = np.isfinite(scan).all(axis=2) & (scan[..., 2] != 0)
    assert seen.sum() == 27 and np.array_equal(whole(path), scan[seen])
    (tmp_path / "3d_long_baseline_y.tif").write_bytes(path.read_bytes()[:100])
    assert "expected 3d_long_baseline_y.tif as a TIFF file, found " in fault(path)
    tifffile.imwrite(tmp_path / "3d_long_baseline_y.tif", scan[:3, :, 1])
    assert "expected images of floats with 1 channel and equal sides" in fault(path) and "3 x 5" in fault(path)
    (tmp_path / "3d_long_baseline_y.tif").unlink()
    assert fault(path) == "expected 3d_long_baseline_y.tif as a TIFF file, found no such file"


def test_a_bin_file_has_16_bytes_a_point(tmp_path):
    path = written(tmp_path, "bin", CLOUD)
    wanted = "expected x, y, z, reflectance as float32, 16 bytes a point, found"
    assert fault(path, path.read_bytes()[:-5]) == f"{wanted} 75 bytes"
    assert fault(path, b"") == f"{wanted} 0 bytes"


def test_a_ply_without_points_is_refused(tmp_path):
    path = tmp_path / "a.ply"
    for form in ("ascii", "binary_little_endian"):
        assert fault(path, ply(CLOUD[:0], form)) == "expected a PLY file with points, found no vertices"
    assert "found no vertices" in fault(path, b"ply\nformat ascii 1.0\nend_header\n")
    assert "x, y and z, found red, u, y" in fault(
        path, ply(CLOUD, "ascii").replace(b" x\n", b" u\n").replace(b"y z", b"")
    )


KINDS = {"char": "i1", "uint8": "u1", "short": "i2", "uint16": "u2", "int32": "i4", "uint": "u4"}
KINDS |= {"float": "f4", "float64": "f8"}
LAYOUTS = st.permutations(["x", "y", "z", "a", "b"]).flatmap(
    lambda names: st.tuples(*(st.tuples(st.just(name), st.sampled_from(sorted(KINDS))) for name in names))
)


@given(layout=LAYOUTS, other=LAYOUTS, form=st.sampled_from(["<", ">", ""]), first=st.booleans(), faces=st.booleans())
@settings(deadline=None)
def test_a_ply_may_have_any_fields_in_any_order_and_other_elements(tmp_path_factory, layout, other, form, first, faces):
    tables = {}
    for name, fields, rows in (("vertex", layout, 7), ("camera", other, 3)):
        tables[name] = np.zeros(rows, [(field, form + KINDS[kind]) for field, kind in fields])
        for at, (field, _) in enumerate(fields):
            tables[name][field] = np.arange(rows) * (at + 1)
    order = ["vertex", "camera"][:: 1 if first else -1]
    head = f"ply\nformat {({'<': 'binary_little_endian', '>': 'binary_big_endian'}).get(form, 'ascii')} 1.0\n"
    for name in order:
        head += f"element {name} {len(tables[name])}\n"
        head += "".join(f"property {kind} {field}\n" for field, kind in {"vertex": layout, "camera": other}[name])
    if faces:  # of 3 and 4 corners
        head += "element face 2\nproperty list uchar int vertex_indices\n"
    content = (head + "end_header\n").encode()
    for name in order:
        text = "".join(" ".join(str(number) for number in row) + "\n" for row in tables[name].tolist())
        content += tables[name].tobytes() if form else text.encode()
    corners = [np.array(face, (form or "<") + "i4").tobytes() for face in ([0, 1, 2], [0, 1, 2, 3])]
    if faces:
        content += b"\3" + corners[0] + b"\4" + corners[1] if form else b"3 0 1 2\n4 0 1 2 3\n"
    path = tmp_path_factory.mktemp("ply") / "a.ply"
    path.write_bytes(content)
    assert np.array_equal(whole(path), np.stack([tables["vertex"][axis] for axis in "xyz"], axis=1).astype(np.float32))
    if form and not faces:
        assert fault(path, content + b"\0").endswith("the header is of another file")
        assert fault(path, content[:-1]).endswith("the file is truncated")


def test_a_ply_with_lists_in_or_before_its_vertices_is_read(tmp_path):
    for inside in [True, False]:
        for form in ["ascii", "binary_little_endian"]:
            lists = "property list uchar int near\n"
            scalars = "".join(f"property float {axis}\n" for axis in "xyz")
            near = [b"2 0 0 " if form == "ascii" else b"\2" + bytes(8)] * 5
            rows = [
                " ".join(str(x) for x in row).encode() + b"\n" if form == "ascii" else row.tobytes() for row in CLOUD
            ]
            if inside:
                head, body = f"element vertex 5\n{lists}{scalars}", b"".join(map(b"".join, zip(near, rows)))
            else:
                head, body = f"element group 5\n{lists}element vertex 5\n{scalars}", b"".join([*near, *rows])
                body = b"\n".join(near) + b"\n" + b"".join(rows) if form == "ascii" else body
            path = tmp_path / "a.ply"
            path.write_bytes(f"ply\nformat {form} 1.0\n{head}end_header\n".encode() + body)
            assert np.array_equal(whole(path), CLOUD)
            assert fault(path, path.read_bytes()[:-7]).startswith("expected ")


def test_a_pcd_may_have_any_fields_in_any_order(tmp_path):
    for data in ["ascii", "binary"]:
        kinds = [
            ("_", "<u1", 3),
            ("z", "<f8", 1),
            ("normal", "<f4", 3),
            ("x", "<i2", 1),
            ("_", "<u1", 2),
            ("y", "<f4", 1),
        ]
        head = "VERSION 0.7\nFIELDS " + " ".join(name for name, _, _ in kinds)
        head += "\nSIZE " + " ".join(kind[2] for _, kind, _ in kinds) + "\nTYPE "
        head += (
            " ".join(kind[1].upper() for _, kind, _ in kinds) + "\nCOUNT " + " ".join(str(wide) for _, _, wide in kinds)
        )
        rows = np.zeros(5, [(f"{name}{at}", kind, (wide,)) for at, (name, kind, wide) in enumerate(kinds)])
        cloud = CLOUD * [10, 1, 1]
        rows["x3"], rows["y5"], rows["z1"] = cloud[:, :1], cloud[:, 1:2], cloud[:, 2:]
        rows["normal2"] = 0.5
        text = "".join(" ".join(str(one) for field in row for one in field) + "\n" for row in rows.tolist())
        path = tmp_path / "a.pcd"
        content = f"{head}\nWIDTH 5\nHEIGHT 1\nPOINTS 5\nDATA {data}\n".encode()
        path.write_bytes(content + (text.encode() if data == "ascii" else rows.tobytes()))
        assert np.array_equal(whole(path), cloud)


def test_a_cloud_takes_the_memory_of_a_block_and_of_its_points(tmp_path, rng):
    for form in FORMATS[:-1]:
        for most in [1000, MANY]:
            text = form == "xyz" or "ascii" in form
            count = 100_000 if text else 300_000
            path = written(tmp_path, form, rng.random((count, 3), np.float32))
            tracemalloc.start()  # numpy reports to it; pages of mapped files do not count
            read_cloud(path, most, np.random.default_rng(0))
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            # A block takes less than 1 MB. The points take 12 bytes each; those of text are read as doubles of 24
            # bytes, and their array grows by quarters. A list of the lines takes 70 bytes a line and more; 4 bytes for
            # each row, 1.2 MB.
            expected = min(most, count) * 12 + (count * 24 * 1.25 if text else 0)
            assert peak < expected + 1e6, (form, most)


def test_a_truncated_file_is_refused_in_one_line(tmp_path):
    for form in FORMATS:
        path = written(tmp_path, form, CLOUD)
        content = path.read_bytes()
        last = len(content.splitlines()[-1]) + 1 if "ascii" in form or form == "xyz" else 0
        for length in {
            0,
            2,
            len(content) // 3,
            len(content) - last - 1,
            len(content) - max(3, last - 4),
            len(content) - 3,
        }:
            if form == "xyz" and length in (len(content) // 3, len(content) - last - 1, len(content) - 3):
                continue  # whole lines, or a number that lost digits: nothing tells
            if "ascii" in form and length == len(content) - 3:
                continue
            message = fault(path, content[:length])
            assert message.startswith("expected ")
            if form in ("pcd binary", "pcd binary_compressed") and length > len(content) - 10:
                assert "bytes, found" in message and message.endswith("the file is truncated")


def test_a_header_that_promises_too_much_takes_no_memory(tmp_path):
    for data in ["ascii", "binary"]:
        content = pcd(CLOUD, data).replace(b"POINTS 5", b"POINTS 99999999999")
        assert fault(tmp_path / "a.pcd", content).endswith("the file is truncated")


def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path, rng):
    for kind in ["npy", "pcd", "ply", "xyz"]:
        for content in (b"hello world\n" * 50, rng.bytes(1000), b"\0" * 1000, b"\n" * 50, b"PK\3\4" + rng.bytes(100)):
            assert fault(tmp_path / f"a.{kind}", content).startswith("expected ")


def test_a_pcd_header_that_lies_is_refused(tmp_path):
    for old, new, message in [
        (b"POINTS 5", b"POINTS 0", "expected points, found 0"),
        (b"POINTS 5", b"POINTS many", "expected POINTS"),
        (b"FIELDS intensity x", b"FIELDS intensity u", "expected fields x, y and z, found intensity, u, y, z"),
        (b"SIZE 4 4 4 4", b"SIZE 4 4", "a SIZE and COUNT of each field"),
        (b"DATA ascii", b"DATA brotli", "expected DATA ascii, binary or binary_compressed, found brotli"),
    ]:
        content = pcd(CLOUD, "ascii")
        assert old in content and message in fault(tmp_path / "a.pcd", content.replace(old, new))


def test_damaged_compression_is_refused(tmp_path):
    content = pcd(CLOUD, "binary_compressed")
    start = content.index(b"compressed\n") + len(b"compressed\n")
    packed = np.frombuffer(content[start : start + 4], "<u4")[0]
    lies = np.array([packed, 12], "<u4").tobytes()
    assert "expected 80 bytes of 5 points, found 12" in fault(
        tmp_path / "a.pcd", content[:start] + lies + content[start + 8 :]
    )
    damaged = content[: start + 8] + b"\xff" * int(packed)
    assert fault(tmp_path / "a.pcd", damaged).startswith("expected 5 points, found 0")


def test_other_arrays_and_endings_are_refused(tmp_path):
    path = tmp_path / "a.npy"
    for table, found in (
        (CLOUD[:, :2], "float32 of shape 5 x 2"),
        (CLOUD.ravel(), "float32 of shape 15"),
        (CLOUD.astype(complex), "complex128"),
        (CLOUD.astype(str), "<U32"),
    ):
        np.save(path, table)
        assert f"found {found}" in fault(path)
    np.save(path, np.array([[{}, {}, {}]]), allow_pickle=True)
    assert "expected a whole NPY file of numbers" in fault(path)
    np.save(path, CLOUD[:0])
    assert fault(path).startswith("expected ")
    assert "expected a point cloud ending in .bin, .npy, .pcd, .ply, .xyz, _x.tif, found '.las'" in fault(
        tmp_path / "a.las", b"x"
    )
    assert fault(tmp_path / "none.bin") == "expected a point cloud, found no such file"


def test_words_among_the_numbers_are_refused_with_their_line(tmp_path):
    message = fault(tmp_path / "a.xyz", b"1 2 3\n4 5 6\n7 eight 9\n")
    assert "expected numbers in the first three columns" in message and "row 2" in message
    assert "with white space between them, found '1,2,3'" in fault(tmp_path / "a.xyz", b"1,2,3\n4,5,6\n")


def test_words_among_the_numbers_of_text_with_a_header_are_refused_with_their_line(tmp_path):
    for form in ["ply ascii", "pcd ascii"]:
        path = written(tmp_path, form, CLOUD)
        message = fault(path, path.read_bytes().replace(b"3.5", b"three"))
        assert message.startswith("expected numbers as x, y and z, found could not convert string 'three'")
        assert "row 3" in message


def test_a_line_without_end_is_refused_before_it_is_in_memory(tmp_path):
    for form in ["xyz", "ply ascii", "pcd ascii"]:
        path = written(tmp_path, form, CLOUD)
        path.write_bytes(path.read_bytes().removesuffix(b"\n") + b" 7" * 2**21)
        tracemalloc.start()
        message = fault(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert message == "expected lines of less than 65536 characters, found a longer one" and peak < 2**20


def test_a_ply_header_that_lies_is_refused(tmp_path):
    for line in [b"property half x", b"property list uchar", b"element vertex many", b"property float"]:
        content = ply(CLOUD, "binary_little_endian").replace(b"property float x", line)
        assert f"as PLY has them, found {line.decode()}" in fault(tmp_path / "a.ply", content)


def test_a_mesh_is_told_from_a_cloud_by_its_header(tmp_path):
    path = tmp_path / "a.ply"
    path.write_bytes(ply(CLOUD, "ascii"))
    assert not has_faces(path)
    lists = b"element face 1\nproperty list uchar int vertex_indices\nend_header"
    path.write_bytes(ply(CLOUD, "ascii").replace(b"end_header", lists) + b"3 0 1 2\n")
    assert has_faces(path) and np.array_equal(whole(path), CLOUD)
    path.write_bytes(ply(CLOUD, "ascii").replace(b"end_header", lists.replace(b"face 1", b"face 0")))
    assert not has_faces(path) and np.array_equal(whole(path), CLOUD)


READ = """
import sys
from pathlib import Path
import numpy as np
from st3d.formats.point_clouds import read_cloud
for name in sys.argv[1:]:
    try:
        read_cloud(Path(name), 10, np.random.default_rng(0))
    except ValueError:
        pass
"""


def test_the_libraries_say_nothing_on_the_terminal(tmp_path):
    paths = []
    for at, form in enumerate(FORMATS):
        (tmp_path / str(at)).mkdir()
        path = written(tmp_path / str(at), form, CLOUD)
        truncated = path.with_stem("truncated")
        truncated.write_bytes(path.read_bytes()[:-7])
        paths += [path, truncated]
    broken = tmp_path / "broken.pcd"
    content = pcd(CLOUD, "binary_compressed")
    broken.write_bytes(content[:-20] + b"\xff" * 20)
    done = subprocess.run([sys.executable, "-c", READ, *paths, broken], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_real_kitti_scan_is_read(shared_data):
    for number, count in [(0, 115_384), (1, 120_268), (2, 126_891)]:
        points = whole(shared_data / "kitti_velodyne" / f"{number:06d}.bin")
        assert points.shape == (count, 3) and np.isfinite(points).all()
        reach = np.linalg.norm(points, axis=1)
        assert 40 < reach.max() < 125  # m; the laser reaches 120 m
        assert -30 < points[:, 2].min() < -1.5  # the street lies 1.73 m below the sensor


def test_a_real_3dmatch_fragment_is_read(shared_data):
    for name, count in [("cloud_bin_0.ply", 258_342), ("cloud_bin_1.ply", 268_977)]:
        path = shared_data / "3dmatch" / name
        points = whole(path)
        assert not has_faces(path) and points.shape == (count, 3) and np.isfinite(points).all()
        assert 1 < np.ptp(points, axis=0).max() < 6  # m


@pytest.mark.parametrize("name", ["kitti_velodyne/000000.bin", "3dmatch/cloud_bin_0.ply"])
def test_a_downsampled_real_cloud_is_a_farthest_point_sample_of_the_reduced_one(shared_data, name):
    path = shared_data / name
    downsampled = cloud_scene(path, 4000, 1.5, np.random.default_rng([3, 0, 7]))
    rng = np.random.default_rng([3, 0, 7])
    reduced = read_cloud(path, 6000, rng)
    first = rng.integers(6000)
    assert np.array_equal(downsampled, reduced[farthest_points(reduced, 4000, first)])
    assert np.array_equal(downsampled[0], reduced[first])


def test_a_real_scan_of_64000_points_is_downsampled_from_the_whole_scan(shared_data):
    path = shared_data / "kitti_velodyne" / "000000.bin"
    downsampled = cloud_scene(path, 64_000, 4.0, np.random.default_rng(5))
    points, rng = whole(path), np.random.default_rng(5)
    assert np.array_equal(downsampled, points[farthest_points(points, 64_000, rng.integers(len(points)))])
