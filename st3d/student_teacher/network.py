"""The descriptor network and its decoder (Bergmann and Sattlegger, section 3.1 and Figure 4).

Letters: n points, k neighbours, d width, c descriptor dimension (d, but for students of other extractors) or channels
inside a block, m reconstructed points, q descriptors that are asked for.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from st3d.kernels.aggregation import aggregate
from st3d.kernels.graph import Graph

Coordinates = Literal["relative", "absolute", "normalised"]
SLOPE = 0.2  # of the network's LeakyReLU
DECODER_SLOPE = 0.05
DECODER_WIDTH = 128
AGGREGATIONS_PER_BLOCK = 2


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """The descriptor network, of teacher and student alike.

    Parameters
    ----------
    width
        d, the descriptor dimension, a multiple of 16; a student of another extractor has that one's outputs instead.
    blocks
        Residual blocks, of two local feature aggregations each.
    coordinates
        relative; or, ablations, absolute (p and q, from the cloud's centroid, join the edge's geometry) or normalised
        (as absolute, in units of the root mean square distance of the cloud's points from its centroid).
    """

    width: int
    blocks: int
    coordinates: Coordinates


class LocalFeatureAggregation(nn.Module):
    """LFA(c): the mean over neighbours of a shared MLP of the geometry G, joined by their features' mean: c -> 2 c.

    Parameters
    ----------
    channels
        c, a multiple of 4.
    coordinates
        What G holds: 4 numbers per edge if "relative", else 10.
    """

    def __init__(self, channels: int, coordinates: Coordinates) -> None:
        super().__init__()
        self.coordinates = coordinates
        self.geometry = nn.Linear(4 if coordinates == "relative" else 10, channels)

    def forward(self, graph: Graph, hops: int, features: Tensor) -> Tensor:
        """(graph.num_needed(hops), 2 c) float32 of features (graph.num_needed(hops + 1), c), or (1, c) for all."""
        weight = self.geometry.weight.t()
        if self.coordinates == "normalised":  # p and q divided, in the weights that they are multiplied by
            weight = torch.cat([weight[:4], weight[4:] / graph.spread.clamp_min(1e-6)])
        return aggregate(graph, hops, weight, self.geometry.bias, features, SLOPE)


def _initialise(module: nn.Module, slope: float) -> None:
    """He et al.'s weights for LeakyReLU: torch's default shrinks the signal layer by layer, and pretraining stalls."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, a=slope, nonlinearity="leaky_relu")
            nn.init.zeros_(layer.bias)


def _mlp(layer: nn.Linear, features: Tensor) -> Tensor:
    return leaky_relu(layer(features), SLOPE, inplace=True)  # its gradient needs the result, not the input


class Block(nn.Module):
    """Figure 4: MLP d -> d/4, LFA -> d/2, LFA -> d, MLP d -> d, plus MLP d -> d of the block's input.

    Parameters
    ----------
    width
        d, a multiple of 16.
    coordinates
        What an edge's G holds.
    """

    def __init__(self, width: int, coordinates: Coordinates) -> None:
        super().__init__()
        self.reduce = nn.Linear(width, width // 4)
        self.first = LocalFeatureAggregation(width // 4, coordinates)
        self.second = LocalFeatureAggregation(width // 2, coordinates)
        self.expand = nn.Linear(width, width)
        self.shortcut = nn.Linear(width, width)

    def forward(self, graph: Graph, hops: int, features: Tensor) -> Tensor:
        """Features (graph.num_needed(hops), d) float32 of those (graph.num_needed(hops + 2), d), or (1, d) for all."""
        inner = self.second(graph, hops, self.first(graph, hops + 1, _mlp(self.reduce, features)))
        out = _mlp(self.expand, inner)  # (graph.num_needed(hops), d)
        del inner  # freed here, unless autograd needs it
        if len(features) > len(out):
            features = features[: len(out)]
        return out + _mlp(self.shortcut, features)


class DescriptorNetwork(nn.Module):
    """One d-dimensional descriptor per point: teacher and student alike.

    Parameters
    ----------
    width
        d, a multiple of 16, at most 4096.
    blocks
        Residual blocks, each with its own weights and two aggregations.
    coordinates
        "relative" (G = p - q and its length); or, ablations, "absolute" (p and q, minus the cloud's centroid, join G)
        or "normalised" (as absolute, in units of the points' root mean square distance from the centroid).
    outputs
        c, the descriptor dimension; None: d. Another one is that of a student of another extractor.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    descriptor_points = None  # all points of a cloud

    def __init__(
        self, width: int, blocks: int = 4, coordinates: Coordinates = "relative", outputs: int | None = None
    ) -> None:
        super().__init__()
        if width < 16 or width % 16:
            raise ValueError(f"network: expected a width that is a multiple of 16, found {width}")
        if blocks < 1:
            raise ValueError(f"network: expected at least one block, found {blocks}")
        if outputs is not None and outputs < 1:
            raise ValueError(f"network: expected at least one output, found {outputs}")
        self.width, self.coordinates = width, coordinates
        self.blocks = nn.ModuleList(Block(width, coordinates) for _ in range(blocks))
        self.hidden = nn.Linear(width, width)
        self.output = nn.Linear(width, width if outputs is None else outputs)
        _initialise(self, SLOPE)

    @property
    def outputs(self) -> int:
        """c, the descriptor dimension."""
        return self.output.out_features

    @property
    def hops(self) -> int:
        """L, aggregations, the depth of a descriptor's receptive field in edges."""
        return AGGREGATIONS_PER_BLOCK * len(self.blocks)

    def forward(self, points: Tensor, neighbours: Tensor) -> Tensor:
        """Descriptors (n, c) float32 of `points` (n, 3) float, scaled, with `neighbours` (n, k), integers in [0, n)."""
        return self.extract(Graph(points, neighbours))

    def extract(self, graph: Graph) -> Tensor:
        """Descriptors of the points of a graph.

        Parameters
        ----------
        graph
            Scaled, on the network's device; a whole one, or a subgraph of `hops` hops around q points.

        Returns
        -------
        (n, c) float32, or (q, c) of a subgraph, in the order of the graph's rows
        """
        if self.coordinates != "relative":  # the camera's frame is hundreds of scale units away
            graph = graph.centred()
        features = torch.zeros(1, self.width, device=graph.points.device)  # one row stands for all points
        for number, block in enumerate(self.blocks, 1):
            features = block(graph, self.hops - AGGREGATIONS_PER_BLOCK * number, features)
        return self.output(_mlp(self.hidden, features))


class Decoder(nn.Module):
    """Reconstructs each descriptor's receptive field as points around its mean (section 3.1).

    Parameters
    ----------
    width
        d.
    points
        m.
    """

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
        """Points (q, m, 3) float32, scaled and centred, of the descriptors `features` (q, d) float32."""
        return self.layers(features).view(-1, self.points, 3)
