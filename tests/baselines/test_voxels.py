import numpy as np
import pytest
from small_dataset import write_small_dataset
from stage_call import call
from test_frame import make_frame

from st3d.baselines.voxels import voxels
from st3d.formats.images import Images
from st3d.formats.scans import read_colours, read_scan
from st3d.kernels.geometry.voxel_grid import Grid

SETTINGS = {"cells": 8, "angle": 5.0, "seed": 8, "invalid": "refuse", "code": ""}


def make_voxels(dataset, split, copies=0, **changed):
    path = dataset / f"voxels_{split}.h5"
    common = {"dataset": dataset, "category": "part", "split": split, "frame": dataset / "frame.json"}
    call(voxels, **common, copies=copies, output=path, **(SETTINGS | changed))
    return path


def reference(scan, colours, low, high, cells):
    """Voxel by voxel, in plain loops: 1 and the mean colour where points lie, else -1."""
    side = max(upper - lower for lower, upper in zip(low, high, strict=True))
    corner = [(lower + upper) / 2 - side / 2 for lower, upper in zip(low, high, strict=True)]
    colours_of = {}
    for point, colour in zip(scan.reshape(-1, 3), colours.reshape(-1, 3), strict=True):
        if point.any():
            cell = [min(int((float(x) - c) / side * cells), cells - 1) for x, c in zip(point, corner, strict=True)]
            colours_of.setdefault(tuple(cell), []).append(colour.astype(float))
    grid = np.full((4, cells, cells, cells), -1.0)
    for cell, found in colours_of.items():
        grid[(0, *cell)] = 1
        grid[(slice(1, 4), *cell)] = np.mean(found, axis=0)
    return grid


def test_a_grid_is_that_of_the_reference_implementation(tmp_path, rng):
    frame = make_frame(write_small_dataset(tmp_path, rng))
    with Images(make_voxels(tmp_path, "train")) as images:
        assert (images.kind, len(images), images.sides) == ("voxels", 3, (8, 8, 8))
        for index in range(3):
            place = tmp_path / "part/train/good"
            scan = read_scan(place / f"xyz/00{index}.tiff")
            expected = reference(scan, read_colours(place / f"rgb/00{index}.png", (64, 64)), frame.low, frame.high, 8)
            assert np.array_equal(images.image(index, "3d").values, expected[:1])
            assert np.allclose(images.image(index, "3d_rgb").values, expected[1:], atol=1e-6)


def test_the_grid_is_a_cube_about_the_training_sets_box_for_every_split(tmp_path, rng):
    frame = make_frame(write_small_dataset(tmp_path, rng))
    for split in ("train", "test"):
        with Images(make_voxels(tmp_path, split)) as images:
            grid = Grid.from_parameters(images.frame["grid"])
        assert grid.side == pytest.approx(max(np.subtract(frame.high, frame.low)))
        assert np.add(grid.low, grid.side / 2) == pytest.approx(np.add(frame.low, frame.high) / 2)


def test_copies_follow_their_scan(tmp_path, rng):
    make_frame(write_small_dataset(tmp_path, rng))
    with (
        Images(make_voxels(tmp_path, "train", 2, cells=32)) as images,
        Images(make_voxels(tmp_path, "test", 2)) as test,
    ):
        assert images.copies.tolist() == [0, 1, 2] * 3
        assert [images.image(index, "3d").sample for index in range(4)] == ["good/000"] * 3 + ["good/001"]
        assert not np.array_equal(images.image(0, "3d").values, images.image(1, "3d").values)
        assert test.copies.tolist() == [0, 0, 0]


def test_scans_without_pictures_have_no_colour(tmp_path, rng):
    make_frame(write_small_dataset(tmp_path, rng, colours=False))
    with Images(make_voxels(tmp_path, "train", copies=1)) as images:
        assert images.channels == 1
