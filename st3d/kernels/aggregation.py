"""Local feature aggregation without an (n, k, c) tensor: one kernel per device, with its gradients.

Letters: n points, k neighbours, c channels, g geometry numbers per edge, h aggregations still to come.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from st3d.kernels.graph import Graph
from st3d.kernels.native import declared, in_ranges, library

_aggregate = declared(library.st3d_aggregate, "f4[2] i4[2] i8 i8 f4[2] f4[1] f4[2] i8 i8 f4 f4[2] i8 i8")
_aggregate_weights = declared(
    library.st3d_aggregate_weights, "f4[2] i4[2] i8 i8 f4[2] f4[1] i8 f4 f4[2] i8 f4[3] i8 i8 i8"
)
_aggregate_features = declared(library.st3d_aggregate_features, "i8[1] i4[1] i8 i8 f4[2] i8 f4[2] i8 i8")

BLOCK = 1024  # points per call of a C kernel: the grain of threads and of partial sums, so part of the result's bits


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
    """kernels/src/aggregate.c."""

    @staticmethod
    def forward(
        ctx: Any, graph: Graph, rows: int, weight: Tensor, bias: Tensor, features: Tensor, slope: float
    ) -> Tensor:
        c = weight.shape[1]
        weight, features = weight.contiguous(), features.contiguous()
        ctx.graph, ctx.slope, ctx.targets = graph, slope, len(features)
        ctx.save_for_backward(weight, bias)
        out = torch.empty(rows, 2 * c)
        given = features.detach().numpy(), 0 if len(features) == 1 else c, c, slope, out.numpy()
        edges = _edges(graph, weight, bias)
        in_ranges(lambda start, stop: _aggregate(*edges, *given, start, stop), rows, BLOCK)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor, Tensor, Tensor | None, None]:
        weight, bias = ctx.saved_tensors
        graph: Graph = ctx.graph
        (g, c), rows = weight.shape, len(gradient)
        gradient = gradient.contiguous()
        sums = np.zeros((-(-rows // BLOCK), g + 1, c), np.float32)  # one sum per block: equal for any threads
        given = *_edges(graph, weight, bias), c, ctx.slope, gradient.numpy(), rows, sums, BLOCK
        in_ranges(lambda first, last: _aggregate_weights(*given, first, last), len(sums), 1)
        total = torch.from_numpy(sums.sum(axis=0, dtype=np.float64).astype(np.float32))
        return None, None, total[:g], total[g], _to_features(ctx, gradient), None


def _edges(graph: Graph, weight: Tensor, bias: Tensor) -> tuple[Any, ...]:
    """The C kernels' arguments that describe the edges' MLP."""
    near = graph.neighbours.numpy()
    return graph.points.numpy(), near, near.shape[1], len(weight), weight.detach().numpy(), bias.detach().numpy()


def _to_features(ctx: Any, gradient: Tensor) -> Tensor | None:
    """The features' gradient on the CPU: a gather over the reversed graph, no atomics; None if nobody asks."""
    if not ctx.needs_input_grad[4]:
        return None
    c, k = gradient.shape[1] // 2, ctx.graph.neighbours.shape[1]
    if ctx.targets == 1:
        return gradient[:, c:].sum(dim=0, keepdim=True)
    offsets, sources = ctx.graph.reverse()
    result = torch.empty(ctx.targets, c)
    given = offsets.numpy(), sources.numpy(), len(gradient), k, gradient.numpy(), c, result.numpy()
    in_ranges(lambda start, stop: _aggregate_features(*given, start, stop), ctx.targets, BLOCK)
    return result


class _AggregationOnGpu(torch.autograd.Function):
    """kernels/aggregation_triton.py."""

    @staticmethod
    def forward(
        ctx: Any, graph: Graph, rows: int, weight: Tensor, bias: Tensor, features: Tensor, slope: float
    ) -> Tensor:
        from st3d.kernels import aggregation_triton as kernels  # Triton is there where CUDA is

        weight, features = weight.contiguous(), features.contiguous()
        ctx.graph, ctx.slope, ctx.targets = graph, slope, len(features)
        ctx.save_for_backward(weight, bias)
        return kernels.aggregate(graph.points, graph.neighbours, weight, bias, features, rows, slope)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor, Tensor, Tensor | None, None]:
        from st3d.kernels import aggregation_triton as kernels

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
