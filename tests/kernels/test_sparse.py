"""Sparse convolution: against dense convolution, loops, and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_sparse import coarser, convolved, cube, spread
from torch.nn import functional

from st3d.kernels import sparse
from st3d.kernels.sparse import LONGEST, Grids, convolve, kernel_map, offsets, positions, strided, voxelise
from st3d.training.device import set_threads


@pytest.fixture(autouse=True)
def deterministic():
    set_threads(1)


def some_voxels(rng, count=60, side=7):
    """Distinct voxels (v, 3) in order; and their keys."""
    voxels = np.unique(rng.integers(0, side, (count, 3)), axis=0)
    return voxels, voxelise(torch.from_numpy(voxels + 0.5), 1.0)[0]


def dense(voxels, features, side):
    """The grid (1, c, side, side, side) with features (v, c) at voxels and 0 elsewhere."""
    grid = torch.zeros(1, features.shape[1], side, side, side, dtype=features.dtype)
    x, y, z = torch.from_numpy(voxels).unbind(dim=1)
    grid[0, :, x, y, z] = features.T
    return grid


def dense_kernel(weight, kernel):
    """Weights (o, c, d), x fastest, as conv3d takes them: (d, c, x, y, z)."""
    return weight.reshape(kernel, kernel, kernel, *weight.shape[1:]).permute(4, 3, 2, 1, 0).contiguous()


def at(grid, voxels):
    """The features (v, c) of a dense grid at voxels."""
    x, y, z = torch.from_numpy(np.asarray(voxels)).unbind(dim=1)
    return grid[0, :, x, y, z].T


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("channels", [1, 4])
def test_sparse_convolution_is_dense_convolution_at_the_voxels(rng, kernel, channels):
    voxels, keys = some_voxels(rng)
    features = torch.from_numpy(rng.normal(size=(len(voxels), channels)).astype(np.float32))
    weight = torch.from_numpy(rng.normal(size=(kernel**3, channels, 6)).astype(np.float32))
    found = convolve(features, weight, kernel_map(keys, keys, kernel, 1), len(keys))
    grid = functional.conv3d(dense(voxels, features, 7), dense_kernel(weight, kernel), padding=kernel // 2)
    assert torch.allclose(found, at(grid, voxels), atol=1e-5, rtol=1e-5)


def test_strided_convolution_is_dense_strided_convolution(rng):
    voxels, keys = some_voxels(rng, side=8)
    voxels = voxels - voxels.min(axis=0)
    features = torch.from_numpy(rng.normal(size=(len(voxels), 4)).astype(np.float32))
    weight = torch.from_numpy(rng.normal(size=(27, 4, 6)).astype(np.float32))
    grids = Grids(keys)
    found = convolve(features, weight, grids.kernel_map(3, 1, 2), len(grids.keys(2)))
    grid = functional.conv3d(dense(voxels, features, 8), dense_kernel(weight, 3), stride=2, padding=1)
    halves = np.array(coarser(voxels, 2)) // 2
    assert found.shape == (len(halves), 6)
    assert torch.allclose(found, at(grid, halves), atol=1e-5, rtol=1e-5)


def test_transposed_convolution_is_dense_transposed_convolution(rng):
    voxels, keys = some_voxels(rng, side=8)
    voxels = voxels - voxels.min(axis=0)
    grids = Grids(keys)
    halves = np.array(coarser(voxels, 2)) // 2
    features = torch.from_numpy(rng.normal(size=(len(halves), 4)).astype(np.float32))
    weight = torch.from_numpy(rng.normal(size=(27, 4, 6)).astype(np.float32))
    found = convolve(features, weight, grids.kernel_map(3, 2, 1), len(keys))
    kernel = dense_kernel(weight, 3).transpose(0, 1)
    grid = functional.conv_transpose3d(dense(halves, features, 4), kernel, stride=2, padding=1, output_padding=1)
    assert torch.allclose(found, at(grid, voxels), atol=1e-5, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([1, 2, 4]), st.sampled_from([1, 3]))
def test_convolutions_are_those_written_out_at_every_stride(seed, count, source, channels):
    rng = np.random.default_rng(seed)
    _, keys = some_voxels(rng, count, side=int(rng.integers(2, 12)))
    grids = Grids(keys)
    fine, coarse = (positions(grids.keys(stride)).tolist() for stride in (source, 2 * source))
    assert [tuple(voxel) for voxel in coarse] == coarser(fine, 2 * source)
    weight = rng.normal(size=(27, channels, 2))
    features = {stride: rng.normal(size=(len(grids.keys(stride)), channels)) for stride in (source, 2 * source)}

    def found(start, end):
        values = torch.from_numpy(features[start])
        return convolve(values, torch.from_numpy(weight), grids.kernel_map(3, start, end), len(grids.keys(end))).numpy()

    np.testing.assert_allclose(
        found(source, source), convolved(features[source], weight, fine, fine, 3, source), atol=1e-12
    )
    np.testing.assert_allclose(
        found(source, 2 * source), convolved(features[source], weight, fine, coarse, 3, source), atol=1e-12
    )
    np.testing.assert_allclose(
        found(2 * source, source), spread(features[2 * source], weight, coarse, fine, 3, source), atol=1e-12
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_the_gradient_is_that_of_finite_differences(rng, channels):
    _, keys = some_voxels(rng, count=12, side=4)
    grids = Grids(keys)
    features = torch.from_numpy(rng.normal(size=(len(keys), channels))).requires_grad_()
    weight = torch.from_numpy(rng.normal(size=(27, channels, 2))).requires_grad_()
    pairs, rows = grids.kernel_map(3, 1, 2), len(grids.keys(2))
    assert torch.autograd.gradcheck(lambda f, w: convolve(f, w, pairs, rows), (features, weight))


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_offsets_are_in_minkowski_engines_order(kernel):
    assert offsets(kernel) == cube(kernel)


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="expected an odd kernel, found 2"):
        offsets(2)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 50))
def test_points_come_to_the_voxels_that_hold_them(seed, count):
    rng = np.random.default_rng(seed)
    points, voxel = rng.normal(size=(count, 3)), float(rng.uniform(0.1, 2))
    keys, place = voxelise(torch.from_numpy(points), voxel)
    assert torch.equal(keys, keys.unique())
    expected = np.floor(points / voxel).astype(int)
    found = positions(keys)[place].numpy()
    assert (found - found.min(axis=0) == expected - expected.min(axis=0)).all()
    assert torch.equal(place.unique(), torch.arange(len(keys)))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 4, 8]))
def test_coarser_keys_are_those_of_floored_positions_in_order(seed, stride):
    _, keys = some_voxels(np.random.default_rng(seed), side=30)
    found = [tuple(voxel) for voxel in positions(strided(keys, stride)).tolist()]
    assert found == coarser(positions(keys).tolist(), stride)


def test_the_far_ends_of_the_longest_cloud_are_no_neighbours():
    ends = torch.tensor([[0.0, 0, 0], [0, 0, LONGEST - 1], [0, LONGEST - 1, 0], [LONGEST - 1, 0, 0]]).double() + 0.5
    keys, _ = voxelise(ends, 1.0)
    pairs = Grids(keys).kernel_map(7, 1, 1)
    assert sum(len(inputs) for inputs, _ in pairs) == len(keys)  # each sees itself only
    assert positions(keys).max() - positions(keys).min() == LONGEST - 1


def test_a_cloud_of_more_voxels_than_a_key_holds_is_one_line():
    with pytest.raises(ValueError, match=rf"at most {LONGEST} voxels a side, found {LONGEST + 1} of 1.0"):
        voxelise(torch.tensor([[0.0, 0, 0], [LONGEST, 0, 0]]), 1.0)


@pytest.mark.parametrize("points", [np.empty((0, 3)), np.array([[0, np.nan, 0]]), np.array([[0, 0, np.inf]])])
def test_clouds_without_voxels_are_one_line(points):
    with pytest.raises(ValueError, match="expected finite coordinates of a point or more") as caught:
        voxelise(torch.from_numpy(points), 0.1)
    assert "\n" not in str(caught.value)


def test_a_kernel_map_is_found_once(rng, monkeypatch):
    grids = Grids(some_voxels(rng)[1])
    first = grids.kernel_map(3, 1, 2)
    monkeypatch.setattr(sparse, "kernel_map", None)
    assert grids.kernel_map(3, 1, 2) is first
    back = grids.kernel_map(3, 2, 1)
    assert all(a is d and b is c for (a, b), (c, d) in zip(first, back, strict=True))


def test_a_kernel_that_reaches_beyond_the_margin_is_refused():
    keys = torch.tensor([0])
    with pytest.raises(ValueError, match="reach of at most 16 voxels, found 24"):
        kernel_map(keys, keys, 7, 8)
