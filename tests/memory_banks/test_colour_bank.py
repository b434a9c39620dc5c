"""The bank of colours: which cells go with a patch, and how far they are from those of other scans."""

import numpy as np
import pytest
import reference_rows as reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from st3d.memory_banks.colour_bank import cells_of, joined, residuals, scan_colours


def plain_cells(pixel, size):
    """Cells two away from each that has a point of the patch."""
    side, found = size // 28, set()
    for place in pixel.tolist():
        row, column = place // size // side, place % size // side
        for down, right in ((-2, 0), (2, 0), (0, -2), (0, 2)):
            found.add(min(max(row + down, 0), 27) * 28 + min(max(column + right, 0), 27))
    return sorted(found)


@given(st.integers(0, 10**6), st.sampled_from([28, 112, 224]))
@settings(deadline=None, max_examples=20)
def test_the_cells_of_a_patch_lie_two_cells_off_its_own(seed, size):
    pixel = np.random.default_rng(seed).integers(size * size, size=(4, 9))
    for found, own in zip(cells_of(pixel, size), pixel, strict=True):
        assert found.tolist() == plain_cells(own, size)


def test_cells_beyond_an_edge_are_those_at_it_and_not_of_the_next_row():
    right = np.array([[112 * 13 + 111]])  # row 3, column 27
    assert cells_of(right, 112)[0].tolist() == [28 + 27, 3 * 28 + 25, 3 * 28 + 27, 5 * 28 + 27]


@pytest.fixture
def scans(rng):
    """Of three scans features of all cells, and the cells of two, one and three patches."""
    cells = [[[3, 5], [5, 700]], [[0]], [[1, 2], [2], [3, 783]]]
    return [
        (torch.from_numpy(rng.random((784, 6)).astype(np.float32)), [np.array(each) for each in patches])
        for patches in cells
    ]


def test_the_bank_keeps_the_cells_that_patches_have_and_which_are_whose(scans):
    bank = joined([scan_colours(*each) for each in scans])
    expected = [(0, 3), (0, 5), (0, 700), (1, 0), (2, 1), (2, 2), (2, 3), (2, 783)]
    assert torch.equal(bank.features, torch.stack([scans[scan][0][cell] for scan, cell in expected]))
    patch = 0
    for features, patches in scans:
        for cells in patches:
            rows = bank.rows_of(torch.tensor([patch]))
            assert torch.equal(bank.features[rows], features[torch.from_numpy(cells)])
            patch += 1
    assert bank.rows_of(torch.tensor([[0, 1], [1, 3]])).tolist() == [0, 1, 2, 4, 5]


def test_a_residual_is_what_matching_pursuit_leaves_of_a_cells_feature(rng):
    features = torch.from_numpy(rng.random((784, 16)).astype(np.float32))
    bank = torch.from_numpy(rng.random((60, 16)).astype(np.float32))
    cells = np.array([0, 7, 30, 783])
    found = residuals(features, cells, bank, 5, 3)
    assert found.shape == (28, 28) and np.isfinite(found).sum() == 4
    for cell in cells:
        own = features[cell].double().numpy()
        near = np.argsort(np.linalg.norm(bank.numpy() - own, axis=1))[:5]
        fit, _ = reference.matching_pursuit(own, bank.numpy()[near].astype(np.float64), 3)
        assert found.flat[cell] == pytest.approx(np.linalg.norm(own - fit), rel=1e-4)


def test_a_small_bank_is_taken_whole(rng):
    features = torch.from_numpy(rng.random((784, 16)).astype(np.float32))
    found = residuals(features, np.array([4]), features[4:5], 5, 3)
    assert found.flat[4] == pytest.approx(0, abs=1e-6)
