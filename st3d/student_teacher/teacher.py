"""Stage `teacher`: learn descriptors of local geometry by reconstructing receptive fields (section 3.2)."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from st3d.formats.atomic import locked, read_json, write_csv
from st3d.formats.checkpoints import save
from st3d.formats.provenance import provenance
from st3d.kernels.graph import Graph
from st3d.kernels.nearest import chamfer_of_sets
from st3d.student_teacher.network import Coordinates, Decoder, DescriptorNetwork
from st3d.training.device import Device, choose_device, set_threads
from st3d.training.inputs import Inputs
from st3d.training.memory import Memory, ahead
from st3d.training.optimizer import Adam
from st3d.training.progress_bar import progress_bar
from st3d.training.run import Progress, finished, run_hash

log = logging.getLogger("st3d")
TRAINING, VALIDATION = 0, 1  # random streams


def teacher(
    *,
    train: list[Path],
    validation: list[Path],
    scale: Path,
    teacher: Path,
    curve: Path,
    points: int,
    neighbours: int,
    width: int,
    blocks: int,
    coordinates: Coordinates,
    weights: Literal["trained", "random"],
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    receptive_fields: int,
    decoded_points: int,
    seed: int,
    device: Device,
    threads: int,
    cache_gb: float,
    code: str,
) -> None:
    """Pretrain the teacher to rebuild each point's surroundings from its descriptor.

    Parameters
    ----------
    train : shards of training scenes
    validation : shards of validation scenes
    scale : JSON with the scenes' mean neighbour distance
    teacher : the model to write
    curve : CSV of losses per epoch to write, in squared units of the scale
    points : n, points of a scene
    neighbours : k, neighbours of a point
    width : d, numbers in a descriptor, a multiple of 16
    blocks : residual blocks, each two neighbourhoods deep
    coordinates : relative, or absolute (p and q join the edge's geometry)
    weights : trained, or random (the start is the result; an ablation)
    epochs : passes over the training scenes
    learning_rate : Adam's step
    weight_decay : Adam's L2 penalty
    receptive_fields : points drawn per scene and step, whose surroundings are decoded
    decoded_points : m, points that the decoder makes of a descriptor
    seed : of the initial weights and of all draws
    device : auto, cpu or cuda
    threads : CPU threads; they are part of the run, since they change the order of sums
    cache_gb : memory that may hold the scenes' graphs, GB; 0 reads them anew in each epoch
    code : fingerprint of the code, kept with the model
    """
    settings = {key: value for key, value in locals().items() if not isinstance(value, list | Path)}
    del settings["code"], settings["cache_gb"]
    set_threads(threads)
    where = choose_device(device)
    run = run_hash(settings | {"device": where.type}, [*train, *validation, scale], code)
    made = provenance(settings, code) | {"kind": "teacher", "run": run}
    model = {"width": width, "blocks": blocks, "coordinates": coordinates}
    s = read_json(scale)["scale"]

    memory = Memory(cache_gb, where)
    with (
        locked(teacher.with_suffix(".lock")),
        Inputs(train, points, neighbours, s, where, memory) as scenes,
        Inputs(validation, points, neighbours, s, where) as held_out,
    ):
        if finished(teacher, "teacher", run) and curve.exists():
            log.info("%s is already there", teacher)
            return
        torch.manual_seed(seed)
        network = DescriptorNetwork(width, blocks, coordinates).to(where)
        decoder = Decoder(width, decoded_points).to(where)
        both = torch.nn.ModuleDict({"network": network, "decoder": decoder})
        optimizer = Adam(both.parameters(), learning_rate, weight_decay)

        def draw(clouds: Inputs, stream: list[int], index: int) -> Task:
            return draw_task(clouds.graph(index), network.hops, receptive_fields, np.random.default_rng(stream))

        # the same points after every epoch, so that epochs compare
        held_out_tasks = [draw(held_out, [seed, VALIDATION, index], index) for index in range(len(held_out))]
        checkpoint = teacher.with_suffix(".checkpoint")
        passes = epochs if weights == "trained" else 0
        progress = Progress(checkpoint, run, network, both, [optimizer], passes)
        for epoch in progress.epochs_left():
            started, losses = time.monotonic(), []
            order = np.random.default_rng([seed, TRAINING, epoch]).permutation(len(scenes))
            drawn = ahead((partial(draw, scenes, [seed, TRAINING, epoch, index], index) for index in order), where)
            for task in progress_bar(drawn, f"epoch {epoch}", len(order)):
                optimizer.zero_grad()
                loss = reconstruction_loss(network, decoder, task)
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            with torch.no_grad():
                held_losses = [reconstruction_loss(network, decoder, task) for task in held_out_tasks]
            progress.end_epoch(losses, held_losses, time.monotonic() - started)

        write_csv(curve, progress.history, ["epoch", "train", "validation"])
        save(teacher, made | {"model": model, "weights": progress.best_weights})
        checkpoint.unlink(missing_ok=True)


@dataclass(frozen=True)
class Task:
    """What one step rebuilds: random points' receptive fields, centred.

    graph : the part of a scene that the points' descriptors depend on
    fields : (r, 3) the receptive fields minus their means, one after the other
    offsets : where each begins, and r
    """

    graph: Graph
    fields: Tensor
    offsets: Sequence[int]


def draw_task(graph: Graph, hops: int, count: int, rng: np.random.Generator) -> Task:
    """Draw `count` points of a scene's graph whose receptive fields, `hops` deep, are to be rebuilt."""
    drawn = rng.choice(len(graph.points), size=min(count, len(graph.points)), replace=False)
    part = graph.subgraph(graph.row_of_point[drawn], hops)
    part.reverse()  # here, where it can be done ahead
    fields = [part.receptive_field(index, hops) for index in range(len(drawn))]
    offsets = [0, *accumulate(len(field) for field in fields)]
    return Task(part, torch.cat([field - field.mean(dim=0) for field in fields]), offsets)


def reconstruction_loss(network: DescriptorNetwork, decoder: Decoder, task: Task) -> Tensor:
    """Mean Chamfer distance between what is decoded and the receptive fields."""
    return chamfer_of_sets(decoder(network.describe(task.graph)), task.fields, task.offsets).mean()
