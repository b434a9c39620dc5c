"""A cloud and its nearest neighbours in the form that aggregations read.

Letters: n points, k neighbours, h aggregations still to come.
"""

from collections.abc import Sequence
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
    """A cloud and its neighbours in the form that the aggregation reads; made once per cloud.

    Parameters
    ----------
    points : (n, 3) float tensor, scaled
    neighbours : (n, k) integer tensor on the same device
    rows : (n,) where each point of the cloud stands in the graph; left out: where it stands in the cloud

    Raises
    ------
    ValueError
        If the shapes do not fit each other or an index lies outside the cloud.
    """

    def __init__(self, points: Tensor, neighbours: Tensor, rows: NDArray[np.int64] | None = None) -> None:
        n = len(points)
        self.rows = np.arange(n) if rows is None else rows
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
        self._set(points, near, near.cpu().numpy(), (), points.double().mean(dim=0))

    def _set(
        self, points: Tensor, neighbours: Tensor, on_host: NDArray[np.int32], counts: Sequence[int], centroid: Tensor
    ) -> None:
        self.points, self.neighbours, self._on_host, self._counts = points, neighbours, on_host, counts
        self._centroid = centroid  # (3,) float64, of the whole cloud in a part too
        self._reverse: tuple[Tensor, Tensor] | None = None
        self._centred: Self | None = None

    def needed(self, hops: int) -> int:
        """How many of the points, the first ones, the descriptors can depend on with `hops` aggregations to come."""
        return self._counts[hops] if self._counts else len(self.points)

    def around(self, at: NDArray[np.int64], hops: int) -> Self:
        """The part that the descriptors of the distinct points `at` (q,) depend on, `hops` aggregations deep.

        Its points come by their distance in edges, `at` first: each aggregation then works on a shorter prefix, and
        the descriptors of a graph around `at` are those of these q points alone.
        """
        near = self._on_host
        reached = within_hops(near, at, hops, len(self.points))
        rows = int(reached.counts[hops - 1])  # nobody asks for the neighbours of the outermost points
        renumbered = np.empty((rows, near.shape[1]), np.int32)
        _renumber(near, near.shape[1], reached.place, reached.order, rows, renumbered)
        device = self.points.device
        part = object.__new__(type(self))  # its indices need no check
        part.rows = np.arange(len(at))
        points = self.points[torch.from_numpy(reached.order).to(device)]
        part._set(points, torch.from_numpy(renumbered).to(device), renumbered, reached.counts.tolist(), self._centroid)
        return part

    def field(self, index: int, hops: int) -> Tensor:
        """Points (r, 3) that lie within `hops` edges of point `index`."""
        order = within_hops(self._on_host, np.array([index]), hops, len(self.points)).order
        return self.points[torch.from_numpy(np.sort(order)).to(self.points.device)]

    def rotated(self, rotation: NDArray[np.float64]) -> Self:
        """The same graph of the points rotated by the matrix `rotation` (3, 3)."""
        other = object.__new__(type(self))
        other.rows = self.rows
        turn = torch.from_numpy(rotation.T.copy()).to(self.points.device)
        points = (self.points.double() @ turn).float()
        other._set(points, self.neighbours, self._on_host, self._counts, self._centroid @ turn)
        other._reverse = self.reverse()
        return other

    def centred(self) -> Self:
        """The same graph of the points minus the centroid of the whole cloud, computed once."""
        if self._centred is None:
            self._centred = other = object.__new__(type(self))
            other.rows = self.rows
            points = (self.points.double() - self._centroid).float()
            other._set(points, self.neighbours, self._on_host, self._counts, torch.zeros_like(self._centroid))
            other._reverse = self._reverse
        return self._centred

    def reverse(self) -> tuple[Tensor, Tensor]:
        """Offsets (n + 1,) int64 and sources int32: who has point j as a neighbour, rising."""
        if self._reverse is None:
            (rows, k), n = self.neighbours.shape, len(self.points)
            offsets, sources = np.empty(n + 1, np.int64), np.empty(rows * k, np.int32)
            _reverse(self._on_host, rows, k, n, offsets, sources)
            device = self.points.device
            self._reverse = torch.from_numpy(offsets).to(device), torch.from_numpy(sources).to(device)
        return self._reverse
