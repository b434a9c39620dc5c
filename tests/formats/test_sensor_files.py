"""Scans of any sensor come back as they were written, in metres."""

from dataclasses import asdict

import numpy as np
import pytest
import tifffile
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_writers import as_read, clouds, fault, images, ply, ulps

from st3d.formats.sensor_files.read import READERS, read_sensor_scan, sensor_scan
from st3d.formats.sensor_files.scan import Reading, SensorScan
from st3d.kernels.open3d_library import open3d_module

CAMERA = {"fx": 525.0, "fy": 525.0, "cx": 320.0, "cy": 240.0}


def random_scan(seed, rows, columns, lost):
    """A tilted and rough surface, as a structured-light sensor sees it; a share of the pixels is (0, 0, 0)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns] * 1e-3 + rng.normal(size=2)[:, None, None] * 0.05
    z = 0.6 + 0.2 * x - 0.1 * y + rng.normal(size=(rows, columns)) * 5e-4
    scan = as_read(np.stack([x, y, z], axis=-1).astype(np.float32))
    unseen = rng.random((rows, columns)) < lost
    unseen[0, :2] = False  # two neighbours at least
    scan[unseen] = 0
    return scan


SCANS = st.builds(random_scan, st.integers(0, 99), st.integers(8, 20), st.integers(8, 20), st.floats(0, 0.6))


@given(scan=SCANS)
@settings(max_examples=5, deadline=None)
def test_an_image_comes_back_from_every_format(tmp_path_factory, scan):
    files = images(tmp_path_factory.mktemp("scan"), scan)
    assert len(files) >= 19
    for path in files:
        found = read_sensor_scan(path)
        assert found.points.dtype == np.float32 and found.points.flags.c_contiguous, path
        assert np.array_equal(found.points, scan) and found.unit == "m", path


@given(scan=SCANS)
@settings(max_examples=5, deadline=None)
def test_a_cloud_comes_back_from_every_format(tmp_path_factory, scan):
    valid = scan[scan.any(axis=2)]
    files = clouds(tmp_path_factory.mktemp("scan"), scan.reshape(-1, 3))
    assert {path.suffix.lower() for path in files} == {".xyz", ".csv", ".asc", ".txt", ".pts", ".npy", ".ply", ".pcd"}
    for path in files:
        found = read_sensor_scan(path, Reading(unit="m"))
        assert np.array_equal(found.points, valid), path


FORMS = {
    "NaN": lambda points, lost: points.__setitem__(lost, np.nan),
    "infinite": lambda points, lost: points.__setitem__((lost, 1), -np.inf),
    "z = 0 (detected)": lambda points, lost: points.__setitem__((lost, 2), 0),
    "z = -9999 (detected)": lambda points, lost: points.__setitem__(lost, -9999),
    "z = 65535 (detected)": lambda points, lost: points.__setitem__((lost, 2), 65535),
    "z = -123.456 (detected)": lambda points, lost: points.__setitem__((lost, 2), -123.456),
    "z = 0.71 (named)": lambda points, lost: points.__setitem__((lost, 2), 0.71),
}


@given(scan=SCANS, form=st.sampled_from(sorted(FORMS)))
@settings(max_examples=40, deadline=None)
def test_every_form_of_invalid_pixels_is_found_and_said(scan, form):
    lost = ~scan.any(axis=2)
    lost[-1, -3:] = True
    wanted = np.where(lost[..., None], 0, scan)
    written = scan.copy()
    y, x = np.mgrid[: scan.shape[0], : scan.shape[1]] * 4e-4
    written[lost] = np.stack([x, y, np.full_like(x, 0.6)], axis=-1)[lost]
    FORMS[form](written, lost)
    reading = Reading(invalid=(0.71,)) if "named" in form else Reading()
    before = written.copy()
    found = sensor_scan(written, reading)
    assert np.array_equal(found.points, wanted)
    assert f"{100 * lost.sum() / lost.size:.3g} % of the pixels invalid: {form}" in found.notes
    cloud = sensor_scan(written.reshape(-1, 3), reading)
    assert np.array_equal(cloud.points, wanted[~lost])
    assert np.array_equal(written, before, equal_nan=True)


@given(scan=SCANS, per_metre=st.sampled_from([("mm", 1000), ("um", 1e6)]))
@settings(max_examples=20, deadline=None)
def test_a_scan_in_another_unit_is_the_same_scan(scan, per_metre):
    unit, number = per_metre
    other = (scan.astype(np.float64) * number).astype(np.float32)
    found = sensor_scan(other, Reading(unit="auto" if unit == "mm" else "um"))
    assert found.unit == unit and ulps(found.points, scan).max() <= 1


def test_several_forms_of_invalid_pixels_at_once_are_found():
    scan = random_scan(3, 40, 40, 0.2) * 1000
    values = [(0, 0, 0), (np.nan, 1, 1), (5, 5, -32768), (5, 5, 32767), (5, 5, 0), (5, 5, 1e9)]
    for at, value in enumerate(values):
        scan[10 + at, :30] = value
    found = sensor_scan(scan)
    wanted = np.isfinite(scan).all(axis=2) & (np.abs(scan[..., 2] - 600) < 300)
    assert np.array_equal(found.points.any(axis=2), wanted) and 400 < wanted.sum() < 1400
    assert sum(note.count("(detected)") for note in found.notes) == 4


def test_heights_around_zero_are_kept(rng):
    y, x = np.mgrid[:50, :60] * 0.1
    around = rng.normal(size=x.shape)
    above = np.abs(around)
    for z in (around, above, np.round(around, 1), np.round(above, 1), np.where(x < 2, 0, above)):
        assert (z == 0).any() or z is around or z is above
        found = sensor_scan(np.stack([x + 1, y, z], axis=-1))
        assert found.points.any(axis=2).all() and np.allclose(found.points[..., 2], z / 1000, atol=1e-8)
        assert not any("invalid" in note for note in found.notes)


def test_a_bump_of_one_height_is_no_sentinel(rng):
    y, x = np.mgrid[:100, :100] * 0.05
    z = 10 + np.round(rng.normal(size=x.shape) * 0.01, 3)  # counts of a micrometre
    z[40:44, 50:54] = 10.4  # higher than the others' range, flat to the count
    assert sensor_scan(np.stack([x, y, z], axis=-1)).points.any(axis=2).all()


def test_a_valid_pixel_is_never_the_origin():
    scan = random_scan(0, 9, 9, 0).astype(np.float64) - [0, 0, 0.6]
    scan[2, 2] = [1e-60, 0, 0]  # zeros in float32
    found = sensor_scan(scan)
    assert found.points.any(axis=2).all() and np.abs(found.points[2, 2]).max() < 1e-8


def test_the_unit_is_seen_by_the_distance_of_neighbours_only():
    scan = random_scan(1, 20, 20, 0.3).astype(np.float64)
    for factor, unit in ((0.1, "m"), (5, "m"), (100, "mm"), (5000, "mm")):
        assert sensor_scan(scan * factor).unit == unit
    for factor in (1e-3, 1e5):
        with pytest.raises(ValueError, match=r"^scan: expected points .* apart, found .*; give --unit m, mm or um$"):
            sensor_scan(scan * factor)
        assert sensor_scan(scan * factor, Reading(unit="um")).unit == "um"
    cloud = scan[scan.any(axis=2)]
    assert sensor_scan(np.repeat(cloud, 3, axis=0)).unit == "m"  # points that are there three times
    with pytest.raises(ValueError, match="give --unit"):
        sensor_scan(np.ones((5, 3)))


def test_a_far_cloud_is_moved_to_the_origin_before_it_is_rounded():
    near = random_scan(2, 20, 20, 0)
    utm = near + np.array([691_000.125, 5_335_000.5, 520.25])
    found = sensor_scan(utm)
    assert np.allclose(found.points - found.points[0, 0], near - near[0, 0], atol=1e-6)
    assert np.abs(found.points).max() < 0.1 and "moved to the origin by -69" in "".join(found.notes)


def test_a_table_may_be_written_in_many_manners(tmp_path):
    wanted = np.array([[1, 2.5, 3], [4, 5, 2.5], [7, 8, 9]], np.float32) / 1000
    texts = {
        "comma": "1,2.5,3\n4,5,2.5\n7,8,9\n",
        "comma and space": "1, 2.5, 3\n4, 5, 2.5\n7, 8, 9",
        "decimal comma": "1;2,5;3\n4;5;2,5\n7;8;9\n",
        "decimal comma and space": "1,0 2,5 3\n4 5 2,5\r\n7 8 9\n",
        "mixed white space": "  1 2.5\t3 255\n\n4\t5  2.5 255\n7 8 9 255\n",
        "comments": "# made by hand\n// X Y Z\n1 2.5 3\n# and\n4 5 2.5\n7 8 9\n",
        "named": "id;label;z;y;x\n1;a b;3;2.5;1\n2;c;2.5;5;4\n3;d;9;8;7\n",
        "named with units": 'Sensor: A7\n"X [mm]"\t"Y [mm]"\t"Z [mm]"\n1\t2.5\t3\n4\t5\t2.5\n7\t8\t9\n',
        "units below names": "x,y,z\nmm,mm,mm\n1,2.5,3\n4,5,2.5\n7,8,9\n",
        "in metres": "x(m),y(m),z(m)\n.001,.0025,3e-3\n.004,.005,.0025\n.007,.008,.009\n",
        "empty is invalid": "x,y,z,i\n1,2.5,3,1\n4,5,,1\n4,5,2.5,1\n7,8,9,\n7,8,N/A,1\n",
        "trailing delimiters": "1;2.5;3;;\n4;5;2.5;;\n7;8;9;;\n",
    }
    for name, text in texts.items():
        for suffix, codec in ((".txt", "utf-8-sig"), (".CSV", "utf-16"), (".xyz", "latin-1")):
            path = tmp_path / f"{name}{suffix}"
            path.write_bytes(text.encode(codec))
            assert np.array_equal(read_sensor_scan(path).points, wanted), path


def test_what_other_programs_write_is_read(tmp_path):
    points = random_scan(5, 10, 10, 0).reshape(-1, 3)
    open3d = open3d_module()
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))
    cloud.paint_uniform_color([0.5, 0, 0])
    cloud.normals = open3d.utility.Vector3dVector(np.ones((100, 3)))
    for name in ("a.ply", "a.pcd", "a.xyz", "a.pts"):
        for options in ({}, {"write_ascii": True}, {"compressed": True}):
            open3d.io.write_point_cloud(str(tmp_path / name), cloud, **options)
            found = read_sensor_scan(tmp_path / name).points
            assert np.allclose(found, points, atol=1e-7), name  # text has 10 digits
    mesh = trimesh.Trimesh(points, np.arange(99).reshape(-1, 3), process=False)
    for encoding in ("ascii", "binary"):
        mesh.export(tmp_path / "mesh.ply", encoding=encoding)
        found = read_sensor_scan(tmp_path / "mesh.ply")
        assert np.allclose(found.points, points, atol=1e-7) and "a mesh, of which the vertices are read" in found.notes


def test_a_ply_is_an_image_only_if_its_header_fits(tmp_path):
    points = random_scan(5, 10, 12, 0).reshape(-1, 3)
    for size, shape in (((10, 12), (10, 12, 3)), ((10, 13), (120, 3)), ((1, 120), (120, 3)), (None, (120, 3))):
        (tmp_path / "a.ply").write_bytes(ply(points, "ascii", size=size))
        assert read_sensor_scan(tmp_path / "a.ply").points.shape == shape


def test_integers_of_three_channels_are_a_picture_not_a_scan(tmp_path, rng):
    for kind in (np.uint8, np.uint16, np.int32):
        tifffile.imwrite(tmp_path / "a.tif", rng.integers(0, 200, (9, 8, 3)).astype(kind), photometric="rgb")
        assert f"found {np.dtype(kind)} of shape 9 x 8 x 3" in fault(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", rng.random((9, 8, 4), np.float32), photometric="rgb")
    assert "expected an image of 3 channels (x, y, z)" in fault(tmp_path / "a.tif")


def test_other_shapes_and_types_are_refused(tmp_path):
    for array in (
        np.zeros((4, 2)),
        np.ones(7),
        np.ones((4, 3), complex),
        np.array([["a", "b", "c"]]),
        np.ones((0, 3)),
        np.ones((4, 4, 4, 3)),
        np.ones(4, [("x", "f4"), ("y", "f4")]),
    ):
        with pytest.raises(ValueError, match="^program: expected"):
            sensor_scan(array, Reading(), "program")
    np.savez(tmp_path / "a.npz", left=np.ones((5, 3)), right=np.ones((5, 3)))
    assert "found arrays left, right" in fault(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", np.array([[{}, {}, {}]]), allow_pickle=True)
    assert fault(tmp_path / "a.npy").startswith("expected a whole NPY file of numbers")


def test_no_valid_point_is_refused_with_the_forms(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 4, 3)))
    assert fault(tmp_path / "a.npy") == "expected valid points, found none of 16: (0, 0, 0)"
    np.save(tmp_path / "a.npy", np.full((4, 3), np.nan))
    assert fault(tmp_path / "a.npy") == "expected valid points, found none of 4: NaN"


def test_every_kind_of_damage_is_one_line(tmp_path, rng):
    scan = random_scan(4, 12, 11, 0.3)
    files = images(tmp_path, scan)
    (tmp_path / "clouds").mkdir()
    files += clouds(tmp_path / "clouds", scan.reshape(-1, 3))
    for path in files:
        content = path.read_bytes()
        for length in (1, 20, len(content) // 3, len(content) // 2):
            if path.suffix.lower() in (".xyz", ".csv", ".asc", ".txt") and length > 20:
                continue  # nothing tells
            assert fault(path, content[:length])
    for suffix in READERS:
        path = tmp_path / f"foreign{suffix}"
        for content in (b"hello world\n" * 50, rng.bytes(1000), b"\0" * 1000, b"\n" * 50, b"PK\3\4" + rng.bytes(100)):
            assert fault(path, content).startswith("expected "), suffix
        assert fault(path, b"") == "expected a scan, found an empty file"
    assert fault(tmp_path / "none.ply") == "expected a scan, found no such file"
    assert "expected a scan ending in .tif, .tiff, .png" in fault(tmp_path / "a.las", b"x")
    (tmp_path / "link.ply").symlink_to(tmp_path / "nowhere")
    assert fault(tmp_path / "link.ply") == "expected a scan, found a link to nowhere"
    (tmp_path / "folder.ply").mkdir()
    assert fault(tmp_path / "folder.ply").startswith("expected a scan, found ")


def test_a_faulty_table_is_named_by_its_fault(tmp_path):
    path = tmp_path / "a.txt"
    assert "found columns: 2: a line profile is no scan" in fault(path, b"0.0,-0.1\n0.2,-0.2\n")
    assert "found columns: 1" in fault(path, b"1\n2\n3\n")
    assert "could not convert string 'eight'" in fault(path, b"1 2 3\n4 5 6\n7 eight 9\n")
    assert fault(path, b"1 2 3 4\n4 5 6 4\n7 8 9\n").endswith("found 3: the file is truncated")
    assert fault(path, b"5\n1 2 3\n4 5 6\n7 8 9\n") == "expected 5 points, found 3: the file is truncated"
    assert fault(path, b"a b c\nd e f\n") == "expected rows of numbers, found 'a b c'"
    assert "expected a table of text, found binary data" in fault(path, b"1 2 3\n\0\0")


def test_a_reading_is_what_json_can_hold_and_comes_back():
    reading = Reading(unit="mm", invalid=(-9999.0,), sensor=CAMERA)
    kept = asdict(reading)
    assert kept == {"unit": "mm", "invalid": (-9999.0,), "sensor": CAMERA}
    scan = sensor_scan(random_scan(0, 9, 9, 0.2) * 1000, Reading(**(kept | {"invalid": [-9999.0]})))
    assert isinstance(scan, SensorScan) and scan.unit == "mm" and "unit: millimetres (as given)" in scan.notes
