import json

import numpy as np
import pytest
import tifffile
from small_dataset import CAMERA, NORMAL, OFFSET, SIDE, write_small_dataset

from st3d.baselines.category_frame import Frame, ViewSettings, views
from st3d.baselines.frame import frame

SETTINGS = {"border": 0.1, "plane_distance": 0.002, "seed": 7, "invalid": "refuse", "code": ""}


def make_frame(dataset):
    frame(dataset=dataset, category="part", output=dataset / "frame.json", **SETTINGS)
    return Frame.read(dataset / "frame.json")


def scans(dataset, split, copies):
    settings = {"category": "part", "split": split, "copies": copies, "angle": 5.0, "seed": 8, "invalid": "refuse"}
    return ViewSettings(dataset=dataset, frame=dataset / "frame.json", **settings)


def training_scans(dataset):
    return [tifffile.imread(path) for path in sorted(dataset.glob("part/train/good/xyz/*.tiff"))]


def test_the_box_is_that_of_all_valid_points_of_the_training_scans(tmp_path, rng):
    found = make_frame(write_small_dataset(tmp_path, rng))
    points = np.concatenate([scan[(scan != 0).any(axis=2)] for scan in training_scans(tmp_path)])
    assert np.array_equal(found.low, points.min(axis=0))
    assert np.array_equal(found.high, points.max(axis=0))


def test_the_background_is_the_plane_behind_the_bump(tmp_path, rng):
    plane = make_frame(write_small_dataset(tmp_path, rng)).plane
    assert np.dot(plane.normal, NORMAL) > np.cos(np.radians(0.1))
    assert plane.offset == pytest.approx(OFFSET, abs=1e-3)


def test_scans_that_start_beside_the_cameras_centre_give_its_place(tmp_path, rng):
    shift = (0.0002, -0.0001, 0.0009)
    found = make_frame(write_small_dataset(tmp_path, rng, shift=shift))
    assert found.camera.shift == pytest.approx(shift, abs=2e-6)


def test_copies_are_rotated_about_a_point_of_the_background(tmp_path, rng):
    found = make_frame(write_small_dataset(tmp_path, rng))
    assert abs(found.plane.height(found.pivot[None])[0]) < 1e-12


def test_a_frame_survives_a_round_trip(tmp_path, rng):
    found = make_frame(write_small_dataset(tmp_path, rng))
    (tmp_path / "again.json").write_text(json.dumps(found.content()))
    assert Frame.read(tmp_path / "again.json") == found


def test_training_scans_alone_have_rotated_copies_the_same_ones_each_time(tmp_path, rng):
    found = make_frame(write_small_dataset(tmp_path, rng))
    made = [list(views(scans(tmp_path, "train", 2), found)) for _ in range(2)]
    assert [(view.sample, view.copy_number) for view in made[0]] == [
        (f"good/00{i}", t) for i in range(3) for t in range(3)
    ]
    for first, second in zip(*made, strict=True):
        assert np.array_equal(first.scan, second.scan) and np.array_equal(first.colours, second.colours)
    copies = [view.scan for view in made[0] if view.copy_number]
    assert all(not np.array_equal(a, b) for i, a in enumerate(copies) for b in copies[:i])
    assert [view.copy_number for view in views(scans(tmp_path, "test", 2), found)] == [0, 0, 0]


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda path: path.unlink(), "expected the camera's parameters, which the baselines need, found no such file"),
        (lambda path: path.write_text("{"), "expected JSON, found"),
        (lambda path: path.write_text("[]"), "expected parameters by name, found list"),
        (
            lambda path: path.write_text(json.dumps(CAMERA.parameters() | {"focus": "x"})),
            "expected a number for focus, found 'x'",
        ),
        (lambda path: path.write_text("{}"), "expected camera_type area_scan_division, found None"),
        (
            lambda path: path.write_text(json.dumps(CAMERA.resized(0.5).parameters())),
            "expected the size of the scans, 64 x 64 pixels, found 32 x 32",
        ),
        (
            lambda path: path.write_text(json.dumps(CAMERA.parameters() | {"focus": 0.02})),
            "expected a camera that sends the scans' points to their own pixels, found half of them",
        ),
    ],
)
def test_a_calibration_that_does_not_fit_is_one_line(tmp_path, rng, damage, message):
    path = write_small_dataset(tmp_path, rng) / "part/calibration/camera_parameters.json"
    damage(path)
    with pytest.raises(ValueError, match="camera_parameters.json: expected") as error:
        make_frame(tmp_path)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "frame.json").exists()


def test_a_scan_of_another_size_than_the_camera_is_named(tmp_path, rng):
    found = make_frame(write_small_dataset(tmp_path, rng))
    path = tmp_path / "part/test/dent/xyz/000.tiff"
    tifffile.imwrite(path, np.ones((SIDE, 32, 3), np.float32), photometric="rgb")
    with pytest.raises(ValueError, match=r"dent/xyz/000.tiff: expected 64 x 64 pixels like the camera, found 64 x 32"):
        list(views(scans(tmp_path, "test", 0), found))


def test_a_scan_without_its_picture_is_named(tmp_path, rng):
    found = make_frame(write_small_dataset(tmp_path, rng))
    (tmp_path / "part/test/good/rgb/001.png").unlink()
    with pytest.raises(ValueError, match=r"good/xyz/001.tiff: expected an RGB image in rgb/ as beside 000.tiff"):
        list(views(scans(tmp_path, "test", 0), found))


def test_the_real_samples_frame_sends_points_to_their_pixels(shared_data, tmp_path):
    dataset = shared_data / "mvtec_3d_ad_sample"
    frame(dataset=dataset, category="cable_gland", output=tmp_path / "frame.json", **SETTINGS)
    found = Frame.read(tmp_path / "frame.json")
    for path in sorted((dataset / "cable_gland").glob("test/*/xyz/*.tiff"))[::5]:
        scan = tifffile.imread(path)
        seen = np.argwhere((scan != 0).any(axis=2))
        error = np.abs(found.camera.project(scan[tuple(seen.T)]) - seen).max(axis=1)
        assert (error < 0.5).mean() > 0.999, path
