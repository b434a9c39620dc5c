"""What a student can learn from beside the teacher, behind the teacher's interface: a graph in, descriptors out.

Letters: n points of a cloud, q points that are described, c numbers in a descriptor.
"""

from typing import Any, Protocol, cast

import torch
from torch import Tensor

from st3d.aggregation import Graph
from st3d.fcgf import FCGF
from st3d.point_features import fpfh, normals
from st3d.ppf_foldnet import PPFFoldNet

FPFH_NUMBERS = 33


class Extractor(Protocol):
    """Frozen, on one device.

    outputs : c
    describes : how many points of a cloud it describes, the first ones in the order of thinning; None: all
    """

    @property
    def outputs(self) -> int: ...

    @property
    def describes(self) -> int | None: ...

    def describe(self, graph: Graph) -> Tensor:
        """Descriptors (q, c) of the points that `described` gives."""
        ...


def described(extractor: Extractor, graph: Graph, features: Tensor) -> Tensor:
    """Of `features` (n, ...), one row per row of `graph`, those of the points that `extractor` describes (q, ...)."""
    if extractor.describes is None:
        return features
    return features[_rows(graph, extractor.describes)]


def _rows(graph: Graph, count: int) -> Tensor:
    return torch.from_numpy(graph.rows[:count]).to(graph.points.device)


class FCGFExtractor:
    """FCGF of the points in metres: its voxels have a size."""

    describes = None

    def __init__(self, network: FCGF, scale: float) -> None:
        self._network, self._scale, self.outputs = network, scale, network.width

    @torch.no_grad()
    def describe(self, graph: Graph) -> Tensor:
        return self._network(graph.points * self._scale)


class PPFFoldNetExtractor:
    """PPF-FoldNet's codewords of the first points' neighbourhoods."""

    def __init__(self, network: PPFFoldNet) -> None:
        self._network, self.outputs, self.describes = network, network.width, network.descriptors

    @torch.no_grad()
    def describe(self, graph: Graph) -> Tensor:
        return self._network.describe(graph, _rows(graph, self.describes))


class FPFHExtractor:
    """Fast point feature histograms of all points."""

    describes, outputs = None, FPFH_NUMBERS

    def __init__(self, neighbours: int) -> None:
        self._neighbours = neighbours

    def describe(self, graph: Graph) -> Tensor:
        points, near = graph.points.cpu().numpy(), graph.neighbours.cpu().numpy()
        histograms = fpfh(points, self._neighbours, normals(points, near))
        return torch.from_numpy(histograms).to(graph.points.device)


def network_of(method: str, model: dict[str, Any]) -> FCGF | PPFFoldNet | None:
    """The network of a method; None of FPFH, which has no weights."""
    if method == "fcgf":
        return FCGF(**model)
    return PPFFoldNet(**model) if method == "ppf_foldnet" else None


def extractor_of(method: str, model: dict[str, Any], network: Any, scale: float) -> Extractor:
    """The extractor around a `network` with its weights; `scale` is the length of a graph's unit in metres."""
    if method == "fcgf":
        return cast(Extractor, FCGFExtractor(network, scale))
    if method == "ppf_foldnet":
        return cast(Extractor, PPFFoldNetExtractor(network))
    return cast(Extractor, FPFHExtractor(model["neighbours"]))
