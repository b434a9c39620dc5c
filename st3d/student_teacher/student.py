"""Stage `student`: one category's student learns the teacher's descriptors on sound scans (section 3.3)."""

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from st3d.extractors.interface import Extractor, described
from st3d.formats.atomic import locked, read_json, write_csv
from st3d.formats.checkpoints import save
from st3d.formats.provenance import provenance
from st3d.kernels.geometry.rotation import random_rotation
from st3d.kernels.graph import Graph
from st3d.student_teacher.losses import regression
from st3d.student_teacher.network import Coordinates, DescriptorNetwork
from st3d.student_teacher.pair import load_teacher, standardised
from st3d.student_teacher.statistics import feature_statistics
from st3d.training.device import Device, choose_device, set_threads
from st3d.training.inputs import Inputs
from st3d.training.memory import Memory, ahead
from st3d.training.optimizer import Adam
from st3d.training.progress_bar import progress_bar
from st3d.training.run import Progress, finished, run_hash

log = logging.getLogger("st3d")
TRAINING, VALIDATION = 0, 1  # random streams

Features = Callable[[int, Graph], Tensor]


def student(
    *,
    teacher: Path,
    train: list[Path],
    validation: list[Path],
    scale: Path,
    student: Path,
    curve: Path,
    points: int,
    neighbours: int,
    width: int,
    blocks: int,
    coordinates: Coordinates,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    rotation: Literal["none", "random"],
    seed: int,
    downsampling_seed: int,
    device: Device,
    threads: int,
    cache_gb: float,
    code: str,
) -> None:
    """Train one category's student to match the teacher on sound parts only.

    Parameters
    ----------
    teacher : the pretrained model that the student learns from: the teacher, or another extractor
    train : shards of the category's training scans
    validation : shards of its validation scans
    scale : JSON with the training scans' mean neighbour distance, metres
    student : the model to write
    curve : CSV of losses per epoch to write, in squared standard deviations
    points : n, points of a scan
    neighbours : k, neighbours of a point
    width : d, the student's width; the teacher's. It gives as many numbers as the teacher does
    blocks : residual blocks; the teacher's
    coordinates : relative or absolute; the teacher's
    epochs : passes over the training scans
    learning_rate : Adam's step
    weight_decay : Adam's L2 penalty
    rotation : none, or random (every training scan is rotated at random in 3D in every epoch; an ablation)
    seed : of the initial weights and of all draws
    downsampling_seed : seed that the scans were downsampled with; kept for the detector
    device : auto, cpu or cuda
    threads : CPU threads; they are part of the run, since they change the order of sums
    cache_gb : memory that may hold the scans' graphs and, if they fit too, the teacher's descriptors of them, GB
    code : fingerprint of the code, kept with the model
    """
    settings = {key: value for key, value in locals().items() if not isinstance(value, list | Path)}
    del settings["code"], settings["cache_gb"]
    set_threads(threads)
    where = choose_device(device)
    run = run_hash(settings | {"device": where.type}, [teacher, *train, *validation, scale], code)
    made = provenance(settings, code) | {"kind": "student", "run": run}
    s = read_json(scale)["scale"]

    memory = Memory(cache_gb, where)
    with (
        locked(student.with_suffix(".lock")),
        Inputs(train, points, neighbours, s, where, memory) as scans,
        Inputs(validation, points, neighbours, s, where, memory) as held_out,
    ):
        if finished(student, "student", run) and curve.exists():
            log.info("%s is already there", student)
            return
        model: dict[str, Any] = {"width": width, "blocks": blocks, "coordinates": coordinates}
        frozen = load_teacher(teacher, where, s, model)
        model["outputs"] = frozen.outputs
        torch.manual_seed(seed)
        network = DescriptorNetwork(**model).to(where)
        optimizer = Adam(network.parameters(), learning_rate, weight_decay)

        def scan(clouds: Inputs, stream: int, epoch: int, index: int) -> tuple[int, Graph]:
            graph = clouds.graph(index)
            graph.reverse()  # here, where it can be done ahead
            if rotation == "none":
                return index, graph
            return index, graph.rotated(random_rotation(np.random.default_rng([seed, stream, epoch, index])))

        size = (len(scans) + len(held_out)) * (frozen.describes or points) * frozen.outputs * 4
        keep = rotation == "none" and memory.take(size)
        learned, held = (descriptors(frozen, keep) for _ in range(2))
        first = (partial(scan, scans, TRAINING, 0, index) for index in range(len(scans)))
        mean, std = feature_statistics(learned(index, graph) for index, graph in ahead(first, where))

        def loss_of(index: int, graph: Graph, features: Features) -> Tensor:
            target = standardised(features(index, graph), mean, std)
            return regression(described(frozen, graph, network.describe(graph)), target)

        checkpoint = student.with_suffix(".checkpoint")
        progress = Progress(checkpoint, run, network, network, [optimizer], epochs)
        for epoch in progress.epochs_left():
            started, losses = time.monotonic(), []
            order = np.random.default_rng([seed, TRAINING, epoch]).permutation(len(scans))
            rotated = ahead((partial(scan, scans, TRAINING, epoch, index) for index in order), where)
            for index, graph in progress_bar(rotated, f"epoch {epoch}", len(order)):
                optimizer.zero_grad()
                loss = loss_of(index, graph, learned)
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            with torch.no_grad():
                first = (partial(scan, held_out, VALIDATION, 0, index) for index in range(len(held_out)))
                held_losses = [loss_of(index, graph, held) for index, graph in ahead(first, where)]
            progress.end_epoch(losses, held_losses, time.monotonic() - started)

        write_csv(curve, progress.history, ["epoch", "train", "validation"])
        result: dict[str, Any] = {"model": model, "weights": progress.best_weights}
        result |= {"mean": mean.cpu(), "std": std.cpu(), "scale": s, "points": points, "neighbours": neighbours}
        save(student, made | result | {"downsampling_seed": downsampling_seed})
        checkpoint.unlink(missing_ok=True)


def descriptors(teacher: DescriptorNetwork | Extractor, keep: bool) -> Features:
    """The teacher's descriptors (q, c) of cloud `index`, kept after the first time if `keep`."""
    kept: dict[int, Tensor] = {}

    @torch.no_grad()
    def features(index: int, graph: Graph) -> Tensor:
        if index in kept:
            return kept[index]
        result = teacher.describe(graph)
        if keep:
            kept[index] = result
        return result

    return features
