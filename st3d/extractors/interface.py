"""The interface of feature extractors, the teacher's own: a graph in, descriptors out.

Letters: n points of a cloud, q points with a descriptor, c the descriptor dimension.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from st3d.extractors.methods import MODULES
from st3d.kernels.graph import Graph


class Extractor(Protocol):
    """A feature extractor, frozen, on one device."""

    @property
    def outputs(self) -> int:
        """c, the descriptor dimension."""
        ...

    @property
    def descriptor_points(self) -> int | None:
        """How many points of a cloud have a descriptor, the first ones of farthest point sampling; None: all."""
        ...

    def extract(self, graph: Graph) -> Tensor:
        """Descriptors of the points that have one.

        Parameters
        ----------
        graph
            A cloud in units of the scale.

        Returns
        -------
        (q, c) float32, on the graph's device
        """
        ...


def load_extractor(content: Mapping[str, Any], path: Path, scale: float, device: torch.device) -> Extractor:
    """The extractor that a file holds.

    Parameters
    ----------
    content
        What `formats.checkpoints.load` gave: `method`, `model` (its dimensions), `weights`.
    path
        Of the file, for errors.
    scale
        Mean neighbour distance, the graphs' unit, metres.
    device
        Device of the result.

    Returns
    -------
    Extractor
        Frozen, on the device.

    Raises
    ------
    ValueError
        If the weights are not those of the method's network.
    """
    module = importlib.import_module(f"st3d.{MODULES[content['method']]}")
    return module.load(content, path, scale, device)


def at_descriptor_points(extractor: Extractor, graph: Graph, features: Tensor) -> Tensor:
    """The rows of the points that have a descriptor.

    Parameters
    ----------
    extractor
        Says which points these are.
    graph
        A cloud of n points.
    features
        (n, c), a row per point of `graph`.

    Returns
    -------
    (q, c), in the order of the extractor's descriptors; `features` itself where all points have one
    """
    if extractor.descriptor_points is None:
        return features
    return features[first_rows(graph, extractor.descriptor_points)]


def first_rows(graph: Graph, count: int) -> Tensor:
    """The graph's rows of the first points of its cloud.

    Parameters
    ----------
    graph
        A cloud of n points.
    count
        How many points; all if there are fewer.

    Returns
    -------
    (q,) int64, q = min(count, n), on the graph's device
    """
    return torch.from_numpy(graph.row_of_point[:count]).to(graph.points.device)
