"""Stage `student`: one category's student learns the teacher's descriptors on anomaly-free scans (section 3.2)."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from st3d.extractors.interface import Extractor, at_descriptor_points
from st3d.formats.atomic import read_json
from st3d.formats.provenance import sha256
from st3d.kernels.geometry.rotation import random_rotation
from st3d.kernels.graph import Graph
from st3d.student_teacher.losses import regression
from st3d.student_teacher.network import DescriptorNetwork, NetworkSettings
from st3d.student_teacher.pair import load_teacher, standardised
from st3d.student_teacher.statistics import feature_statistics
from st3d.training.inputs import Inputs
from st3d.training.memory import read_ahead, released
from st3d.training.optimizer import Adam
from st3d.training.run import Progress, training_run
from st3d.training.settings import GraphSettings, Machine, ScheduledTrainingSettings, flat

TRAINING, VALIDATION = 0, 1  # random streams

Features = Callable[[int, Graph], Tensor]


@dataclass(frozen=True, kw_only=True)
class StudentSettings(ScheduledTrainingSettings):
    """A student's training.

    Parameters
    ----------
    rotation
        none, or random (every training scan is rotated at random in 3D in every epoch; an ablation).
    """

    rotation: Literal["none", "random"]


def student(
    *,
    teacher: Path,
    train: list[Path],
    validation: list[Path],
    scale: Path,
    student: Path,
    curve: Path,
    graph: GraphSettings,
    network: NetworkSettings,
    training: StudentSettings,
    downsampling_seed: int,
    machine: Machine,
    cache_gb: float,
    code: str,
) -> None:
    """Train one category's student to match the teacher on anomaly-free scans only.

    Parameters
    ----------
    teacher
        Pretrained model that the student learns from: the teacher, or another extractor.
    train
        Shards (HDF5) of the category's training scans, with graphs.
    validation
        Shards of its validation scans.
    scale
        JSON with the training scans' mean neighbour distance, metres.
    student
        Model to write, at the epoch of the lowest validation loss.
    curve
        CSV of losses per epoch to write, in squared standard deviations.
    downsampling_seed
        Seed that the scans were downsampled with; kept for the detector.
    cache_gb
        Memory that may hold the scans' graphs and, if they fit too, the teacher's descriptors of them, GB.
    code
        Fingerprint of this stage's source, kept with the model.

    Raises
    ------
    ValueError
        One line with the file: it holds no teacher or extractor, a teacher of another network or with the student's
        initial weights; a shard has no cloud or another n or k; or a loss is not finite.
    """
    unit, files = read_json(scale)["scale"], [teacher, *train, *validation, scale]
    settings = flat(graph, network, training, machine) | {"downsampling_seed": downsampling_seed}
    with (
        training_run(
            student, [curve], "student", settings=settings, inputs=files, machine=machine, code=code, cache_gb=cache_gb
        ) as run,
        Inputs(train, graph.points, graph.neighbours, unit, run.device, run.memory) as scans,
        Inputs(validation, graph.points, graph.neighbours, unit, run.device, run.memory) as validation_scans,
    ):
        if run.finished:
            return
        extractor = load_teacher(teacher, run.device, unit, asdict(network))
        model = asdict(network) | {"outputs": extractor.outputs}
        torch.manual_seed(training.seed)
        learner = DescriptorNetwork(**model)
        if isinstance(extractor, DescriptorNetwork) and _equal(learner, extractor):
            raise ValueError(
                f"{teacher}: expected other weights than student.seed {training.seed} gives, found the same"
            )
        optimizer = Adam(learner.to(run.device).parameters(), training.learning_rate, training.weight_decay)

        def scan(clouds: Inputs, index: int, *stream: int) -> tuple[int, Graph]:
            cloud = clouds.graph(index)
            cloud.reverse()  # here, where it can be computed before it is needed
            if training.rotation == "none":
                return index, cloud
            return index, cloud.rotated(random_rotation(np.random.default_rng([training.seed, *stream, index])))

        clouds = len(scans) + len(validation_scans)
        size = clouds * (extractor.descriptor_points or graph.points) * extractor.outputs * 4
        keep = training.rotation == "none" and run.memory.reserve(size)
        train_targets, validation_targets = (descriptors(extractor, keep) for _ in range(2))
        first = read_ahead((partial(scan, scans, index, TRAINING, 0) for index in range(len(scans))), run.device)
        mean, std = feature_statistics(train_targets(index, cloud) for index, cloud in released(first))

        def loss_of(index: int, cloud: Graph, features: Features) -> Tensor:
            target = standardised(features(index, cloud), mean, std)
            return regression(at_descriptor_points(extractor, cloud, learner.extract(cloud)), target)

        progress = Progress(
            *(run, curve, learner, learner, [optimizer], training.epochs),
            schedule=training.schedule,
            patience=training.patience,
            constant_loss=float(extractor.outputs),
        )
        for epoch in progress:
            order = np.random.default_rng([training.seed, TRAINING, epoch.number]).permutation(len(scans))
            shown = read_ahead((partial(scan, scans, index, TRAINING, epoch.number) for index in order), run.device)
            for index, cloud in epoch.shown(shown, len(order)):
                optimizer.zero_grad()
                loss = loss_of(index, cloud, train_targets)
                loss.backward()
                optimizer.step()
                epoch.train.append(loss.detach())
            with torch.no_grad():
                indices = range(len(validation_scans))
                shown = read_ahead(
                    (partial(scan, validation_scans, index, VALIDATION, 0) for index in indices), run.device
                )
                epoch.validation += [loss_of(index, cloud, validation_targets) for index, cloud in shown]
        run.save(
            **{"model": model, "weights": progress.best_weights, "mean": mean.cpu(), "std": std.cpu(), "scale": unit},
            **{"teacher": sha256(teacher), "downsampling_seed": downsampling_seed} | asdict(graph),
        )


def descriptors(teacher: DescriptorNetwork | Extractor, keep: bool) -> Features:
    """A function that extracts the teacher's descriptors of a cloud, and may keep them.

    Parameters
    ----------
    teacher
        The frozen network.
    keep
        Whether descriptors are kept on the device after the first time.

    Returns
    -------
    Function of the cloud's index and its graph, with the result (q, c) float32; what is kept goes by the index alone
    """
    kept: dict[int, Tensor] = {}

    @torch.no_grad()
    def features(index: int, graph: Graph) -> Tensor:
        if index in kept:
            return kept[index]
        result = teacher.extract(graph)
        if keep:
            kept[index] = result
        return result

    return features


def _equal(first: DescriptorNetwork, second: DescriptorNetwork) -> bool:
    """Whether the weights of two networks of one shape are the same; then a student would have nothing to learn."""
    return all(torch.equal(a, b.cpu()) for a, b in zip(first.parameters(), second.parameters(), strict=True))
