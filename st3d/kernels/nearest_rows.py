"""The nearest rows of a bank of descriptors, exactly.

Letters: b rows of the bank, q queries, d numbers of a row, k nearest rows.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from st3d.kernels.native import declared, in_ranges, library

_arrange = declared(library.st3d_rows_arrange, "f4[2] i8 i8 i8 f4[3] i8[2] f4[4] f4[3]")
_nearest = declared(
    library.st3d_rows_nearest, "f4[2] f4[2] f4[2] i8 i8 i8 f4[3] i8[2] f4[4] f4[3] i8 i8 f8 f8[2] i8[2]"
)

LEAF, GROUP, BOX = 32, 16, 8  # rows of a leaf, leaves of a group, axes of a box, as in rows.c
PRODUCTS_AT_ONCE = 2**26  # of a block of queries with the whole bank, on a GPU: 256 MB
DIFFERENCES_AT_ONCE = 2**24
MORE = 8  # candidates beside the k nearest, on a GPU


class Near(NamedTuple):
    """The nearest rows of some queries.

    Attributes
    ----------
    distance
        (q, k) float32, Euclidean, rising, in the rows' unit.
    row
        (q, k) int64; of equal distances the lowest row comes first.
    """

    distance: Tensor
    row: Tensor


class NearestRows:
    """A bank, prepared for searches.

    Parameters
    ----------
    bank
        (b, d) float32, finite; on the device where the searches run.

    Raises
    ------
    ValueError
        If the bank has no rows or columns, or numbers that are not finite.

    Notes
    -----
    On the CPU leaves of a k-d tree over the bank's principal axes, skipped by bounds (`st3d/kernels/src/rows.c`): some
    hundred times fewer differences than all, where a bank's rows vary along a few axes, as descriptors do. On a GPU
    matrix products in blocks, |a - b|^2 = |a|^2 - 2 ab + |b|^2. Both measure candidates anew by their true differences,
    in float64, and take as many that rounding can hide none: the same results on any device, in any blocks.
    """

    def __init__(self, bank: Tensor) -> None:
        if bank.ndim != 2 or 0 in bank.shape:
            raise ValueError(f"NearestRows: expected a bank of shape (b, d), found {tuple(bank.shape)}")
        if not torch.isfinite(bank).all():
            raise ValueError("NearestRows: expected finite numbers in the bank, found NaN or infinity")
        self.bank = bank.float().contiguous()
        self._mean = self.bank.double().mean(dim=0)
        centred = self.bank.double() - self._mean
        self._farthest = float(centred.square().sum(dim=1).max().sqrt())
        if bank.device.type == "cpu":
            _, axes = torch.linalg.eigh(centred.T @ centred)
            self._axes = axes.flip(1)  # those of the largest variance first
            rotated = (centred @ self._axes).float().numpy()
            b, d = rotated.shape
            leaves = max(GROUP, 1 << (-(-b // LEAF) - 1).bit_length())
            self._leaves = (
                np.empty((leaves, d, LEAF), np.float32),
                np.empty((leaves, LEAF), np.int64),
                np.empty((leaves // GROUP, 2, BOX, GROUP), np.float32),
                np.empty((2, BOX, leaves // GROUP), np.float32),
            )
            if _arrange(rotated, b, d, leaves, *self._leaves):
                raise MemoryError(f"NearestRows: no memory for {b} rows")
        else:
            self._centred = centred.float()
            self._squared = self._centred.square().sum(dim=1)

    def __call__(self, queries: Tensor, k: int = 1) -> Near:
        """The nearest rows.

        Parameters
        ----------
        queries
            (q, d) float32, finite, on the bank's device.
        k
            In [1, b].

        Returns
        -------
        Near

        Raises
        ------
        ValueError
            If `k` or a shape does not fit the bank, or a number is not finite.
        """
        b, d = self.bank.shape
        if queries.ndim != 2 or queries.shape[1] != d:
            raise ValueError(f"NearestRows: expected queries of shape (q, {d}), found {tuple(queries.shape)}")
        if not 1 <= k <= b:
            raise ValueError(f"NearestRows: expected k in [1, {b}], found {k}")
        if not torch.isfinite(queries).all():
            raise ValueError("NearestRows: expected finite numbers in the queries, found NaN or infinity")
        queries = queries.float().contiguous()
        return self._by_leaves(queries, k) if queries.device.type == "cpu" else self._by_products(queries, k)

    def _by_leaves(self, queries: Tensor, k: int) -> Near:
        """On the CPU."""
        q, d = queries.shape
        centred = queries.double() - self._mean
        rotated = (centred @ self._axes).float().numpy()
        farthest = float(centred.square().sum(dim=1).max().sqrt()) if q else 0.0
        slack = 4 * torch.finfo(torch.float32).eps * (self._farthest + farthest)  # what rounding moved, and some more
        squared, row = np.empty((q, k)), np.empty((q, k), np.int64)
        given = (queries.numpy(), rotated, self.bank.numpy(), d)
        leaves = len(self._leaves[1])

        def search(start: int, stop: int) -> None:
            if _nearest(*given, start, stop, *self._leaves, leaves, k, slack, squared, row):
                raise MemoryError(f"NearestRows: no memory for {leaves} leaves")

        in_ranges(search, q, 16)
        return Near(torch.from_numpy(squared).sqrt().float(), torch.from_numpy(row))

    def _by_products(self, queries: Tensor, k: int) -> Near:
        """On a GPU."""
        b = len(self.bank)
        if not len(queries):
            return Near(queries.new_empty(0, k), torch.empty(0, k, dtype=torch.int64, device=queries.device))
        found = [self._block(block, k) for block in queries.split(max(1, PRODUCTS_AT_ONCE // b))]
        return Near(torch.cat([each.distance for each in found]), torch.cat([each.row for each in found]))

    def _block(self, queries: Tensor, k: int) -> Near:
        """Of some queries: candidates by products, then their true differences."""
        b, d = self.bank.shape
        centred = (queries.double() - self._mean).float()
        own = centred.square().sum(dim=1)
        squared = torch.addmm(self._squared, centred, self._centred.T, alpha=-2)  # without |query|^2
        taken = min(k + MORE, b)
        about, row = squared.topk(taken, dim=1, largest=False)
        near = self._measured(queries, row, k)
        if taken == b:
            return near
        # a row that was not taken is at least as far as the last one taken, but for rounding
        rounding = 4 * (d + 8) * torch.finfo(torch.float32).eps * (own + self._farthest**2)
        unsure = (about[:, -1] + own - rounding <= near.distance[:, -1].square()).nonzero()[:, 0]
        every = torch.arange(b, device=queries.device)[None]
        for index in unsure.tolist():  # of many equal rows
            one = self._measured(queries[index : index + 1], every, k)
            near.distance[index], near.row[index] = one.distance[0], one.row[0]
        return near

    def _measured(self, queries: Tensor, row: Tensor, k: int) -> Near:
        """The k nearest of the candidates `row` (q, c), by true differences."""
        q, candidates = row.shape
        row = row.sort(dim=1).values  # the lowest first, which a stable sort by distance keeps
        squared = torch.empty(q, candidates, dtype=torch.float64, device=queries.device)
        at_once = max(1, DIFFERENCES_AT_ONCE // queries.shape[1])
        for start in range(0, candidates, step := max(1, at_once // q)):
            rows = self.bank[row[:, start : start + step]].double()
            squared[:, start : start + step] = (rows - queries[:, None].double()).square().sum(dim=2)
        squared, order = squared.sort(dim=1, stable=True)
        return Near(squared[:, :k].sqrt().float(), row.gather(1, order[:, :k]))


def nearest_rows(queries: Tensor, bank: Tensor, k: int = 1) -> Near:
    """The nearest rows of a bank that is searched once.

    Parameters
    ----------
    queries
        (q, d) float32, finite.
    bank
        (b, d) float32, finite, on the same device.
    k
        In [1, b].

    Returns
    -------
    Near, as of `NearestRows`

    Raises
    ------
    ValueError
        As `NearestRows`.

    Examples
    --------
    >>> bank = torch.tensor([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]])
    >>> nearest_rows(torch.zeros(1, 2), bank, k=3)
    Near(distance=tensor([[0., 1., 5.]]), row=tensor([[0, 2, 1]]))
    """
    return NearestRows(bank)(queries, k)
