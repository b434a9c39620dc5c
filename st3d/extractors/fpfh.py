"""Stage `fpfh`: fast point feature histograms as a feature extractor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from st3d.extractors import point_features
from st3d.extractors.interface import Extractor
from st3d.formats.checkpoints import save
from st3d.formats.provenance import provenance
from st3d.kernels.graph import Graph
from st3d.training.run import run_hash

DIMENSION = 33  # of a histogram


def fpfh(*, extractor: Path, normals: int, neighbours: int, code: str) -> None:
    """Write the extractor's file: no weights, only the settings of the histograms.

    Parameters
    ----------
    extractor
        The file to write.
    normals
        Nearest neighbours, of those in the graph, that a normal is fitted to; 0: all.
    neighbours
        Points around a point that its histogram is made of, 1 or more.
    code
        Fingerprint of the code, kept with the file.

    Raises
    ------
    ValueError
        If `neighbours` is less than 1, or `normals` is 1 or negative.
    """
    if neighbours < 1:
        raise ValueError(f"fpfh: expected neighbours of 1 or more, found {neighbours}")
    if normals < 0 or normals == 1:
        raise ValueError(f"fpfh: expected normals of 2 or more, or 0 for all neighbours, found {normals}")
    settings = {"normals": normals, "neighbours": neighbours}
    content = provenance(settings, code) | {"kind": "extractor", "method": "fpfh"}
    save(extractor, content | {"run": run_hash(settings, [], code), "model": settings, "weights": {}})


class FPFHExtractor:
    """Fast point feature histograms (Rusu et al., ICRA 2009) of all points.

    Parameters
    ----------
    normals
        Nearest neighbours, of those in the graph, that a normal is fitted to; 0: all.
    neighbours
        Points around a point that its histogram is made of.
    """

    descriptor_points: int | None = None
    outputs = DIMENSION

    def __init__(self, normals: int, neighbours: int) -> None:
        self._normals, self._neighbours = normals, neighbours

    def extract(self, graph: Graph) -> Tensor:
        """Histograms of all points, computed on the CPU.

        Parameters
        ----------
        graph
            n points in units of the scale, and their neighbours, from which the normals are estimated.

        Returns
        -------
        (n, 33) float32, percent, on the graph's device
        """
        points, near = graph.points.cpu().numpy(), graph.neighbours.cpu().numpy()
        directions = point_features.normals(points, near[:, : self._normals or None])
        histograms = point_features.fpfh(points, self._neighbours, directions)
        return torch.from_numpy(histograms).to(graph.points.device)


def load(content: Mapping[str, Any], path: Path, scale: float, device: torch.device) -> Extractor:
    """The extractor of a checkpoint's content; see `interface.load_extractor`.

    Parameters
    ----------
    content
        Of the checkpoint; `model` holds `normals` and `neighbours`.
    path, scale, device
        Not needed.

    Returns
    -------
    FPFHExtractor
    """
    return FPFHExtractor(**content["model"])
