"""Files as other programs write them, from public bug reports; each is also made by the test itself."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from st3d.formats.meshes import read_mesh
from st3d.formats.point_clouds import check_cloud, read_cloud
from st3d.formats.scans import list_samples, read_mask, read_scan
from st3d.formats.sensor_files.read import read_sensor_scan
from st3d.formats.sensor_files.scan import Reading
from st3d.kernels.geometry.surface_sampling import triangle_areas

CORNERS = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
SQUARES = [
    (1, 2, 4, 3),
    (5, 7, 8, 6),
    (1, 5, 6, 2),
    (3, 4, 8, 7),
    (1, 3, 7, 5),
    (2, 6, 8, 4),
]  # from 1, as OBJ has them


@pytest.fixture(scope="session")
def cases() -> Path:
    """The files of the bug reports themselves, which are not part of the project."""
    folder = Path(__file__).resolve().parents[2] / ".." / "shared" / "cases"
    if not folder.is_dir():
        pytest.skip(f"no cases at {folder.resolve()}")
    return folder


def area(path: Path) -> float:
    vertices, triangles = read_mesh(path)
    return float(triangle_areas(vertices, triangles).sum())


def fault(call, *arguments) -> str:
    with pytest.raises(ValueError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def box(side: float, corner: str = "{}", face: str = "f {} {} {} {}") -> str:
    """A box of OBJ; its area is 6 side^2."""
    vertices = [f"v {x * side} {y * side} {z * side}" for x, y, z in CORNERS]
    return (
        "\n".join([*vertices, *(face.format(*(corner.format(one - 9, one) for one in each)) for each in SQUARES)])
        + "\n"
    )


@pytest.mark.parametrize("corner", ["{0}", "{0}/{0}", "{0}//-1", "{0}/{0}/-1"])
def test_relative_indices_of_obj_count_from_their_own_face(tmp_path, corner):
    textures = "vn 0 0 1\n" + "vt 0 0\n" * 8
    (tmp_path / "a.obj").write_text("".join(textures + f"o {side}\n" + box(side, corner) for side in (1, 2, 3)))
    assert area(tmp_path / "a.obj") == 6 * (1 + 4 + 9)


def test_a_relative_index_before_the_first_vertex_is_refused(tmp_path):
    (tmp_path / "a.obj").write_text(box(1).replace("f -8", "f -9"))
    assert fault(read_mesh, tmp_path / "a.obj") == (
        f"{tmp_path / 'a.obj'}: expected vertex indices in range, found -9 behind 8 vertices"
    )


@pytest.mark.parametrize(
    "text",
    [
        box(1, "{1}", "f {}\t{}\t{}\t{}").replace("v ", "v\t"),
        box(1, "{1}").replace("f ", "f\t"),
        box(1, "{1}", "f\t{}  {} {} {} ").replace("\n", "\r\n"),
        box(1, "{1}").replace("\n", "\r"),
        box(1, "{1}", "  f {} {} \\\n{} {}").replace("v ", " v "),
        box(1, "{1}", "f {} {}\\\n {} {}"),
        box(1, "{1}", "f {} {} {} {} # a side").replace("v 0", "# corners\nv 0").replace("v 1 1 1", "v 1 1 1 # last"),
        "\ufeff" + box(1, "{1}"),
    ],
)
def test_white_space_of_obj_may_be_of_any_kind(tmp_path, text):
    (tmp_path / "a.obj").write_text(text, newline="")
    assert area(tmp_path / "a.obj") == 6


def test_faces_that_a_library_would_take_for_others_are_refused(tmp_path):
    hexagon = "".join(f"v {np.cos(at)} {np.sin(at)} 0\n" for at in np.arange(6) * np.pi / 3)
    (tmp_path / "a.obj").write_text(hexagon + "vt 0 0\n" * 6 + "f 1/1 2/2 3/3\nf 1 2 3 4 5 6\n")
    assert "a.obj: expected" in fault(read_mesh, tmp_path / "a.obj")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("sizes", [(4, 3), (4, 3, 5), (3, 4)])
def test_binary_ply_may_have_faces_of_different_numbers_of_corners(tmp_path, order, sizes):
    path = tmp_path / "a.ply"
    polygons, expected = [], 0.0
    for place, corners in enumerate(sizes):  # regular polygons, each in a plane of its own
        angles = np.arange(corners) * 2 * np.pi / corners
        polygons.append(np.stack([np.cos(angles), np.sin(angles), np.full(corners, place)], axis=1))
        expected += corners / 2 * np.sin(2 * np.pi / corners)
    names = {"<": "little", ">": "big"}
    header = f"ply\nformat binary_{names[order]}_endian 1.0\nelement vertex {sum(sizes)}\n"
    header += "".join(f"property double {axis}\n" for axis in "xyz")
    header += f"element face {len(sizes)}\nproperty uchar flag\nproperty list uchar int vertex_indices\nend_header\n"
    data, first = header.encode() + np.concatenate(polygons).astype(order + "f8").tobytes(), 0
    for corners in sizes:
        data += struct.pack(f"{order}BB{corners}i", 7, corners, *range(first, first + corners))
        first += corners
    path.write_bytes(data)
    assert area(path) == pytest.approx(expected, rel=1e-12)
    path.write_bytes(data[:-2])
    assert "a.ply: expected" in fault(read_mesh, path) and "truncated" in fault(read_mesh, path)


def stl(triangles: int, told: int, behind: bytes = b"") -> bytes:
    return (
        b"\0" * 80 + struct.pack("<I", told) + struct.pack("<12fH", *[0] * 6, 1, 0, 0, 0, 1, 0, 0) * triangles + behind
    )


@pytest.mark.parametrize("data", [stl(4, 0), stl(4, 4, b"\0\0"), stl(4, 4, b"x" * 70), b"solid" + stl(4, 4, b"x")[5:]])
def test_the_triangles_of_binary_stl_are_those_that_are_there(tmp_path, data):
    (tmp_path / "a.stl").write_bytes(data)
    assert area(tmp_path / "a.stl") == 2


@pytest.mark.parametrize("told, found", [(2, "found 4: write the mesh again"), (5, "found 4: the file is truncated")])
def test_another_number_of_triangles_in_binary_stl_is_refused(tmp_path, told, found):
    (tmp_path / "a.stl").write_bytes(stl(4, told))
    assert fault(read_mesh, tmp_path / "a.stl").endswith(f"expected {told} triangles as the header says, {found}")


@pytest.mark.parametrize(
    "name, right, number",
    [
        ("03-obj-relative-indices/meshes/*.obj", 84, 3),
        ("04-obj-tabs/meshes/*.obj", 6, 3),
        ("05-ply-mixed-polygons/meshes/*.ply", 6.414214, 2),
        ("22-stl-count-zero/*.stl", 6, 2),
    ],
)
def test_meshes_of_bug_reports_have_their_area(cases, name, right, number):
    assert [area(path) for path in sorted(cases.glob(name))] == [pytest.approx(right, rel=1e-6)] * number


def sweep(rng, points: int, columns: int) -> np.ndarray:
    """Points of a LiDAR (n, columns) float32: x, y, z, intensity, ring, time and more."""
    far = rng.uniform(2, 60, points) * np.exp(1j * rng.uniform(0, 2 * np.pi, points))
    more = [rng.integers(0, 256, points), rng.integers(0, 32, points), rng.uniform(-0.5, 0, points)]
    more += [np.zeros(points), rng.integers(0, 3, points)]
    return np.stack([far.real, far.imag, rng.uniform(-2, 1, points), *more][:columns], axis=1).astype("<f4")


@pytest.mark.parametrize("points", [80, 1280, 60_000])
@pytest.mark.parametrize("columns", [3, 5, 6, 7, 8])
def test_a_bin_file_of_other_records_is_refused(tmp_path, rng, points, columns):
    path = tmp_path / "a.bin"
    sweep(rng, points * 4, columns).tofile(path)
    for call in (check_cloud, lambda path: read_cloud(path, 10, rng)):
        assert f"16 bytes a point, found records of {columns} numbers; numpy.save(" in fault(call, path)


def test_a_bin_file_of_three_numbers_a_point_about_the_origin_is_refused(tmp_path, rng):
    rng.uniform(-1, 1, (500, 3)).astype(np.float32).tofile(tmp_path / "a.bin")  # the fields are alike in size
    assert "found records of 3 numbers; numpy.save(" in fault(check_cloud, tmp_path / "a.bin")


@pytest.mark.parametrize("name, separator", [("a.xyz", " "), ("b.xyz", "\t")])
@pytest.mark.parametrize("start", [0, 1])
def test_a_column_that_numbers_the_rows_is_not_taken_for_x(tmp_path, rng, name, separator, start):
    rows = np.c_[start + np.arange(40), rng.uniform(-1, 1, (40, 3))]
    np.savetxt(tmp_path / name, rows, fmt=["%d", "%.6f", "%.6f", "%.6f"], delimiter=separator)
    for call in (lambda path: read_cloud(path, 40, rng), read_sensor_scan):
        assert "found the numbers of the rows" in fault(call, tmp_path / name)
    named = tmp_path / "c.csv"
    named.write_text("i,x,y,z\n" + "\n".join(",".join(f"{value:.6f}" for value in row) for row in rows) + "\n")
    points = read_sensor_scan(named, Reading(unit="m")).points
    assert np.allclose(np.sort(points[:, 0]), np.sort(rows[:, 1]), atol=1e-5)


def test_a_mark_of_utf_8_costs_no_point(tmp_path, rng):
    points = rng.uniform(-1, 1, (40, 3))
    (tmp_path / "a.xyz").write_text("".join(f"{x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in points), encoding="utf-8-sig")
    assert np.allclose(np.sort(read_cloud(tmp_path / "a.xyz", 40, rng), axis=0), np.sort(points, axis=0), atol=1e-5)


@pytest.mark.parametrize("points", [1, 2, 5, 7, 15, 60, 840, 60_000])
def test_a_bin_file_of_four_numbers_a_point_is_read_whatever_else_its_length_divides_by(tmp_path, rng, points):
    for number, cloud in enumerate([sweep(rng, points, 4), rng.random((points, 4), np.float32)]):
        cloud.tofile(tmp_path / f"{number}.bin")
        assert np.array_equal(read_cloud(tmp_path / f"{number}.bin", points, rng), cloud[:, :3])


@pytest.mark.parametrize("kind", ["<f8", ">f4", "<i4", "<i2"])
def test_a_bin_file_of_other_numbers_is_refused(tmp_path, rng, kind):
    numbers = sweep(rng, 1000, 4) * (100 if "i" in kind else 1)
    numbers.astype(kind).tofile(tmp_path / "a.bin")
    assert "a.bin: expected x, y, z, reflectance as float32" in fault(read_cloud, tmp_path / "a.bin", 10, rng)


def test_an_array_of_points_with_its_coordinates_first_is_refused(tmp_path, rng):
    np.save(tmp_path / "a.npy", rng.random((3, 100)))
    assert fault(read_cloud, tmp_path / "a.npy", 10, rng).endswith(
        "found 3 x 100: coordinates come first; save the transposed array"
    )


def test_sweeps_of_bug_reports_are_refused(cases, rng):
    for path in sorted(cases.glob("01-five-floats-a-point/sweeps/*.bin")):
        assert "found records of 5 numbers" in fault(read_cloud, path, 10**6, rng)


def add_scans(category: Path, ending: str = "tiff", picture: str = "png") -> None:
    """Two scans in each folder of a category, all of the same content."""
    for place in ("train/good", "validation/good", "test/good", "test/cut"):
        for kind in ("xyz", "gt", "rgb"):
            (category / place / kind).mkdir(parents=True)
        for name in ("000", "001"):
            tifffile.imwrite(
                category / place / "xyz" / f"{name}.{ending}", np.ones((4, 5, 3), np.float32), photometric="rgb"
            )
            for kind in ("gt", "rgb"):
                Image.fromarray(np.zeros((4, 5), np.uint8)).save(category / place / kind / f"{name}.{picture}")


def test_what_systems_and_editors_leave_beside_scans_is_passed_over(tmp_path):
    add_scans(tmp_path / "part")
    splits = ("train", "validation", "test")
    clean = {split: list_samples(tmp_path, "part", split) for split in splits}
    for place in ("train/good", "validation/good", "test/cut"):
        for name in ("._000.tiff", ".002.tiff", "002.tiff~", "Thumbs.db", ".DS_Store"):
            (tmp_path / "part" / place / "xyz" / name).write_bytes(b"not a scan")
        (tmp_path / "part" / place / "gt/._000.png").write_bytes(b"not a mask")
        (tmp_path / "part" / place / "xyz/.ipynb_checkpoints").mkdir()
    for name in (".ipynb_checkpoints", ".Trash-1000", "__MACOSX", "@eaDir"):
        (tmp_path / "part/test" / name).mkdir()
    assert {split: list_samples(tmp_path, "part", split) for split in splits} == clean


@pytest.mark.parametrize("ending, picture", [("TIFF", "PNG"), ("TIF", "png"), ("Tiff", "Png")])
def test_the_endings_of_scans_and_pictures_may_be_of_either_case(tmp_path, ending, picture):
    add_scans(tmp_path / "part", ending, picture)
    samples = list_samples(tmp_path, "part", "test")
    assert [sample.name for sample in samples] == ["cut/000", "cut/001", "good/000", "good/001"]
    for sample in samples:
        assert (sample.scan.suffix, sample.mask.suffix, sample.rgb.suffix) == (f".{ending}", *[f".{picture}"] * 2)


def test_scans_of_another_ending_are_named(tmp_path):
    add_scans(tmp_path / "part", "npy")
    assert fault(list_samples, tmp_path, "part", "train").endswith("expected scans (.tiff), found none, but 000.npy")


def test_the_category_of_a_bug_report_has_its_scans(cases):
    folder = cases / "13-clutter-beside-scans/scans"
    assert [len(list_samples(folder, "dowel", split)) for split in ("train", "validation", "test")] == [3, 1, 6]


def disc(height: int = 48, width: int = 64) -> np.ndarray:
    """A round defect (h, w) bool."""
    row, column = np.indices((height, width))
    return np.hypot(row - 20.3, column - 30.6) < 8.7


def test_a_palette_mask_is_anomalous_where_its_colour_is_not_black(tmp_path):
    grey = Image.fromarray(disc().astype(np.uint8) * 255)
    grey.convert("RGB").quantize(2).save(tmp_path / "quantized.png")
    voc = Image.fromarray(disc().astype(np.uint8) * 3, "P")
    voc.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 0, 0, 1])
    voc.save(tmp_path / "voc.png")
    grey.convert("1").save(tmp_path / "bits.png")
    assert np.asarray(Image.open(tmp_path / "quantized.png"))[20, 30] == 0  # white is number 0
    for name in ("quantized", "voc", "bits"):
        assert np.array_equal(read_mask(tmp_path / f"{name}.png", (48, 64)), disc())


def test_a_palette_mask_without_black_is_refused(tmp_path):
    image = Image.fromarray(disc().astype(np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "a.png")
    assert fault(read_mask, tmp_path / "a.png").endswith(
        "a.png: expected black where the mask's sample is normal, found the colours 255/0/0, 0/255/0"
    )


@pytest.mark.parametrize("resample", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
@pytest.mark.parametrize("size", [(32, 24), (128, 96), (61, 47)])
def test_a_mask_that_was_resized_with_grey_levels_is_refused(tmp_path, resample, size):
    Image.fromarray(disc().astype(np.uint8) * 255).resize(size, resample).save(tmp_path / "a.png")
    assert "resized by nearest neighbour" in fault(read_mask, tmp_path / "a.png")


def test_a_mask_halved_with_few_grey_levels_is_refused(tmp_path):
    square = np.zeros((48, 64), np.uint8)
    square[11:30, 13:40] = 255
    Image.fromarray(square).resize((32, 24), Image.Resampling.BOX).save(tmp_path / "a.png")
    assert 3 <= len(np.unique(Image.open(tmp_path / "a.png"))) <= 5
    assert "found grey levels between (0, " in fault(read_mask, tmp_path / "a.png")


@pytest.mark.parametrize("quality", [50, 75, 90, 95])
def test_a_mask_that_was_a_jpeg_is_refused(tmp_path, quality):
    Image.fromarray(disc().astype(np.uint8) * 255).save(tmp_path / "a.jpg", quality=quality)
    Image.open(tmp_path / "a.jpg").save(tmp_path / "a.png")
    for name in ("a.jpg", "a.png"):
        assert "grey levels" in fault(read_mask, tmp_path / name)


@pytest.mark.parametrize(
    "classes", [[255], [1], [252, 253, 254, 255], [1, 2, 3, 4, 5], [85, 170, 255], [10, 200], [60000, 65535]]
)
def test_a_few_classes_are_a_mask(tmp_path, classes):
    mask = np.zeros((48, 64), np.uint16 if max(classes) > 255 else np.uint8)
    for place, value in enumerate(classes):
        mask[5 * place + 2 : 5 * place + 7, 10:40] = value
    Image.fromarray(mask).save(tmp_path / "a.png")
    assert np.array_equal(read_mask(tmp_path / "a.png"), mask > 0)


def test_a_mask_of_several_values_without_0_is_refused(tmp_path):
    Image.fromarray(disc().astype(np.uint8) + 1).save(tmp_path / "a.png")
    assert fault(read_mask, tmp_path / "a.png").endswith("is normal, found only the values 1, 2")


def test_an_inverted_mask_is_refused(tmp_path):
    Image.fromarray(np.where(disc(), 0, 255).astype(np.uint8)).save(tmp_path / "grey.png")
    white_below_black = Image.fromarray(disc().astype(np.uint8), "P")
    white_below_black.putpalette([255, 255, 255, 0, 0, 0])
    white_below_black.save(tmp_path / "palette.png")
    for name in ("grey", "palette"):
        assert fault(read_mask, tmp_path / f"{name}.png").endswith("all of its edges; it seems to be inverted")


@pytest.mark.parametrize("rows", [(0, 48), (0, 40), (4, 48)])
def test_a_large_defect_that_leaves_an_edge_and_a_mask_of_a_wholly_anomalous_scan_are_read(tmp_path, rows):
    mask = np.zeros((48, 64), np.uint8)
    mask[rows[0] : rows[1]] = 255
    Image.fromarray(mask).save(tmp_path / "a.png")
    assert np.array_equal(read_mask(tmp_path / "a.png"), mask > 0)


def test_palette_masks_of_a_bug_report_are_their_grey_twins(cases):
    folder = cases / "06-palette-mask"
    grey, palette = (sorted((folder / kind).glob("part/test/*/gt/*.png")) for kind in ("grey", "palette"))
    assert [int(read_mask(path).sum()) for path in grey] == [0, 0, 62, 42, 62]
    for one, other in zip(grey, palette, strict=True):
        assert np.array_equal(read_mask(one), read_mask(other))


def test_grey_masks_of_a_bug_report_are_refused(cases):
    masks = sorted((cases / "07-mask-not-two-level").glob("*/part/test/scratch/gt/*.png"))
    assert len(masks) == 6
    for path in masks:
        assert "grey levels; make it anew" in fault(read_mask, path)


def surface(rng, height: int = 60, width: int = 70, step: float = 4e-4) -> np.ndarray:
    """An xyz image of a bumpy part 0.6 m before the camera, a third of its pixels invalid."""
    row, column = np.indices((height, width))
    z = 0.6 + 0.02 * np.sin(row / 9) * np.cos(column / 11) + rng.normal(0, 1e-4, (height, width))
    scan = np.stack([(column - width / 2) * step * z / 0.6, (row - height / 2) * step * z / 0.6, z], axis=2)
    scan[np.hypot(row - height / 2, column - width / 2) > 0.45 * height] = 0
    return scan.astype(np.float32)


def saved(path: Path, scan: np.ndarray, **options: object) -> Path:
    tifffile.imwrite(path, scan, **{"photometric": "rgb"} | options)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "lzw"},
        {"compression": "lzw", "predictor": 3},
        {"compression": "zlib", "predictor": 3},
        {"compression": "zstd"},
        {"planarconfig": "separate"},
        {"planarconfig": "separate", "compression": "lzw"},
        {"photometric": "minisblack", "planarconfig": "contig"},
        {"tile": (16, 16), "compression": "zlib"},
        {"byteorder": ">"},
        {"bigtiff": True},
    ],
)
def test_a_scan_may_be_stored_in_any_way(tmp_path, rng, options):
    scan = surface(rng)
    stored = np.moveaxis(scan, 2, 0) if options.get("planarconfig") == "separate" else scan
    assert np.array_equal(read_scan(saved(tmp_path / "a.tiff", stored, **options)), scan)


def test_three_pages_are_the_three_channels(tmp_path, rng):
    scan = surface(rng)
    saved(tmp_path / "a.tiff", np.moveaxis(scan, 2, 0), photometric="minisblack")
    assert np.array_equal(read_scan(tmp_path / "a.tiff"), scan)


def test_channels_in_the_order_that_opencv_writes_are_refused(tmp_path, rng):
    message = fault(read_scan, saved(tmp_path / "a.tiff", surface(rng)[..., ::-1]))
    assert "a.tiff: expected the channels x, y, z, found z, y, x, as OpenCV writes them" in message


@pytest.mark.parametrize("value", [0, -1, -9999, 9999, 65535, -32768, 1e10, 3.4e38])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.97])
def test_a_constant_z_beside_any_x_and_y_is_not_taken_for_points(tmp_path, rng, value, share):
    scan = surface(rng)
    row, column = np.indices(scan.shape[:2])
    unseen = rng.random(scan.shape[:2]) < share
    right = np.where(unseen[..., None], 0, scan)
    x, y = np.float32(4e-4) * (column - 34.9), np.float32(4e-4) * (row - 29.9)
    broken = np.where(unseen[..., None], np.stack([x, y, np.full_like(x, value)], axis=2), scan).astype(np.float32)
    path = saved(tmp_path / "a.tiff", broken)
    name = "infinite" if value == 3.4e38 else f"z = {value:g}"
    assert fault(read_scan, path).endswith(
        f"found {unseen.sum()} pixels with {name}, far from all others;"
        " set downsampling.invalid to drop, or to keep if these are points"
    )
    assert np.array_equal(read_scan(path, "drop"), right)


def test_a_floor_at_0_may_be_kept(tmp_path, rng):
    scan = surface(rng)
    row, column = np.indices(scan.shape[:2])
    floor = np.stack([4e-4 * column, 4e-4 * row, np.zeros(scan.shape[:2])], axis=2).astype(np.float32)
    scan = np.where(scan.any(axis=2, keepdims=True), scan, floor)
    path = saved(tmp_path / "a.tiff", scan)
    assert "or to keep if these are points" in fault(read_scan, path)
    assert np.array_equal(read_scan(path, "keep"), scan)
    saved(path, np.where(scan[..., 2:] > 0, scan - [0, 0, 0.57], scan).astype(np.float32))  # a part that reaches it
    assert read_scan(path).any(axis=2).sum() >= scan[..., 0].size - 1


def test_a_flying_pixel_is_a_point(tmp_path, rng):
    scan = surface(rng)
    scan[30, 30, 2] = 1.7
    assert np.array_equal(read_scan(saved(tmp_path / "a.tiff", scan)), scan)


@pytest.mark.parametrize("factor, cause", [(1e3, "apart"), (1e6, "longest side"), (1e-3, "longest"), (1e-6, "longest")])
def test_a_scan_that_is_not_in_metres_is_refused(tmp_path, rng, factor, cause):
    message = fault(read_scan, saved(tmp_path / "a.tiff", (surface(rng) * factor).astype(np.float32)))
    assert "coordinates are in metres: write it again, divided by 1000" in message and cause in message


@pytest.mark.parametrize("step", [2e-5, 1e-4, 4e-3, 2e-2])
def test_scans_of_fine_and_of_coarse_sensors_are_read(tmp_path, rng, step):
    scan = surface(rng)
    scan = np.float32(step / 4e-4) * scan
    assert np.array_equal(read_scan(saved(tmp_path / "a.tiff", scan)), scan)


def test_scans_of_bug_reports_are_read_as_they_were_meant_or_refused(cases):
    right = read_scan(cases / "08-tiff-lzw/lzw.tiff")
    assert np.array_equal(read_scan(cases / "08-tiff-lzw/deflate_predictor.tiff"), right)
    assert np.array_equal(read_scan(cases / "09-tiff-planes/planes.tiff"), right)
    for name in ("opencv_default", "opencv_lzw"):
        assert "as OpenCV writes them" in fault(read_scan, cases / f"08-tiff-lzw/{name}.tiff")
        assert np.array_equal(tifffile.imread(cases / f"08-tiff-lzw/{name}.tiff")[..., ::-1], right)
    assert "set downsampling.invalid to drop" in fault(read_scan, cases / "10-nan-invalid/nan.tiff")
    assert np.array_equal(
        read_scan(cases / "10-nan-invalid/nan.tiff", "drop"), read_scan(cases / "10-nan-invalid/zeros.tiff")
    )
    scans = sorted((cases / "11-invalid-z-zero").rglob("*.tiff"))
    assert len(scans) == 10
    for path in scans:
        assert "pixels with z = 0, far from all others" in fault(read_scan, path)
        dropped = read_scan(path, "drop")
        assert dropped.any(axis=2).sum() == (dropped[..., 2] > 0).sum() > 1000
