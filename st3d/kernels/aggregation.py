"""Local feature aggregation without an (n, k, c) tensor: one kernel per device, with its gradients.

Letters: n points, k neighbours, c channels, g geometry numbers per edge.
"""

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from st3d.kernels import aggregation_cpu
from st3d.kernels.graph import Graph


def aggregate(graph: Graph, hops: int, weight: Tensor, bias: Tensor, features: Tensor, slope: float) -> Tensor:
    """Mean over neighbours of LeakyReLU(G W + b), beside the mean of the neighbours' features.

    Parameters
    ----------
    graph
        n points p with k neighbours q each; the first m = graph.num_needed(hops) points are computed.
    hops
        Aggregations that follow this one.
    weight
        (g, c) float32. Per edge G has g = 4 numbers, p - q and its length, or g = 10: p and q follow.
    bias
        (c,) float32, c a multiple of 4.
    features
        (graph.num_needed(hops + 1), c) float32; or (1, c), one row that stands for all points.
    slope
        Of the LeakyReLU.

    Returns
    -------
    (m, 2 c) float32, differentiable in weight, bias and features. On the CPU the bits do not depend on the number of
    threads.

    Notes
    -----
    Bergmann and Sattlegger, "Anomaly Detection in 3D Point Clouds using Deep Geometric Descriptors", section 3.1 and
    Figure 4; Hu et al., "RandLA-Net", CVPR 2020.
    """
    return Aggregation.apply(graph, graph.num_needed(hops), weight, bias, features, slope)


def _kernels(device: torch.device) -> ModuleType:
    """The module that computes on `device`; Triton is installed where CUDA is."""
    if device.type == "cpu":
        return aggregation_cpu
    from st3d.kernels import aggregation_triton

    return aggregation_triton


class Aggregation(torch.autograd.Function):
    """`aggregate` as torch's autograd function: its value and its gradients."""

    @staticmethod
    def forward(
        ctx: Any, graph: Graph, rows: int, weight: Tensor, bias: Tensor, features: Tensor, slope: float
    ) -> Tensor:
        """(rows, 2 c) float32, see `aggregate`; `weight` and `bias` are kept for `backward`."""
        weight, features = weight.contiguous(), features.contiguous()
        ctx.graph, ctx.slope, ctx.targets = graph, slope, len(features)
        ctx.save_for_backward(weight, bias)
        kernels = _kernels(features.device)
        return kernels.aggregate(graph.points, graph.neighbours, weight, bias, features, rows, slope)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor, Tensor, Tensor | None, None]:
        """Gradients of weight (g, c), bias (c,) and, if asked for, features, from that of the result (rows, 2 c)."""
        weight, bias = ctx.saved_tensors
        graph, gradient, kernels = ctx.graph, gradient.contiguous(), _kernels(gradient.device)
        g, c = weight.shape
        total = kernels.aggregate_weights(graph.points, graph.neighbours, weight, bias, gradient, ctx.slope)
        to_features = None
        if ctx.needs_input_grad[4] and ctx.targets == 1:
            to_features = gradient[:, c:].sum(dim=0, keepdim=True)
        elif ctx.needs_input_grad[4]:
            k = graph.neighbours.shape[1]
            to_features = kernels.aggregate_features(*graph.reverse(), gradient, k, ctx.targets)
        return None, None, total[:g], total[g], to_features, None
