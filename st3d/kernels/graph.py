"""A point cloud and its nearest neighbours in the form that aggregations read.

Letters: n points, k neighbours.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from st3d.kernels.native import declared, library
from st3d.kernels.points import within_hops

_renumber = declared(library.st3d_renumber, "i4[2] i8 i4[1] i4[1] i8 i4[2]")
_reverse = declared(library.st3d_reverse, "i4[2] i8 i8 i8 i8[1] i4[1]")

MOST_NEIGHBOURS = 1024  # the C kernels keep a point's edges on the stack


class Graph:
    """A point cloud with its directed graph of nearest neighbours; made once per cloud.

    Parameters
    ----------
    points
        (n, 3) float tensor, in units of the scale s.
    neighbours
        (n, k) integer tensor on the same device, k <= 1024: rows of `points`.
    row_of_point
        (n,) int64. The row of each of the cloud's points, where the rows are in another order than the cloud; None
        where they are not.

    Raises
    ------
    ValueError
        If the shapes do not fit each other or an index lies outside the cloud.
    """

    def __init__(self, points: Tensor, neighbours: Tensor, row_of_point: NDArray[np.int64] | None = None) -> None:
        n = len(points)
        self.row_of_point = np.arange(n) if row_of_point is None else row_of_point
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"network: expected points of shape (n, 3), found {tuple(points.shape)}")
        if neighbours.ndim != 2 or len(neighbours) != n or not 1 <= neighbours.shape[1] <= MOST_NEIGHBOURS:
            raise ValueError(
                f"network: expected neighbours of shape ({n}, 1 to {MOST_NEIGHBOURS}), found {tuple(neighbours.shape)}"
            )
        if n and not 0 <= int(neighbours.min()) <= int(neighbours.max()) < n:
            raise ValueError(f"network: expected neighbours in [0, {n}), found an index outside")
        near = neighbours.to(torch.int32).contiguous()
        points = points.detach().to(torch.float32).contiguous()
        centroid = points.double().mean(dim=0)
        spread = (points.double() - centroid).square().sum(dim=1).mean().sqrt().float()
        self._set(points, near, near.cpu().numpy(), (), centroid, spread)

    def _set(
        self,
        points: Tensor,
        neighbours: Tensor,
        on_host: NDArray[np.int32],
        counts: Sequence[int],
        centroid: Tensor,
        spread: Tensor,
    ) -> None:
        self.points, self.neighbours, self._on_host, self._counts = points, neighbours, on_host, counts
        self._centroid, self.spread = centroid, spread  # (3,) float64, () float32; of the whole cloud in a part too
        self._reverse: tuple[Tensor, Tensor] | None = None
        self._centred: Self | None = None

    def num_needed(self, hops: int) -> int:
        """How many points, always the first ones, need features where `hops` aggregations follow.

        Parameters
        ----------
        hops
            0 or more; of a subgraph at most its L.

        Returns
        -------
        int; n for a graph that is not a subgraph
        """
        return self._counts[hops] if self._counts else len(self.points)

    def subgraph(self, at: NDArray[np.int64], hops: int) -> Self:
        """The part that the descriptors of some points depend on.

        Parameters
        ----------
        at
            (q,) int64, distinct rows of `points`.
        hops
            L, the number of aggregations.

        Returns
        -------
        Graph
            Its points are sorted by their distance in edges, `at` first, so that each aggregation works on a shorter
            prefix; the descriptors of the subgraph are those of the q points alone.

        Raises
        ------
        ValueError
            If a point is in `at` twice.
        """
        near = self._on_host
        reached = within_hops(near, at, hops, len(self.points))
        rows = int(reached.counts[hops - 1])  # the neighbours of the outermost points are not read
        renumbered = np.empty((rows, near.shape[1]), np.int32)
        _renumber(near, near.shape[1], reached.place, reached.order, rows, renumbered)
        device = self.points.device
        part = object.__new__(type(self))  # its indices need no check
        part.row_of_point = np.arange(len(at))
        points = self.points[torch.from_numpy(reached.order).to(device)]
        part._set(
            points,
            torch.from_numpy(renumbered).to(device),
            renumbered,
            reached.counts.tolist(),
            self._centroid,
            self.spread,
        )
        return part

    def receptive_fields(self, count: int, hops: int) -> tuple[Tensor, list[int]]:
        """The points within some hops of each of the first points.

        Parameters
        ----------
        count
            q points, 1 or more; of a subgraph at most those that it was made for.
        hops
            Edges to follow at most, 0 or more; of a subgraph at most its L.

        Returns
        -------
        points
            (r, 3) float32, in units of s; the fields one after the other, each with its own point and in the order of
            their rows.
        offsets
            q + 1 numbers: where each field begins, and r.
        """
        n = len(self.points)
        fields = [np.sort(within_hops(self._on_host, np.array([index]), hops, n).order) for index in range(count)]
        rows = torch.from_numpy(np.concatenate(fields)).to(self.points.device)
        return self.points[rows], [0, *accumulate(map(len, fields))]

    def rotated(self, rotation: NDArray[np.float64]) -> Self:
        """The same graph with every point p as R p.

        Parameters
        ----------
        rotation
            (3, 3) float64, the rotation matrix R.

        Returns
        -------
        Graph
        """
        other = object.__new__(type(self))
        other.row_of_point = self.row_of_point
        matrix = torch.from_numpy(rotation.T.copy()).to(self.points.device)
        points = (self.points.double() @ matrix).float()
        other._set(points, self.neighbours, self._on_host, self._counts, self._centroid @ matrix, self.spread)
        other._reverse = self.reverse()
        return other

    def centred(self) -> Self:
        """The same graph of the points minus the centroid of the whole cloud, computed once."""
        if self._centred is None:
            self._centred = other = object.__new__(type(self))
            other.row_of_point = self.row_of_point
            points = (self.points.double() - self._centroid).float()
            zero = torch.zeros_like(self._centroid)
            other._set(points, self.neighbours, self._on_host, self._counts, zero, self.spread)
            other._reverse = self._reverse
        return self._centred

    def reverse(self) -> tuple[Tensor, Tensor]:
        """The reversed graph, made at the first call.

        Returns
        -------
        offsets
            (n + 1,) int64 tensor.
        sources
            (e,) int32 tensor, one entry per edge. sources[offsets[j] : offsets[j + 1]] are the rows that have point j
            as a neighbour, rising.
        """
        if self._reverse is None:
            (rows, k), n = self.neighbours.shape, len(self.points)
            offsets, sources = np.empty(n + 1, np.int64), np.empty(rows * k, np.int32)
            _reverse(self._on_host, rows, k, n, offsets, sources)
            device = self.points.device
            self._reverse = torch.from_numpy(offsets).to(device), torch.from_numpy(sources).to(device)
        return self._reverse
