"""What a student can learn from beside the teacher, behind the teacher's interface: a graph in, descriptors out.

Letters: n points of a cloud, q points that are described, c numbers in a descriptor.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from st3d.kernels.graph import Graph

MODULES = {  # of each method, where its `load` is; by name, so that a change in one reruns nothing of another
    "fcgf": "st3d.extractors.fcgf.extractor",
    "ppf_foldnet": "st3d.extractors.ppf_foldnet.extractor",
    "fpfh": "st3d.extractors.fpfh",
}


class Extractor(Protocol):
    """A feature extractor, frozen, on one device.

    outputs : c
    describes : how many points of a cloud it describes, the first ones of farthest point sampling; None: all
    """

    @property
    def outputs(self) -> int: ...

    @property
    def describes(self) -> int | None: ...

    def describe(self, graph: Graph) -> Tensor:
        """Descriptors (q, c) of the points that `described` gives."""
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
        Length of a graph's unit, metres.
    device
        Where the extractor goes.

    Raises
    ------
    ValueError
        If the weights are not those of the method's network.
    """
    module = importlib.import_module(MODULES[content["method"]])
    return module.load(content, path, scale, device)


def described(extractor: Extractor, graph: Graph, features: Tensor) -> Tensor:
    """The rows of `features` (n, ...) that belong to the points that `extractor` describes: (q, ...)."""
    if extractor.describes is None:
        return features
    return features[described_rows(graph, extractor.describes)]


def described_rows(graph: Graph, count: int) -> Tensor:
    return torch.from_numpy(graph.row_of_point[:count]).to(graph.points.device)
