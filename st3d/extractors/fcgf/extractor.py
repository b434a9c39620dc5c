"""FCGF as an extractor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from st3d.extractors.fcgf.network import FCGF
from st3d.extractors.interface import Extractor
from st3d.formats.checkpoints import load_network
from st3d.kernels.graph import Graph


class FCGFExtractor:
    """FCGF of the points in metres: its voxels have a size.

    Parameters
    ----------
    network
        Frozen, in evaluation mode; its voxel is in metres.
    scale
        Mean neighbour distance, the graphs' unit, metres.
    """

    descriptor_points: int | None = None

    def __init__(self, network: FCGF, scale: float) -> None:
        self._network, self._scale, self.outputs = network, scale, network.width

    @torch.no_grad()
    def extract(self, graph: Graph) -> Tensor:
        """Descriptors of all points; each point has its voxel's.

        Parameters
        ----------
        graph
            n points, in units of the scale.

        Returns
        -------
        (n, width) float32, on the graph's device

        Raises
        ------
        ValueError
            If there is no point, a coordinate is not finite, or the cloud spans more than two million voxels.
        """
        return self._network(graph.points * self._scale)


def load(content: Mapping[str, Any], path: Path, scale: float, device: torch.device) -> Extractor:
    """The extractor of a checkpoint's content; see `interface.load_extractor` for the parameters.

    Raises
    ------
    ValueError
        If the weights are not those of an FCGF of the checkpoint's dimensions.
    """
    network = load_network(lambda: FCGF(**content["model"]), content["weights"], path)
    return FCGFExtractor(network.requires_grad_(False).eval().to(device), scale)
