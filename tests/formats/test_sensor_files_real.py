"""Real scans and the cases of public bug reports, as the readers of sensor files take them."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from sensor_writers import as_read, clouds, fault, images, ulps

from st3d.formats.scan_headers import check_scan
from st3d.formats.scans import read_scan
from st3d.formats.sensor_files.find import find_scans
from st3d.formats.sensor_files.read import read_sensor_scan, sensor_scan
from st3d.formats.sensor_files.scan import Reading

CAMERA = {"fx": 525.0, "fy": 525.0, "ppx": 320.0, "ppy": 240.0, "depth_scale": 0.001}  # PrimeSense's

REAL = {  # file: shape, unit that is found, share of invalid pixels
    "bun0.pcd": ((397, 3), "m", 0),
    "chef.pcd": ((5092, 3), "m", 0),
    "noether_mesh.ply": ((757, 3), "mm", 0),
    "points_agisoft.xyz": ((100, 3), "mm", 0),
    "points_ascii_with_lists.ply": ((5, 3), "m", 0),
    "points_bin.ply": ((5, 3), "m", 0),
    "points_cloudcompare.xyz": ((101, 3), "mm", 0),
    "primesense_depth.tiff": ((480, 640, 3), "mm", 0.116),
    "primesense_frame.pcd": ((480, 640, 3), "m", 0.116),
    "surf_matrix-3.txt": ((256, 256, 3), "m", 0),
    "surf_xyz-1.txt": ((16, 3), "mm", 0),
    "table_scene_mug_stereo_textured.pcd": ((480, 640, 3), "m", 0.319),
    "terrain_samp11-utm.pcd": ((38010, 3), "mm", 0),
}


def test_the_real_files_are_read_or_refused_with_their_line(shared_data):
    found = find_scans([shared_data / "scans"])
    assert [path.name for path, _ in found.skipped] == ["ORIGIN.tsv"]
    assert {path.name for path in found.files} == {*REAL, "dektak-1.csv"}
    for path in found.files:
        if path.name == "dektak-1.csv":
            assert "a line profile is no scan" in fault(path)
            continue
        sensor = CAMERA if path.name == "primesense_depth.tiff" else None
        scan = read_sensor_scan(path, Reading(sensor=sensor))
        shape, unit, invalid = REAL[path.name]
        assert (scan.points.shape, scan.unit) == (shape, unit), path.name
        assert np.isfinite(scan.points).all()
        if scan.points.ndim == 3:
            assert abs((~scan.points.any(axis=2)).mean() - invalid) < 5e-4
    assert "give --sensor FILE" in fault(shared_data / "scans" / "primesense_depth.tiff")


def test_a_depth_image_and_the_cloud_that_its_sensor_made_of_it_agree(shared_data):
    depth = read_sensor_scan(shared_data / "scans" / "primesense_depth.tiff", Reading(sensor=CAMERA)).points
    cloud = read_sensor_scan(shared_data / "scans" / "primesense_frame.pcd").points
    assert np.array_equal(depth.any(axis=2), cloud.any(axis=2)) and np.abs(depth - cloud).max() < 1e-6


def test_real_scans_are_the_same_in_every_format(shared_data, tmp_path):
    for split in ("train/good", "test/hole"):
        original = shared_data / "mvtec_3d_ad_sample" / "cable_gland" / split / "xyz" / "000.tiff"
        raw = read_scan(original)
        scan = as_read(raw)
        valid = scan[scan.any(axis=2)]
        assert np.array_equal(read_sensor_scan(original).points, scan)
        assert ulps(scan, raw).max() <= 1 and np.array_equal(as_read(scan), scan)
        exact = raw.astype(np.float64) * 1000
        for written in (raw * np.float32(1000), exact, exact.astype(np.float32)):
            millimetres = sensor_scan(written)
            assert millimetres.unit == "mm" and np.array_equal(millimetres.points, scan)
        assert np.array_equal(sensor_scan(np.where(raw.any(axis=2)[..., None], raw, np.nan)).points, scan)
        (tmp_path / split).mkdir(parents=True)
        for path in images(tmp_path / split, raw):
            if path.suffix.lower() not in (".tif", ".tiff") or path.stem in ("lzw", "planes"):
                assert np.array_equal(read_sensor_scan(path).points, scan), path
        for path in clouds(tmp_path / split, raw.reshape(-1, 3)):
            if path.suffix in (".txt", ".csv", ".PLY", ".pcd") and path.stem in ("a", "binary_big_endian"):
                assert np.array_equal(read_sensor_scan(path).points, valid), path


@pytest.fixture
def cases():
    folder = Path(os.environ.get("ST3D_SHARED_CASES", Path(__file__).parents[2] / ".." / "shared" / "cases")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no cases of public bug reports at {folder} (set ST3D_SHARED_CASES)")
    return folder


def test_compressed_tiffs_are_read_also_by_the_workflow(cases):
    folder = cases / "08-tiff-lzw"
    wanted = read_scan(folder / "lzw.tiff")
    assert wanted.any() and check_scan(folder / "lzw.tiff") == wanted.shape[:2]
    for name in ("lzw", "deflate_predictor", "opencv_lzw", "opencv_default"):
        found = read_sensor_scan(folder / f"{name}.tiff")
        assert np.array_equal(found.points, as_read(wanted)), name
        assert any("channels reversed" in note for note in found.notes) == name.startswith("opencv")
    assert np.array_equal(read_scan(folder / "deflate_predictor.tiff"), wanted)
    planes = cases / "09-tiff-planes" / "planes.tiff"
    assert np.array_equal(as_read(read_scan(planes)), read_sensor_scan(planes).points) and check_scan(planes) == (
        60,
        60,
    )
    assert np.array_equal(read_scan(planes), wanted) and read_scan(planes).flags.c_contiguous


def test_the_cases_of_invalid_pixels_are_read(cases):
    nan, zeros = (read_sensor_scan(cases / "10-nan-invalid" / f"{name}.tiff").points for name in ("nan", "zeros"))
    assert np.array_equal(nan, zeros) and not zeros.any(axis=2).all()
    for path in find_scans([cases / "11-invalid-z-zero"]).files:
        raw, found = tifffile.imread(path), read_sensor_scan(path)
        assert np.array_equal(found.points.any(axis=2), raw[..., 2] != 0), path
        assert any("z = 0 (detected)" in note for note in found.notes)


def test_the_case_of_clutter_has_its_scans_alone(cases):
    found = find_scans([cases / "13-clutter-beside-scans"])
    assert len(found.files) == 10 and all(path.parent.name == "xyz" for path in found.files)
    assert not any(".ipynb" in str(path) or path.name.startswith("._") for path, _ in found.skipped)
    assert all(read_sensor_scan(path).unit == "m" for path in found.files)
