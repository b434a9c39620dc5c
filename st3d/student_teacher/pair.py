"""A trained pair, read from its two files: teacher, or another feature extractor, and student."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from st3d.extractors.interface import Extractor, at_descriptor_points, load_extractor
from st3d.formats.checkpoints import content_of, load, load_network
from st3d.formats.provenance import sha256
from st3d.kernels.graph import Graph
from st3d.student_teacher.network import DescriptorNetwork


def load_teacher(
    path: Path, device: torch.device, scale: float, model: Mapping[str, Any] | None = None
) -> DescriptorNetwork | Extractor:
    """The frozen teacher, or other extractor, in `path`.

    Parameters
    ----------
    path
        What stages `teacher`, `pretrain_fcgf`, `pretrain_ppf_foldnet` or `fpfh` wrote.
    device
        Device of the result.
    scale
        Mean neighbour distance of the scans to extract descriptors of, metres.
    model
        Width, blocks and coordinates that a teacher must have; None: any.

    Returns
    -------
    DescriptorNetwork or Extractor

    Raises
    ------
    ValueError
        If the file is none of these, is damaged, or holds a teacher of another model.
    """
    return teacher_of(load(path, "teacher", "extractor"), path, device, scale, model)


def teacher_of(
    content: Mapping[str, Any], path: Path, device: torch.device, scale: float, model: Mapping[str, Any] | None = None
) -> DescriptorNetwork | Extractor:
    """The frozen teacher, or other extractor, of a file's content.

    Parameters
    ----------
    content
        What the file holds.
    path
        The file, for errors.
    device, scale, model
        As for `load_teacher`.

    Returns
    -------
    DescriptorNetwork or Extractor

    Raises
    ------
    ValueError
        If its weights are not those of its model, or it is a teacher of another model than `model`.
    """
    with content_of(path, "a teacher"):
        if content["kind"] == "extractor":
            return load_extractor(content, path, scale, device)
        if model is not None and content["model"] != dict(model):
            raise ValueError(f"{path}: expected a teacher of {dict(model)}, found {content['model']}")
        return _network(content, path).requires_grad_(False).eval().to(device)


def _network(content: Mapping[str, Any], path: Path) -> DescriptorNetwork:
    """The network of a teacher's or a student's content."""
    if content["model"]["blocks"] > len(content["weights"]):
        raise ValueError(f"{path}: expected weights of {content['model']['blocks']} blocks, found fewer")
    return load_network(lambda: DescriptorNetwork(**content["model"]), content["weights"], path)


@dataclass(frozen=True)
class Pair:
    """A teacher, a student of one category, and what standardises them.

    Attributes
    ----------
    teacher, student
        Frozen networks.
    mean, std
        (c,) float32, of the teacher's descriptors over the category's training scans.
    scale
        Mean neighbour distance of the training scans, metres.
    points, neighbours
        n and k that the student was trained with.
    downsampling_seed
        Seed of the first point of farthest point sampling.
    """

    teacher: DescriptorNetwork | Extractor
    student: DescriptorNetwork
    mean: Tensor
    std: Tensor
    scale: float
    points: int
    neighbours: int
    downsampling_seed: int

    def scores(self, graph: Graph) -> Tensor:
        """Regression error per point: ||f_S - (f_T - mean) / std||, the score (section 3.2).

        Parameters
        ----------
        graph
            A scan's, scaled.

        Returns
        -------
        (n,) float32 in the order of the cloud; of an extractor of the first points only, of these.
        """
        return self.compare(graph)[0]

    @torch.no_grad()
    def compare(self, graph: Graph) -> tuple[Tensor, Tensor]:
        """The score per point, and the teacher's descriptors that it comes from.

        Parameters
        ----------
        graph
            A scan's, scaled.

        Returns
        -------
        scores
            As of `scores`.
        descriptors
            (q, c) float32, the teacher's, standardised, in any order.
        """
        target = standardised(self.teacher.extract(graph), self.mean, self.std)
        error = squared_error(at_descriptor_points(self.teacher, graph, self.student.extract(graph)), target).sqrt()
        return self._in_order(error, graph), target

    @torch.no_grad()
    def features(self, graph: Graph) -> tuple[Tensor, Tensor]:
        """What teacher and student make of each point.

        Parameters
        ----------
        graph
            A scan's, scaled.

        Returns
        -------
        descriptors
            (q, c) float32, the teacher's, as it gives them.
        residuals
            (q, c) float32, f_S - (f_T - mean) / std. Both in the order of the cloud, as `scores`.
        """
        descriptors = self.teacher.extract(graph)
        found = at_descriptor_points(self.teacher, graph, self.student.extract(graph))
        residuals = found - standardised(descriptors, self.mean, self.std)
        return self._in_order(descriptors, graph), self._in_order(residuals, graph)

    def _in_order(self, rows: Tensor, graph: Graph) -> Tensor:
        """Rows of the points that have a descriptor, in the order of the cloud."""
        if self.teacher.descriptor_points is not None:
            return rows  # they are the first points in their order
        return rows[torch.from_numpy(graph.row_of_point).to(rows.device)]


def standardised(features: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(features - mean) / std, per channel (section 3.2).

    Parameters
    ----------
    features
        (n, c) float, descriptors.
    mean, std
        (c,) float, of the training scans' descriptors; std above 0.

    Returns
    -------
    (n, c) float
    """
    return (features - mean) / std


def squared_error(features: Tensor, target: Tensor) -> Tensor:
    """Squared Euclidean distance of two descriptors, per point.

    Parameters
    ----------
    features, target
        (n, c) float each.

    Returns
    -------
    (n,) float
    """
    return (features - target).square().sum(dim=1)


def load_pair(teacher: Path, student: Path, device: torch.device) -> Pair:
    """Teacher and student from their files.

    Parameters
    ----------
    teacher
        The teacher, or other extractor.
    student
        A student that learned from this very file.
    device
        Device of both.

    Returns
    -------
    Pair

    Raises
    ------
    ValueError
        If a file is not what it should be, or the student learned from another one; one line with both files.
    """
    return pair_of(*pair_contents(teacher, student), teacher, student, device)


def pair_contents(teacher: Path, student: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the two files hold.

    Parameters
    ----------
    teacher, student
        As for `load_pair`.

    Returns
    -------
    The teacher's content, the student's

    Raises
    ------
    ValueError
        If a file is not what it should be, or the student learned from another one; one line with both files.
    """
    content, learned_from = load(student, "student"), load(teacher, "teacher", "extractor")
    found = sha256(teacher)
    if content.get("teacher") != found:
        learned = str(content.get("teacher"))[:12]
        raise ValueError(f"{student}: expected a student of {teacher} (sha256 {found[:12]}), found one of {learned}")
    return learned_from, content


def pair_of(
    teacher: Mapping[str, Any], student: Mapping[str, Any], teacher_path: Path, student_path: Path, device: torch.device
) -> Pair:
    """Teacher and student from the contents of their files.

    Parameters
    ----------
    teacher, student
        What the files hold.
    teacher_path, student_path
        The files, for errors.
    device
        Device of both.

    Returns
    -------
    Pair

    Raises
    ------
    ValueError
        If the weights are not those of the models; one line with the file.
    """
    with content_of(student_path, "a student"):
        network = teacher_of(teacher, teacher_path, device, student["scale"])
        learner = _network(student, student_path)
        for name in ("mean", "std"):
            if student[name].shape != (learner.outputs,) or not bool(torch.isfinite(student[name]).all()):
                raise ValueError(f"{student_path}: expected {learner.outputs} finite numbers as {name}, found others")
        for name in ("scale", "points", "neighbours"):
            if not 0 < student[name] < math.inf:
                raise ValueError(f"{student_path}: expected {name} above 0, found {student[name]}")
        return Pair(
            network,
            learner.requires_grad_(False).eval().to(device),
            student["mean"].to(device),
            student["std"].to(device),
            **{key: student[key] for key in ("scale", "points", "neighbours", "downsampling_seed")},
        )
