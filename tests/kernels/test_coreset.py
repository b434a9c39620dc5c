import numpy as np
import pytest
import reference_rows as reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from st3d.kernels.coreset import _by_torch, coreset

WAYS = [coreset, _by_torch]  # on the CPU, and what a GPU runs
SHAPES = st.tuples(st.integers(1, 80), st.integers(1, 10))
LATTICE = SHAPES.flatmap(lambda shape: arrays(np.float32, shape, elements=st.integers(-2, 2).map(float)))


@pytest.mark.parametrize("way", WAYS)
@given(LATTICE, st.data())
@settings(deadline=None)
def test_the_rows_are_those_of_the_greedy_loop_even_among_ties(way, rows, data):
    count = data.draw(st.integers(1, len(rows)))
    assert np.array_equal(way(torch.from_numpy(rows), count).numpy(), reference.coreset(rows, count))


@pytest.mark.parametrize("way", WAYS)
def test_the_rows_are_those_of_the_greedy_loop_on_descriptors(rng, way):
    rows = (rng.standard_normal((600, 4)) @ rng.standard_normal((4, 33)) * 50).astype(np.float32)
    assert np.array_equal(way(torch.from_numpy(rows), 150).numpy(), reference.coreset(rows, 150))


def radius(rows, chosen):
    """The largest distance of a row to its nearest chosen one, by brute force."""
    return reference.nearest_rows(rows, rows[chosen], 1)[0].max()


def test_a_prefix_is_a_coreset_and_the_covering_radius_only_falls(rng):
    rows = rng.random((200, 5)).astype(np.float32)
    chosen = coreset(torch.from_numpy(rows), 200).numpy()
    assert chosen[0] == 0
    for count in (1, 2, 50):
        assert np.array_equal(coreset(torch.from_numpy(rows), count).numpy(), chosen[:count])
    radii = [radius(rows, chosen[:count]) for count in range(1, 201)]
    assert all(later <= earlier for earlier, later in zip(radii, radii[1:], strict=False)) and radii[-1] == 0
    for count in range(1, 200):  # each row chosen is one that was as far as the radius
        row, before = rows[chosen[count] : chosen[count] + 1], rows[chosen[:count]]
        assert reference.nearest_rows(row, before, 1)[0] == radii[count - 1]


def test_duplicates_are_taken_only_when_no_distinct_row_is_left(rng):
    distinct = rng.random((20, 3)).astype(np.float32)
    rows = torch.from_numpy(distinct[np.r_[np.zeros(30, int), np.arange(20), np.arange(20)]])
    for way in WAYS:
        chosen = way(rows, 40)
        assert len(torch.unique(rows[chosen[:20]], dim=0)) == 20
        assert len(torch.unique(chosen)) == 40


@pytest.mark.parametrize("rows, count", [(torch.zeros(3, 2), 0), (torch.zeros(3, 2), 4), (torch.zeros(3), 1)])
def test_more_rows_than_there_are_are_refused(rows, count):
    with pytest.raises(ValueError, match=r"coreset: expected rows \(b, d\) and count in \[1, b\], found"):
        coreset(rows, count)


def test_rows_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="coreset: expected finite numbers"):
        coreset(torch.tensor([[0.0], [torch.nan]]), 1)
