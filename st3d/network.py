"""The descriptor network and its decoder (Bergmann and Sattlegger, section 3.1 and Figure 4).

Letters: n points, k neighbours, d descriptor width, c channels inside a block, g geometry numbers per edge,
m reconstructed points, q descriptors to decode.
"""

import ctypes
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from st3d.native import address, in_ranges, library

Coordinates = Literal["relative", "absolute"]
SLOPE = 0.2  # of the network's LeakyReLU
DECODER_SLOPE = 0.05
DECODER_WIDTH = 128
AGGREGATIONS_PER_BLOCK = 2
MOST_NEIGHBOURS = 1024  # the C kernels keep a point's edges on the stack
BLOCK = 1024  # points per call of a C kernel: the grain of threads and of partial sums, so part of the result's bits


class Graph:
    """A cloud and its neighbours in the form that the aggregation reads; made once per forward pass.

    Parameters
    ----------
    points : (n, 3) float tensor, scaled
    neighbours : (n, k) integer tensor on the same device
    """

    def __init__(self, points: Tensor, neighbours: Tensor) -> None:
        n = len(points)
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"network: expected points of shape (n, 3), found {tuple(points.shape)}")
        if neighbours.ndim != 2 or len(neighbours) != n or not 1 <= neighbours.shape[1] <= MOST_NEIGHBOURS:
            raise ValueError(
                f"network: expected neighbours of shape ({n}, 1 to {MOST_NEIGHBOURS}), found {tuple(neighbours.shape)}"
            )
        self.points = points.detach().to(torch.float32).contiguous()
        self.neighbours = neighbours.to(torch.int32).contiguous()
        if n and (int(self.neighbours.min()) < 0 or int(self.neighbours.max()) >= n):
            raise ValueError(f"network: expected neighbours in [0, {n}), found an index outside")
        self._reverse: tuple[np.ndarray, np.ndarray] | None = None

    def reverse(self) -> tuple[np.ndarray, np.ndarray]:
        """Offsets (n + 1,) int64 and sources (n * k,) int32 of the reversed graph, sources rising; on the CPU."""
        if self._reverse is None:
            n, k = self.neighbours.shape
            offsets, sources = np.empty(n + 1, np.int64), np.empty(n * k, np.int32)
            library.st3d_reverse(
                address(self.neighbours.numpy(), np.int32),
                ctypes.c_int64(n),
                ctypes.c_int64(k),
                address(offsets, np.int64),
                address(sources, np.int32),
            )
            self._reverse = offsets, sources
        return self._reverse


class _AggregateOnCpu(torch.autograd.Function):
    """The fused kernel of st3d/native_src/aggregate.c; no (n, k, c) tensor forward or backward."""

    @staticmethod
    def forward(ctx: Any, graph: Graph, weight: Tensor, bias: Tensor, features: Tensor) -> Tensor:
        (n, k), c = graph.neighbours.shape, weight.shape[1]
        weight, features = weight.contiguous(), features.contiguous()
        ctx.graph = graph
        ctx.save_for_backward(weight, bias)
        out = torch.empty(n, 2 * c)
        arguments = (
            address(graph.points.numpy(), np.float32),
            address(graph.neighbours.numpy(), np.int32),
            ctypes.c_int64(k),
            ctypes.c_int64(len(weight)),
            address(weight.detach().numpy(), np.float32),
            address(bias.detach().numpy(), np.float32),
            address(features.detach().numpy(), np.float32),
            ctypes.c_int64(c),
            ctypes.c_float(SLOPE),
            address(out.numpy(), np.float32),
        )
        in_ranges(lambda a, b: library.st3d_aggregate(*arguments, ctypes.c_int64(a), ctypes.c_int64(b)), n, BLOCK)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        weight, bias = ctx.saved_tensors
        graph: Graph = ctx.graph
        (n, k), (g, c) = graph.neighbours.shape, weight.shape
        gradient = gradient.contiguous()
        gradient_address = address(gradient.numpy(), np.float32)
        sums = np.zeros((-(-n // BLOCK), g + 1, c), np.float32)  # one partial sum per block: equal for any threads

        def weights(start: int, stop: int) -> None:
            library.st3d_aggregate_weights(
                address(graph.points.numpy(), np.float32),
                address(graph.neighbours.numpy(), np.int32),
                ctypes.c_int64(k),
                ctypes.c_int64(g),
                address(weight.detach().numpy(), np.float32),
                address(bias.detach().numpy(), np.float32),
                ctypes.c_int64(c),
                ctypes.c_float(SLOPE),
                gradient_address,
                address(sums[start // BLOCK], np.float32),
                ctypes.c_int64(start),
                ctypes.c_int64(stop),
            )

        in_ranges(weights, n, BLOCK)
        offsets, sources = graph.reverse()
        to_features = torch.empty(n, c)
        arguments = (
            address(offsets, np.int64),
            address(sources, np.int32),
            ctypes.c_int64(k),
            gradient_address,
            ctypes.c_int64(c),
            address(to_features.numpy(), np.float32),
        )
        in_ranges(
            lambda a, b: library.st3d_aggregate_features(*arguments, ctypes.c_int64(a), ctypes.c_int64(b)), n, BLOCK
        )
        total = torch.from_numpy(sums.sum(axis=0, dtype=np.float64).astype(np.float32))
        return None, total[:g], total[g], to_features


def _aggregate_on_gpu(graph: Graph, weight: Tensor, bias: Tensor, features: Tensor) -> Tensor:
    """The same by torch's own operations; `torch.use_deterministic_algorithms` makes the gather's gradient exact."""
    near = graph.neighbours.long()  # (n, k)
    p, q = graph.points[:, None].expand(-1, near.shape[1], -1), graph.points[near]  # (n, k, 3)
    geometry = torch.cat([p - q, torch.linalg.vector_norm(p - q, dim=-1, keepdim=True)], dim=-1)  # (n, k, 4)
    if len(weight) > geometry.shape[-1]:
        geometry = torch.cat([geometry, p, q], dim=-1)  # (n, k, 10)
    local = functional.leaky_relu(geometry @ weight + bias, SLOPE)  # (n, k, c)
    return torch.cat([local.mean(dim=1), features[near].mean(dim=1)], dim=-1)  # (n, 2 c)


class LocalFeatureAggregation(nn.Module):
    """LFA(c): the mean over neighbours of a shared MLP of the geometry G, joined by their features' mean: c -> 2 c."""

    def __init__(self, channels: int, geometry: int) -> None:
        super().__init__()
        self.geometry = nn.Linear(geometry, channels)

    def forward(self, graph: Graph, features: Tensor) -> Tensor:
        weight, bias = self.geometry.weight.t(), self.geometry.bias  # (g, c), (c,)
        if features.device.type == "cpu":
            return _AggregateOnCpu.apply(graph, weight, bias, features)
        return _aggregate_on_gpu(graph, weight, bias, features)


def _initialise(module: nn.Module, slope: float) -> None:
    """He et al.'s start for LeakyReLU: torch's default shrinks the signal layer by layer, and pretraining stalls."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, a=slope, nonlinearity="leaky_relu")
            nn.init.zeros_(layer.bias)


def _mlp(inner: nn.Linear, features: Tensor) -> Tensor:
    return functional.leaky_relu(inner(features), SLOPE, inplace=True)


class Block(nn.Module):
    """Figure 4: MLP d -> d/4, LFA -> d/2, LFA -> d, MLP d -> d, plus MLP d -> d of the block's input."""

    def __init__(self, width: int, geometry: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(width, width // 4)
        self.first = LocalFeatureAggregation(width // 4, geometry)
        self.second = LocalFeatureAggregation(width // 2, geometry)
        self.expand = nn.Linear(width, width)
        self.shortcut = nn.Linear(width, width)

    def forward(self, graph: Graph, features: Tensor) -> Tensor:
        inner = self.second(graph, self.first(graph, _mlp(self.reduce, features)))  # (n, d)
        return _mlp(self.expand, inner) + _mlp(self.shortcut, features)


class DescriptorNetwork(nn.Module):
    """One d-dimensional descriptor per point: teacher and student alike.

    Parameters
    ----------
    width : int, d, a multiple of 16
    blocks : int, residual blocks, each with its own weights and two aggregations
    coordinates : "relative" (G = p - q and its length) or "absolute" (p and q join G; the paper's ablation)
    """

    def __init__(self, width: int, blocks: int = 4, coordinates: Coordinates = "relative") -> None:
        super().__init__()
        if width < 16 or width % 16:
            raise ValueError(f"network: expected a width that is a multiple of 16, found {width}")
        if blocks < 1:
            raise ValueError(f"network: expected at least one block, found {blocks}")
        geometry = 4 if coordinates == "relative" else 10
        self.width, self.coordinates = width, coordinates
        self.blocks = nn.ModuleList(Block(width, geometry) for _ in range(blocks))
        self.hidden = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        _initialise(self, SLOPE)

    @property
    def hops(self) -> int:
        """L, how many neighbourhoods deep a descriptor sees."""
        return AGGREGATIONS_PER_BLOCK * len(self.blocks)

    def forward(self, points: Tensor, neighbours: Tensor) -> Tensor:
        """Descriptors (n, d) of `points` (n, 3), scaled, with `neighbours` (n, k), integers."""
        graph = Graph(points, neighbours)
        features = torch.zeros(len(points), self.width, device=points.device)
        for block in self.blocks:
            features = block(graph, features)
        return self.output(_mlp(self.hidden, features))


class Decoder(nn.Module):
    """Reconstructs each descriptor's receptive field as `points` points around its mean (section 3.2)."""

    def __init__(self, width: int, points: int = 1024) -> None:
        super().__init__()
        self.points = points
        self.layers = nn.Sequential(
            nn.Linear(width, DECODER_WIDTH),
            nn.LeakyReLU(DECODER_SLOPE),
            nn.Linear(DECODER_WIDTH, DECODER_WIDTH),
            nn.LeakyReLU(DECODER_SLOPE),
            nn.Linear(DECODER_WIDTH, 3 * points),
        )
        _initialise(self, DECODER_SLOPE)

    def forward(self, features: Tensor) -> Tensor:
        """Points (q, m, 3), scaled and centred, of the descriptors `features` (q, d)."""
        return self.layers(features).view(-1, self.points, 3)
