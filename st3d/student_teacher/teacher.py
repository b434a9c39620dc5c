"""Stage `teacher`: learn descriptors of local geometry by reconstructing receptive fields (section 3.1)."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from st3d.formats.atomic import read_json
from st3d.kernels.graph import Graph
from st3d.kernels.nearest import chamfer_of_sets
from st3d.student_teacher.network import Decoder, DescriptorNetwork, NetworkSettings
from st3d.training.inputs import Inputs
from st3d.training.memory import read_ahead
from st3d.training.optimizer import Adam
from st3d.training.run import Progress, training_run
from st3d.training.settings import GraphSettings, Machine, ScheduledTrainingSettings, flat

log = logging.getLogger("st3d")

TRAINING, VALIDATION = 0, 1  # random streams
_ALIKE = 0.98  # of a loss to the one with other points' descriptors: 1.00 where nothing is learned


@dataclass(frozen=True, kw_only=True)
class TeacherSettings(ScheduledTrainingSettings):
    """The teacher's pretraining.

    Parameters
    ----------
    weights
        trained, or random (the initial weights are the result; an ablation).
    receptive_fields
        Points drawn per scene and step, whose receptive fields are reconstructed.
    decoded_points
        m, points that the decoder reconstructs from a descriptor.
    """

    weights: Literal["trained", "random"]
    receptive_fields: int
    decoded_points: int


def teacher(
    *,
    train: list[Path],
    validation: list[Path],
    scale: Path,
    teacher: Path,
    curve: Path,
    graph: GraphSettings,
    network: NetworkSettings,
    training: TeacherSettings,
    machine: Machine,
    cache_gb: float,
    code: str,
) -> None:
    """Pretrain the teacher to reconstruct each point's receptive field from its descriptor.

    Parameters
    ----------
    train
        Shards (HDF5) of training scenes, with graphs.
    validation
        Shards of validation scenes.
    scale
        JSON with the scenes' mean neighbour distance.
    teacher
        Model to write, at the epoch of the lowest validation loss.
    curve
        CSV of losses per epoch to write, in squared units of the scale.
    cache_gb
        Memory that may hold the scenes' graphs, GB; 0 reads them anew in each epoch.
    code
        Fingerprint of this stage's source, kept with the model.

    Raises
    ------
    ValueError
        One line with the file: a shard has no cloud or another n or k, or a loss is not finite.
    """
    unit, files = read_json(scale)["scale"], [*train, *validation, scale]
    settings = flat(graph, network, training, machine)
    with (
        training_run(
            teacher, [curve], "teacher", settings=settings, inputs=files, machine=machine, code=code, cache_gb=cache_gb
        ) as run,
        Inputs(train, graph.points, graph.neighbours, unit, run.device, run.memory) as scenes,
        Inputs(validation, graph.points, graph.neighbours, unit, run.device) as validation_scenes,
    ):
        if run.finished:
            return
        torch.manual_seed(training.seed)
        learner = DescriptorNetwork(**asdict(network)).to(run.device)
        decoder = Decoder(network.width, training.decoded_points).to(run.device)
        both = torch.nn.ModuleDict({"network": learner, "decoder": decoder})
        optimizer = Adam(both.parameters(), training.learning_rate, training.weight_decay)

        def draw(clouds: Inputs, index: int, *stream: int) -> ReconstructionTask:
            rng = np.random.default_rng([training.seed, *stream, index])
            return draw_task(clouds.graph(index), learner.hops, training.receptive_fields, rng)

        epochs = training.epochs if training.weights == "trained" else 0
        # the same points after every epoch, so that epochs compare
        indices = range(len(validation_scenes) if epochs else 0)
        validation_tasks = [draw(validation_scenes, index, VALIDATION) for index in indices]
        progress = Progress(
            run, curve, learner, both, [optimizer], epochs, schedule=training.schedule, patience=training.patience
        )
        for epoch in progress:
            order = np.random.default_rng([training.seed, TRAINING, epoch.number]).permutation(len(scenes))
            tasks = read_ahead((partial(draw, scenes, index, TRAINING, epoch.number) for index in order), run.device)
            for task in epoch.shown(tasks, len(order)):
                optimizer.zero_grad()
                loss = reconstruction_loss(learner, decoder, task)
                loss.backward()
                optimizer.step()
                epoch.train.append(loss.detach())
            with torch.no_grad():
                epoch.validation += [reconstruction_loss(learner, decoder, task) for task in validation_tasks]
        if validation_tasks:
            _warn_if_nothing_is_learned(teacher, learner, decoder, validation_tasks)
        run.save(model=asdict(network), weights=progress.best_weights)


@dataclass(frozen=True)
class ReconstructionTask:
    """What one step reconstructs: the receptive fields of random points, centred.

    Attributes
    ----------
    graph
        The part of a scene that the points' descriptors depend on.
    fields
        (r, 3) float32, scaled. The receptive fields minus their means, one after the other.
    offsets
        (q + 1,) Where each begins, and r.
    """

    graph: Graph
    fields: Tensor
    offsets: Sequence[int]


def draw_task(graph: Graph, hops: int, count: int, rng: np.random.Generator) -> ReconstructionTask:
    """Draw points of a scene whose receptive fields are to be reconstructed.

    Parameters
    ----------
    graph
        The scene's, n points, scaled.
    hops
        Depth of the receptive fields in edges.
    count
        Points to draw; a scene with fewer takes all.
    rng
        Random generator.

    Returns
    -------
    ReconstructionTask
    """
    chosen = rng.choice(len(graph.points), size=min(count, len(graph.points)), replace=False)
    part = graph.subgraph(graph.row_of_point[chosen], hops)
    part.reverse()  # here, where it can be computed before it is needed
    fields, offsets = part.receptive_fields(len(chosen), hops)
    return ReconstructionTask(part, _centred(fields, offsets), offsets)


def _centred(fields: Tensor, offsets: Sequence[int]) -> Tensor:
    """Sets of points, one after the other, each minus its mean."""
    sizes = torch.tensor(offsets).diff().to(fields.device)
    own = torch.repeat_interleave(torch.arange(len(sizes), device=fields.device), sizes, output_size=len(fields))
    sums = fields.new_zeros(len(sizes), 3, dtype=torch.float64).index_add(0, own, fields.double())
    return (fields - (sums / sizes[:, None])[own]).float()


def reconstruction_loss(network: DescriptorNetwork, decoder: Decoder, task: ReconstructionTask) -> Tensor:
    """The teacher's loss: mean Chamfer distance of what is decoded to the receptive fields (section 3.1).

    Parameters
    ----------
    network
        The teacher.
    decoder
        Reconstructs m points from each of its descriptors.
    task
        q receptive fields.

    Returns
    -------
    () float32 tensor, differentiable, in squared units of the scale
    """
    return _loss_of(decoder, network.extract(task.graph), task)


def _warn_if_nothing_is_learned(
    teacher: Path, network: DescriptorNetwork, decoder: Decoder, tasks: Sequence[ReconstructionTask]
) -> None:
    """Compare the validation loss with what it would be if every point had another one's descriptor."""
    own, other = 0.0, 0.0
    with torch.no_grad():
        for task in tasks:
            descriptors = network.extract(task.graph)
            own += _loss_of(decoder, descriptors, task).item() / len(tasks)
            other += _loss_of(decoder, descriptors.roll(1, dims=0), task).item() / len(tasks)
    if own > _ALIKE * other:
        log.warning(
            "%s: expected a validation loss well below %.4g, that with other points' descriptors, found %.4g:"
            " its descriptors say nothing; a lower teacher.learning_rate or more teacher.epochs may help",
            *(teacher.with_suffix(""), other, own),
        )


def _loss_of(decoder: Decoder, descriptors: Tensor, task: ReconstructionTask) -> Tensor:
    return chamfer_of_sets(decoder(descriptors), task.fields, task.offsets).mean()
