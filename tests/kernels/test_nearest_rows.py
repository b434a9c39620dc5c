import numpy as np
import pytest
import reference_rows as reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from st3d.kernels import native
from st3d.kernels.nearest_rows import LEAF, NearestRows, nearest_rows

# few distinct values, so that equal distances and equal rows are common
WIDTHS = st.shared(st.integers(1, 11), key="d")


def lattice(most):
    shapes = st.tuples(st.integers(1, most), WIDTHS)
    return shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=st.integers(-2, 2).map(float)))


class ByProducts(NearestRows):
    """The GPU's way, on the CPU."""

    def __init__(self, bank):
        super().__init__(bank)
        self._centred = (self.bank.double() - self._mean).float()
        self._squared = self._centred.square().sum(dim=1)

    def _by_leaves(self, queries, k):
        return self._by_products(queries, k)


WAYS = [NearestRows, ByProducts]


def same(found, queries, bank, k):
    distance, row = reference.nearest_rows(queries, bank, k)
    return np.array_equal(found.row.numpy(), row) and np.allclose(found.distance.numpy(), distance, rtol=1e-6, atol=0)


@pytest.mark.parametrize("way", WAYS)
@given(lattice(200), lattice(20), st.data())
@settings(deadline=None)
def test_the_nearest_rows_are_those_of_the_full_matrix_even_among_ties(way, bank, queries, data):
    k = data.draw(st.integers(1, len(bank)))
    assert same(way(torch.from_numpy(bank))(torch.from_numpy(queries), k), queries, bank, k)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("offset, spread", [(0, 1), (1000, 1), (0, 1e-4), (-5e4, 1e3)])
def test_the_nearest_rows_are_those_of_the_full_matrix_at_any_scale(rng, way, offset, spread):
    axes = rng.standard_normal((5, 33))  # of few directions, as descriptors are
    bank, queries = (
        (offset + spread * (rng.standard_normal((n, 5)) @ axes + 0.1 * rng.standard_normal((n, 33)))).astype(np.float32)
        for n in (3000, 200)
    )
    assert same(way(torch.from_numpy(bank))(torch.from_numpy(queries), 7), queries, bank, 7)


@pytest.mark.parametrize("way", WAYS)
def test_a_row_of_the_bank_is_its_own_nearest_at_distance_0(rng, way):
    bank = torch.from_numpy(rng.standard_normal((500, 33)).astype(np.float32) + 100)
    found = way(bank)(bank, 1)
    assert torch.equal(found.row[:, 0], torch.arange(500)) and not found.distance.any()


@pytest.mark.parametrize("way", WAYS)
def test_of_equal_rows_the_lowest_come_first(way):
    bank = torch.zeros(300, 4)
    bank[7] = 1
    found = way(bank)(torch.zeros(2, 4), 9)
    assert found.row.tolist() == [[0, 1, 2, 3, 4, 5, 6, 8, 9]] * 2
    assert way(bank)(torch.ones(1, 4), 2).row.tolist() == [[7, 0]]


def test_threads_and_the_number_of_queries_change_no_bit(rng):
    bank = torch.from_numpy(rng.random((4000, 33)).astype(np.float32))
    queries = torch.from_numpy(rng.random((700, 33)).astype(np.float32))
    search = NearestRows(bank)
    whole = search(queries, 3)
    try:
        native.set_threads(2)
        again = search(queries, 3)
    finally:
        native.set_threads(1)
    part = search(queries[100:110], 3)
    for one, two, three in zip(whole, again, part, strict=True):
        assert torch.equal(one, two) and torch.equal(one[100:110], three)


def test_blocks_of_products_change_nothing(rng, monkeypatch):
    bank = torch.from_numpy(rng.integers(0, 3, (300, 6)).astype(np.float32))
    queries = torch.from_numpy(rng.integers(0, 3, (40, 6)).astype(np.float32))
    expected = ByProducts(bank)(queries, 5)
    monkeypatch.setattr("st3d.kernels.nearest_rows.PRODUCTS_AT_ONCE", 3 * 300)
    monkeypatch.setattr("st3d.kernels.nearest_rows.DIFFERENCES_AT_ONCE", 50)
    assert all(torch.equal(one, two) for one, two in zip(ByProducts(bank)(queries, 5), expected, strict=True))


@pytest.mark.parametrize("b", [1, 2, LEAF, LEAF + 1, 16 * LEAF, 16 * LEAF + 1])
def test_banks_of_any_size_are_searched_whole(rng, b):
    bank, queries = (rng.random((n, 3)).astype(np.float32) for n in (b, 10))
    assert same(nearest_rows(torch.from_numpy(queries), torch.from_numpy(bank), b), queries, bank, b)


def test_no_queries_have_no_nearest_rows():
    for way in WAYS:
        found = way(torch.zeros(4, 3))(torch.zeros(0, 3), 2)
        assert found.distance.shape == found.row.shape == (0, 2)


@pytest.mark.parametrize(
    "queries, bank, k, message",
    [
        (torch.zeros(2, 3), torch.zeros(0, 3), 1, r"expected a bank of shape \(b, d\), found \(0, 3\)"),
        (torch.zeros(2, 4), torch.zeros(5, 3), 1, r"expected queries of shape \(q, 3\), found \(2, 4\)"),
        (torch.zeros(2, 3), torch.zeros(5, 3), 6, r"expected k in \[1, 5\], found 6"),
        (torch.zeros(2, 3), torch.full((5, 3), torch.nan), 1, "expected finite numbers in the bank"),
        (torch.full((2, 3), torch.inf), torch.zeros(5, 3), 1, "expected finite numbers in the queries"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_line(queries, bank, k, message):
    with pytest.raises(ValueError, match=message):
        nearest_rows(queries, bank, k)
