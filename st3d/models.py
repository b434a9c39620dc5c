"""Teacher and student as they are used: a trained pair, read from its two files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from st3d.aggregation import Graph
from st3d.checkpoints import load, load_weights
from st3d.network import DescriptorNetwork


def load_teacher(path: Path, device: torch.device, model: Mapping[str, Any] | None = None) -> DescriptorNetwork:
    """The frozen teacher in `path`; if `model` (width, blocks, coordinates) is asked for, any other is an error."""
    content = load(path, "teacher")
    if model is not None and content["model"] != dict(model):
        raise ValueError(f"{path}: expected a teacher of {dict(model)}, found {content['model']}")
    network = DescriptorNetwork(**content["model"])
    load_weights(network, content["weights"], path)
    return network.requires_grad_(False).eval().to(device)


@dataclass(frozen=True)
class Pair:
    """A teacher, a student of one category, and what standardises them.

    mean, std : (d,) of the teacher's descriptors over the category's training scans
    scale : mean neighbour distance of the training scans, metres
    points, neighbours : n and k that the student was trained with
    thin_seed : seed of the thinning's first point
    """

    teacher: DescriptorNetwork
    student: DescriptorNetwork
    mean: Tensor
    std: Tensor
    scale: float
    points: int
    neighbours: int
    thin_seed: int

    @torch.no_grad()
    def scores(self, graph: Graph) -> Tensor:
        """Regression error per point of the cloud (n,): ||f_S - (f_T - mean) / std||, the score (section 3.3)."""
        target = standardised(self.teacher.describe(graph), self.mean, self.std)
        error = squared_error(self.student.describe(graph), target).sqrt()
        return error[torch.from_numpy(graph.rows).to(error.device)]


def standardised(features: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(features - mean) / std per channel; features (n, d), mean and std (d,)."""
    return (features - mean) / std


def squared_error(features: Tensor, target: Tensor) -> Tensor:
    """Squared Euclidean distance per point (n,) of two (n, d)."""
    return (features - target).square().sum(dim=1)


def load_pair(teacher: Path, student: Path, device: torch.device, model: Mapping[str, Any] | None = None) -> Pair:
    """Teacher and student from their files; cut, of different widths, or not the `model` asked for: an error."""
    network = load_teacher(teacher, device, model)
    content = load(student, "student")
    learner = DescriptorNetwork(**content["model"])
    load_weights(learner, content["weights"], student)
    if learner.width != network.width:
        raise ValueError(f"{student}: expected the teacher's width {network.width}, found {learner.width}")
    return Pair(
        network,
        learner.requires_grad_(False).eval().to(device),
        content["mean"].to(device),
        content["std"].to(device),
        **{key: content[key] for key in ("scale", "points", "neighbours", "thin_seed")},
    )
