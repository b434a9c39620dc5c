"""Local feature aggregation without an (n, k, c) tensor: one kernel per device, with its gradients.

Letters: n points, k neighbours, c channels, g geometry numbers per edge, h aggregations still to come.
"""

import ctypes
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from st3d.native import address, in_blocks, in_ranges, library
from st3d.points import within_hops

MOST_NEIGHBOURS = 1024  # the C kernels keep a point's edges on the stack
BLOCK = 1024  # points per call of a C kernel: the grain of threads and of partial sums, so part of the result's bits


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
        self._set(points.detach().to(torch.float32).contiguous(), near, near.cpu().numpy(), ())

    def _set(self, points: Tensor, neighbours: Tensor, on_host: NDArray[np.int32], counts: Sequence[int]) -> None:
        self.points, self.neighbours, self._on_host, self._counts = points, neighbours, on_host, counts
        self._reverse: tuple[Tensor, Tensor] | None = None

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
        library.st3d_renumber(
            address(near, np.int32),
            ctypes.c_int64(near.shape[1]),
            address(reached.place, np.int32),
            address(reached.order, np.int32),
            ctypes.c_int64(rows),
            address(renumbered, np.int32),
        )
        device = self.points.device
        part = object.__new__(type(self))  # its indices need no check
        part.rows = np.arange(len(at))
        points = self.points[torch.from_numpy(reached.order).to(device)]
        part._set(points, torch.from_numpy(renumbered).to(device), renumbered, reached.counts.tolist())
        return part

    def field(self, index: int, hops: int) -> Tensor:
        """Points (r, 3) that lie within `hops` edges of point `index`."""
        order = within_hops(self._on_host, np.array([index]), hops, len(self.points)).order
        return self.points[torch.from_numpy(np.sort(order)).to(self.points.device)]

    def turned(self, rotation: NDArray[np.float64]) -> Self:
        """The same graph of the points turned by the matrix `rotation` (3, 3)."""
        other = object.__new__(type(self))
        other.rows = self.rows
        turned = self.points.double() @ torch.from_numpy(rotation.T.copy()).to(self.points.device)
        other._set(turned.float(), self.neighbours, self._on_host, self._counts)
        other._reverse = self.reverse()
        return other

    def reverse(self) -> tuple[Tensor, Tensor]:
        """Offsets (n + 1,) int64 and sources int32: who has point j as a neighbour, rising."""
        if self._reverse is None:
            (rows, k), n = self.neighbours.shape, len(self.points)
            offsets, sources = np.empty(n + 1, np.int64), np.empty(rows * k, np.int32)
            library.st3d_reverse(
                address(self._on_host, np.int32),
                *(ctypes.c_int64(size) for size in (rows, k, n)),
                address(offsets, np.int64),
                address(sources, np.int32),
            )
            device = self.points.device
            self._reverse = torch.from_numpy(offsets).to(device), torch.from_numpy(sources).to(device)
        return self._reverse


def aggregate(graph: Graph, hops: int, weight: Tensor, bias: Tensor, features: Tensor, slope: float) -> Tensor:
    """Mean over neighbours of LeakyReLU(G W + b), beside the mean of the neighbours' features.

    Parameters
    ----------
    graph : whose first `graph.needed(hops)` points are computed
    hops : aggregations still to come
    weight : (g, c); g = 4: p - q and its length; g = 10: p and q follow
    bias : (c,), c a multiple of 4
    features : (graph.needed(hops + 1), c); or (1, c), which stands for all points
    slope : of the LeakyReLU

    Returns
    -------
    (graph.needed(hops), 2 c); differentiable in weight, bias and features
    """
    kernel = _AggregationOnCpu if features.device.type == "cpu" else _AggregationOnGpu
    return kernel.apply(graph, graph.needed(hops), weight, bias, features, slope)


class _AggregationOnCpu(torch.autograd.Function):
    """st3d/native_src/aggregate.c."""

    @staticmethod
    def forward(
        ctx: Any, graph: Graph, rows: int, weight: Tensor, bias: Tensor, features: Tensor, slope: float
    ) -> Tensor:
        c = weight.shape[1]
        weight, features = weight.contiguous(), features.contiguous()
        ctx.graph, ctx.slope, ctx.targets = graph, slope, len(features)
        ctx.save_for_backward(weight, bias)
        out = torch.empty(rows, 2 * c)
        arguments = (
            *_edges(graph, weight, bias),
            address(features.detach().numpy(), np.float32),
            ctypes.c_int64(0 if len(features) == 1 else c),
            ctypes.c_int64(c),
            ctypes.c_float(slope),
            address(out.numpy(), np.float32),
        )
        in_ranges(lambda a, b: library.st3d_aggregate(*arguments, ctypes.c_int64(a), ctypes.c_int64(b)), rows, BLOCK)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor, Tensor, Tensor | None, None]:
        weight, bias = ctx.saved_tensors
        graph: Graph = ctx.graph
        (g, c), rows = weight.shape, len(gradient)
        gradient = gradient.contiguous()
        sums = np.zeros((-(-rows // BLOCK), g + 1, c), np.float32)  # one sum per block: equal for any threads
        above = address(gradient.numpy(), np.float32)
        arguments = (*_edges(graph, weight, bias), ctypes.c_int64(c), ctypes.c_float(ctx.slope), above)

        def weights(start: int, stop: int) -> None:
            into = address(sums[start // BLOCK], np.float32)
            library.st3d_aggregate_weights(*arguments, into, ctypes.c_int64(start), ctypes.c_int64(stop))

        in_blocks(weights, rows, BLOCK)
        total = torch.from_numpy(sums.sum(axis=0, dtype=np.float64).astype(np.float32))
        return None, None, total[:g], total[g], _to_features(ctx, gradient), None


def _edges(graph: Graph, weight: Tensor, bias: Tensor) -> tuple[Any, ...]:
    """The arguments that the C kernels make the edges' MLP from."""
    return (
        address(graph.points.numpy(), np.float32),
        address(graph.neighbours.numpy(), np.int32),
        ctypes.c_int64(graph.neighbours.shape[1]),
        ctypes.c_int64(len(weight)),
        address(weight.detach().numpy(), np.float32),
        address(bias.detach().numpy(), np.float32),
    )


def _to_features(ctx: Any, gradient: Tensor) -> Tensor | None:
    """The features' gradient on the CPU: a gather over the reversed graph, no atomics; None if nobody asks."""
    if not ctx.needs_input_grad[4]:
        return None
    c, k = gradient.shape[1] // 2, ctx.graph.neighbours.shape[1]
    if ctx.targets == 1:
        return gradient[:, c:].sum(dim=0, keepdim=True)
    offsets, sources = ctx.graph.reverse()
    result = torch.empty(ctx.targets, c)
    arguments = (
        address(offsets.numpy(), np.int64),
        address(sources.numpy(), np.int32),
        *(ctypes.c_int64(size) for size in (len(gradient), k)),
        address(gradient.numpy(), np.float32),
        ctypes.c_int64(c),
        address(result.numpy(), np.float32),
    )
    in_ranges(
        lambda a, b: library.st3d_aggregate_features(*arguments, ctypes.c_int64(a), ctypes.c_int64(b)),
        ctx.targets,
        BLOCK,
    )
    return result


class _AggregationOnGpu(torch.autograd.Function):
    """st3d/aggregation_triton.py."""

    @staticmethod
    def forward(
        ctx: Any, graph: Graph, rows: int, weight: Tensor, bias: Tensor, features: Tensor, slope: float
    ) -> Tensor:
        from st3d import aggregation_triton as kernels  # Triton is there where CUDA is

        weight, features = weight.contiguous(), features.contiguous()
        ctx.graph, ctx.slope, ctx.targets = graph, slope, len(features)
        ctx.save_for_backward(weight, bias)
        return kernels.aggregate(graph.points, graph.neighbours, weight, bias, features, rows, slope)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor, Tensor, Tensor | None, None]:
        from st3d import aggregation_triton as kernels

        weight, bias = ctx.saved_tensors
        graph: Graph = ctx.graph
        g, c = weight.shape
        gradient = gradient.contiguous()
        total = kernels.aggregate_weights(graph.points, graph.neighbours, weight, bias, gradient, ctx.slope)
        to_features = None
        if ctx.needs_input_grad[4] and ctx.targets == 1:
            to_features = gradient[:, c:].sum(dim=0, keepdim=True)
        elif ctx.needs_input_grad[4]:
            k = graph.neighbours.shape[1]
            to_features = kernels.aggregate_features(*graph.reverse(), gradient, k, ctx.targets)
        return None, None, total[:g], total[g], to_features, None
