"""Stage `teacher`: learn descriptors of local geometry by reconstructing receptive fields (section 3.2)."""

import logging
import time
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from st3d import runtime
from st3d.checkpoints import Progress, finished, run_hash, save
from st3d.inputs import Inputs
from st3d.losses import chamfer
from st3d.network import Coordinates, Decoder, DescriptorNetwork
from st3d.points import receptive_field

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
    device: runtime.Device,
    threads: int,
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
    code : fingerprint of the code, kept with the model
    """
    settings = {key: value for key, value in locals().items() if not isinstance(value, list | Path)} | {"code": ""}
    runtime.set_threads(threads)
    where = runtime.device(device)
    run = run_hash(settings | {"device": where.type}, [*train, *validation, scale], code)
    made = runtime.provenance(settings, code) | {"kind": "teacher", "run": run}
    model = {"width": width, "blocks": blocks, "coordinates": coordinates}
    s = runtime.read_json(scale)["scale"]

    with (
        runtime.locked(teacher.with_suffix(".lock")),
        Inputs(train, points, neighbours, s, where) as scenes,
        Inputs(validation, points, neighbours, s, where) as held_out,
    ):
        if finished(teacher, "teacher", run) and curve.exists():
            log.info("%s is already there", teacher)
            return
        torch.manual_seed(seed)
        network = DescriptorNetwork(width, blocks, coordinates).to(where)
        decoder = Decoder(width, decoded_points).to(where)
        both = torch.nn.ModuleDict({"network": network, "decoder": decoder})
        optimizer = torch.optim.Adam(both.parameters(), lr=learning_rate, weight_decay=weight_decay)

        checkpoint = teacher.with_suffix(".checkpoint")
        passes = epochs if weights == "trained" else 0
        progress = Progress(checkpoint, run, network, both, optimizer, passes)
        for epoch in progress.epochs_left():
            started, losses = time.monotonic(), []
            for index in runtime.steps(
                np.random.default_rng([seed, TRAINING, epoch]).permutation(len(scenes)), f"epoch {epoch}"
            ):
                rng = np.random.default_rng([seed, TRAINING, epoch, index])
                optimizer.zero_grad()
                loss = reconstruction_loss(network, decoder, *scenes.tensors(index), receptive_fields, rng)
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            with torch.no_grad():
                held_losses = [
                    # the same points after every epoch, so that epochs compare
                    reconstruction_loss(
                        network,
                        decoder,
                        *held_out.tensors(index),
                        receptive_fields,
                        np.random.default_rng([seed, VALIDATION, index]),
                    )
                    for index in range(len(held_out))
                ]
            progress.end_epoch(losses, held_losses, time.monotonic() - started)

        runtime.write_csv(curve, progress.history, ["epoch", "train", "validation"])
        save(teacher, made | {"model": model, "weights": progress.best_weights})
        checkpoint.unlink(missing_ok=True)


def reconstruction_loss(
    network: DescriptorNetwork,
    decoder: Decoder,
    points: Tensor,
    neighbours: Tensor,
    fields: int,
    rng: np.random.Generator,
) -> Tensor:
    """Mean Chamfer distance between decoded points and receptive field minus its mean, over `fields` drawn points."""
    near = neighbours.cpu().numpy()
    drawn = rng.choice(len(points), size=min(fields, len(points)), replace=False)
    decoded = decoder(network(points, neighbours)[torch.from_numpy(drawn).to(points.device)])  # (fields, m, 3)
    total = torch.zeros((), device=points.device)
    for index, reconstruction in zip(drawn, decoded, strict=True):
        field = points[torch.from_numpy(receptive_field(near, int(index), network.hops)).to(points.device)]
        total = total + chamfer(reconstruction, field - field.mean(dim=0))
    return total / len(drawn)
