"""Voxel grids: point by point against fractions, rounding at the faces, and what the camera sees of them."""

import json

import numpy as np
import pytest
import reference_grids as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from st3d.kernels.geometry.camera import Camera
from st3d.kernels.geometry.voxel_grid import Grid, mean_colours, occupancy, to_pixels

CAMERA = Camera(focus=0.01, kappa=-2000.0, sx=1e-4, sy=1e-4, cx=20, cy=15, width=40, height=30)
# quarters: exact at the faces of 4 voxels along 4 metres, and beyond them
LATTICE = arrays(
    np.float64, st.tuples(st.integers(0, 40), st.just(3)), elements=st.integers(-9, 9).map(lambda x: x / 4)
)
FLOAT32 = st.floats(-1e3, 1e3, width=32)


def as_index(found, cells):
    return [-1 if cell is None else (cell[0] * cells + cell[1]) * cells + cell[2] for cell in found]


@given(LATTICE)
@settings(deadline=None)
def test_a_points_voxel_is_that_of_fractions_also_on_the_faces(points):
    grid = Grid((-2.0, -2.0, -2.0), 4.0, cells=4)
    expected = as_index(reference.cell_of(points, grid.low, grid.side, grid.cells), grid.cells)
    assert grid.cell_of(points).tolist() == expected


@given(st.integers(1, 70), st.integers(0, 10**6))
@settings(deadline=None)
def test_a_points_voxel_is_that_of_fractions_off_the_faces(cells, seed):
    rng = np.random.default_rng(seed)
    grid = Grid(tuple(rng.normal(size=3).tolist()), float(rng.random() + 0.1), cells)
    points = np.array(grid.low) + rng.uniform(-0.1, 1.1, (50, 3)) * grid.side
    assert grid.cell_of(points).tolist() == as_index(reference.cell_of(points, grid.low, grid.side, cells), cells)


@given(arrays(np.float32, st.tuples(st.integers(2, 9), st.just(3)), elements=FLOAT32), st.integers(1, 64))
@settings(deadline=None, max_examples=500)
def test_no_point_falls_out_of_the_cube_around_its_box(points, cells):
    low, high = points.min(axis=0), points.max(axis=0)
    if (low < high).any():
        grid = Grid.around(low, high, cells)
        assert (grid.cell_of(points) >= 0).all()
        box = np.stack([low, high]).astype(np.float64)
        extent = np.ptp(box, axis=0).max()
        assert extent <= grid.side <= extent * (1 + 1e-9) + 1e-12
        np.testing.assert_allclose(np.array(grid.low) + grid.side / 2, box.mean(axis=0), rtol=1e-12, atol=1e-9)
        axis = np.ptp(box, axis=0).argmax()  # both faces of the longest axis have their point: first and last voxel
        index = np.stack(np.unravel_index(grid.cell_of(points), (cells,) * 3))[axis]
        assert index[points[:, axis].argmin()] == 0 and index[points[:, axis].argmax()] == cells - 1


def test_a_box_without_extent_or_reversed_is_refused():
    with pytest.raises(ValueError, match="expected a side above 0 m, found 0"):
        Grid.around(np.ones(3), np.ones(3), 4)
    with pytest.raises(ValueError, match="expected a box from low to high"):
        Grid.around(np.ones(3), np.zeros(3), 4)
    with pytest.raises(ValueError, match="expected 1 cell or more along an axis, found 0"):
        Grid.around(np.zeros(3), np.ones(3), 0)
    with pytest.raises(ValueError, match="Grid: expected side, found cells, low"):
        Grid.from_parameters({"low": [0, 0, 0], "cells": 1})


def test_points_that_are_nan_lie_in_no_voxel():
    assert Grid((0.0, 0.0, 0.0), 1.0, 2).cell_of(np.array([[0.1, np.nan, 0.1], [np.inf, 0, 0]])).tolist() == [-1, -1]


def test_corners_bound_the_voxels_between_them(rng):
    grid = Grid((0.1, -0.2, 0.6), 0.05, cells=5)
    corners = grid.corners()
    assert corners.shape == (6, 6, 6, 3)
    points = np.array(grid.low) + rng.random((200, 3)) * grid.side
    i, j, k = np.unravel_index(grid.cell_of(points), (5, 5, 5))
    assert (corners[i, j, k] <= points).all() and (points <= corners[i + 1, j + 1, k + 1]).all()
    np.testing.assert_allclose(corners[-1, -1, -1], np.array(grid.low) + grid.side, rtol=1e-15)


def test_a_grid_survives_json():
    grid = Grid.around(np.array([0.1, 0.2, 0.6], np.float32), np.array([0.3, 0.25, 0.7], np.float32), 7)
    assert Grid.from_parameters(json.loads(json.dumps(grid.parameters()))) == grid


@given(LATTICE, st.integers(0, 10**6))
@settings(deadline=None)
def test_occupancy_and_mean_colours_are_those_of_the_loops(points, seed):
    grid = Grid((-2.0, -2.0, -2.0), 4.0, cells=4)
    colours = np.random.default_rng(seed).random(points.shape)
    filled, means = occupancy(points, grid), mean_colours(points, colours, grid)
    assert filled.dtype == means.dtype == np.float32
    assert np.array_equal(filled, reference.occupancy(points, grid.low, grid.side, grid.cells))
    expected = reference.mean_colours(points, colours, grid.low, grid.side, grid.cells)
    np.testing.assert_allclose(means, expected, rtol=1e-6, atol=1e-7)


def test_a_colour_for_each_point_is_asked_for():
    with pytest.raises(ValueError, match=r"expected a colour for each point, found \(2, 3\), \(3, 3\)"):
        mean_colours(np.zeros((3, 3)), np.zeros((2, 3)), Grid((0.0, 0.0, 0.0), 1.0, 2))


def test_every_point_of_a_voxel_projects_to_a_pixel_with_its_score_or_more(rng):
    grid = Grid((-0.1, -0.1, 0.9), 0.2, cells=8)
    scores = rng.random((8, 8, 8)).astype(np.float32)
    image = to_pixels(scores, grid, CAMERA)
    assert image.shape == (30, 40)
    pixels = np.argwhere(image >= 0)
    for depth in np.linspace(0.85, 1.15, 60):  # points on the pixels' rays, so no rounding to the nearest pixel
        cell = grid.cell_of(CAMERA.unproject(pixels, np.full(len(pixels), depth)))
        inside = cell >= 0
        assert (image[tuple(pixels[inside].T)] >= scores.ravel()[cell[inside]]).all()
    assert image[0, 0] == 0 and image[15, 20] > 0


def test_voxels_behind_the_camera_are_not_seen():
    behind = Grid((-0.1, -0.1, -0.9), 0.5, cells=2)
    assert not to_pixels(np.ones((2, 2, 2)), behind, CAMERA).any()
    across = Grid((-0.1, -0.1, -0.1), 0.4, cells=2)  # the nearer half reaches behind the camera, the other does not
    assert to_pixels(np.array([[[5.0, 1.0]] * 2] * 2), across, CAMERA).max() == 1
