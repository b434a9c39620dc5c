import numpy as np
import pytest
from small_dataset import write_small_dataset
from stage_call import call
from test_frame import make_frame

from st3d.baselines.depth import depth
from st3d.baselines.depth_images import resized
from st3d.formats.images import Images
from st3d.formats.scans import read_colours, read_scan

SETTINGS = {"size": 0, "angle": 5.0, "seed": 8, "invalid": "refuse", "code": ""}


def make_depth(dataset, split, copies=0, **changed):
    path = dataset / f"depth_{split}.h5"
    common = {"dataset": dataset, "category": "part", "split": split, "frame": dataset / "frame.json"}
    call(depth, **common, copies=copies, output=path, **(SETTINGS | changed))
    return path


def test_depth_is_the_distance_from_the_cameras_centre_and_0_where_invalid(tmp_path, rng):
    shift = (0.0, 0.0, 0.001)
    camera = make_frame(write_small_dataset(tmp_path, rng, shift=shift)).camera
    with Images(make_depth(tmp_path, "test")) as images:
        found = images.image(0, "3d_rgb")
    scan = read_scan(tmp_path / f"part/test/{found.sample.replace('/', '/xyz/')}.tiff")
    for row, column in rng.integers(0, 64, (200, 2)):
        x, y, z = (float(a) + b for a, b in zip(scan[row, column], camera.shift, strict=True))
        expected = (x * x + y * y + z * z) ** 0.5 if scan[row, column].any() else 0
        assert found.values[0, row, column] == pytest.approx(expected, abs=1e-7)
    colours = read_colours(tmp_path / f"part/test/{found.sample.replace('/', '/rgb/')}.png", (64, 64))
    assert np.array_equal(found.values[1:], np.moveaxis(colours, 2, 0))


def test_a_smaller_image_takes_the_nearest_depth_and_a_mean_of_colours(tmp_path, rng):
    make_frame(write_small_dataset(tmp_path, rng))
    with Images(make_depth(tmp_path, "validation")) as images:
        whole = images.image(0, "3d_rgb").values
    with Images(make_depth(tmp_path, "validation", size=32)) as images:
        small = images.image(0, "3d_rgb").values
        assert images.image(0, "3d_rgb").size == (64, 64)
    assert small.shape == (4, 32, 32)
    blocks = whole[0].reshape(32, 2, 32, 2).swapaxes(1, 2).reshape(32, 32, 4)
    assert (small[0][..., None] == blocks).any(axis=2).all()  # no depth is invented
    assert np.abs(small[1:].mean() - whole[1:].mean()) < 0.01


def test_a_copy_rotated_by_no_angle_is_the_scan_where_no_two_points_share_a_pixel(tmp_path, rng):
    make_frame(write_small_dataset(tmp_path, rng))
    with Images(make_depth(tmp_path, "train", copies=1, angle=0.0)) as images:
        scan, copy = (images.image(index, "3d_rgb") for index in (0, 1))
    assert (scan.copy_number, copy.copy_number) == (0, 1)
    assert np.array_equal(scan.values, copy.values)  # the small data set's points project to their own pixels


def test_bilinear_sizes_keep_a_ramp():
    ramp = np.tile(np.arange(8, dtype=np.float32), (4, 1))
    found = resized(ramp, (8, 16), smooth=True)
    assert np.allclose(found[:, 1:-1], np.tile((np.arange(16) - 0.5)[1:-1] / 2, (8, 1)))
    assert np.array_equal(resized(ramp, (4, 4), smooth=False), ramp[:, 1::2])
