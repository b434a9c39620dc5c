"""PPF-FoldNet as an extractor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from st3d.extractors.interface import Extractor, first_rows
from st3d.extractors.ppf_foldnet.network import PPFFoldNet
from st3d.formats.checkpoints import load_weights
from st3d.kernels.graph import Graph


class PPFFoldNetExtractor:
    """PPF-FoldNet's codewords of the first points' neighbourhoods."""

    def __init__(self, network: PPFFoldNet) -> None:
        self._network, self.outputs = network, network.width
        self.descriptor_points: int | None = network.descriptors

    @torch.no_grad()
    def extract(self, graph: Graph) -> Tensor:
        """Descriptors (q, 512) float32 of the first q points of a scaled graph's cloud."""
        return self._network.extract(graph, first_rows(graph, self._network.descriptors))


def load(content: Mapping[str, Any], path: Path, scale: float, device: torch.device) -> Extractor:
    """The extractor of a checkpoint's content; see `interface.load_extractor`. `scale` is not needed."""
    network = PPFFoldNet(**content["model"])
    load_weights(network, content["weights"], path)
    return PPFFoldNetExtractor(network.requires_grad_(False).eval().to(device))
