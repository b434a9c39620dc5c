"""PPF-FoldNet as an extractor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from st3d.extractors.interface import Extractor, first_rows
from st3d.extractors.ppf_foldnet.network import PPFFoldNet
from st3d.formats.checkpoints import load_network
from st3d.kernels.graph import Graph


class PPFFoldNetExtractor:
    """PPF-FoldNet's codewords of the first points' neighbourhoods.

    Parameters
    ----------
    network
        Frozen, on the device of the graphs.
    """

    def __init__(self, network: PPFFoldNet) -> None:
        self._network, self.outputs = network, network.width
        self.descriptor_points: int | None = network.descriptors

    @torch.no_grad()
    def extract(self, graph: Graph) -> Tensor:
        """Codewords of the first points of a cloud.

        Parameters
        ----------
        graph
            n points, in units of the scale.

        Returns
        -------
        (q, 512) float32, q = min(n, the network's `descriptors`), on the graph's device
        """
        return self._network.extract(graph, first_rows(graph, self._network.descriptors))


def load(content: Mapping[str, Any], path: Path, scale: float, device: torch.device) -> Extractor:
    """The extractor of a checkpoint's content; see `interface.load_extractor`. `scale` is not needed.

    Raises
    ------
    ValueError
        If a dimension is too small, or the weights are not those of a PPF-FoldNet.
    """
    network = load_network(lambda: PPFFoldNet(**content["model"]), content["weights"], path)
    return PPFFoldNetExtractor(network.requires_grad_(False).eval().to(device))
