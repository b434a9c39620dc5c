"""Stage `sdf_expert`: Shape-Guided's network of signed distances, trained on patches of all categories."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from st3d.formats.images import Images
from st3d.formats.provenance import sha256
from st3d.memory_banks.patches import by_name, cut_image, queries
from st3d.memory_banks.sdf_network import ShapeExpert, pull_loss, read_official
from st3d.training.optimizer import Adam
from st3d.training.run import Progress, training_run
from st3d.training.settings import Machine, TrainingSettings, flat

TRAINING, VALIDATION, SCANS = 0, 1, 2  # random streams
VALIDATION_OVERLAP = 1  # a loss needs no point twice

log = logging.getLogger("st3d")


@dataclass(frozen=True, kw_only=True)
class SDFSettings(TrainingSettings):
    """The network's training.

    Parameters
    ----------
    checkpoint
        The authors' checkpoint; empty: train.
    scans
        Scans of each category, at random; all if there are fewer.
    points
        Points of a patch; kept with the model.
    overlap
        Patches that a point of a training scan is in, on average.
    near
        A query lies off its point by a Gaussian in units of the distance to the point's `near`-th other of the patch.
    draws
        Sets of queries of each patch, of which an epoch shows one.
    queries
        Of a set's queries, one for each point of the patch, as many count in the loss, at random; the feature is that
        of all their targets.
    batch
        Patches per step; what is left of an epoch and fills none is left out.
    """

    checkpoint: str
    scans: int
    points: int
    overlap: float
    near: int
    draws: int
    queries: int
    batch: int


def sdf_expert(
    *,
    train: list[Path],
    validation: list[Path],
    model: Path,
    curve: Path,
    training: SDFSettings,
    machine: Machine,
    code: str,
) -> None:
    """Train one network of signed distances on all categories' anomaly-free scans, or convert the authors'.

    Parameters
    ----------
    train
        Training object images (HDF5) of each category; not read with a checkpoint.
    validation
        Their validation object images.
    model
        Model to write, at the epoch of the lowest validation loss.
    curve
        CSV of losses per epoch to write, in the patches' longest sides; of a converted checkpoint only its header.
    code
        Fingerprint of this stage's source, kept with the model.

    Raises
    ------
    ValueError
        If a file holds no object images or others than the first, there are fewer than two patches, more queries than
        points, or the checkpoint is not the authors'.
    """
    path = training.checkpoint
    official = read_official(Path(path)) if path else None
    if training.queries > training.points:
        raise ValueError(f"--queries: expected {training.points} or fewer, as points, found {training.queries}")
    # the run depends on the file's content, not on its path
    settings = flat(replace(training, checkpoint=sha256(Path(path)) if path else ""), machine)
    files = [] if official else [*train, *validation]
    with training_run(model, [curve], "sdf_expert", settings=settings, inputs=files, machine=machine, code=code) as run:
        if run.finished:
            return
        if official:
            run.save(points=training.points, weights=official)
            return
        read = partial(drawn_patches, training=training, device=run.device)
        patches, held_out = read(train, training.overlap), read(validation, VALIDATION_OVERLAP)
        log.info("%d patches to train on, %d to choose the epoch by", len(patches), len(held_out))
        torch.manual_seed(training.seed)
        expert = ShapeExpert().to(run.device)
        optimizer = Adam(expert.parameters(), training.learning_rate, weight_decay=0.0)
        batch = min(training.batch, len(patches))
        progress = Progress(run, curve, expert, expert, [optimizer], training.epochs)
        for epoch in progress:
            rng = np.random.default_rng([training.seed, TRAINING, epoch.number])
            order, draw = rng.permutation(len(patches)), rng.integers(training.draws, size=len(patches))
            steps = len(patches) // batch
            expert.train()  # batch normalisation by a batch's own statistics
            for step in epoch.shown(range(steps), steps):
                chosen = order[step * batch : (step + 1) * batch]
                optimizer.zero_grad()
                loss = loss_of(expert, patches[chosen], chosen, draw[chosen], rng, training)
                loss.backward()
                optimizer.step()
                epoch.train.append(loss.detach())
            expert.eval()  # by the running statistics
            rng = np.random.default_rng(
                [training.seed, VALIDATION]
            )  # the same after every epoch, so that epochs compare
            for start in range(0, len(held_out), training.batch):
                chosen = np.arange(start, min(start + training.batch, len(held_out)))
                draw = chosen % training.draws
                epoch.validation.append(loss_of(expert, held_out[chosen], chosen, draw, rng, training))
        run.save(points=training.points, weights=progress.best_weights)


def drawn_patches(paths: Sequence[Path], overlap: float, training: SDFSettings, device: torch.device) -> Tensor:
    """The patches of some scans of each category, drawn at random.

    Parameters
    ----------
    paths
        Object images of one category each.
    overlap
        Patches that a point is in, on average.
    training
        How many scans, and how large the patches are.
    device
        Where the result goes.

    Returns
    -------
    (p, points, 3) float32, normalised; of a scan with fewer points each patch has them several times

    Raises
    ------
    ValueError
        As `sdf_expert`.
    """
    found: list[np.ndarray] = []
    first = None
    for path in paths:
        with Images(path) as images:
            order = by_name(images)
            first = first or images.properties("3d")
            images.check_alike(first)
            drawn = np.random.default_rng([training.seed, SCANS]).permutation(len(order))[: training.scans]
            chosen = [order[number] for number in sorted(drawn.tolist())]
            for index in chosen:
                xyz = images.image(index, "3d").values
                _, patches = cut_image(xyz, training.points, overlap, training.seed)
                found.append(patches[:, np.arange(training.points) % patches.shape[1]])
    result = np.concatenate(found) if found else np.zeros((0, training.points, 3), np.float32)
    if len(result) < 2:
        raise ValueError(f"{paths[0]}: expected two patches or more to train on, found {len(result)}")
    return torch.from_numpy(result).to(device)


def loss_of(
    expert: ShapeExpert,
    patches: Tensor,
    numbers: np.ndarray,
    draw: np.ndarray,
    rng: np.random.Generator,
    training: SDFSettings,
) -> Tensor:
    """How far from the nearest points of their patches some queries end, pulled by their distances.

    Parameters
    ----------
    expert
        In training it encodes the queries' targets, as the authors do; in use the patches themselves.
    patches
        (p, k, 3) float32.
    numbers
        (p,) of the patches.
    draw
        (p,) numbers of their sets of queries.
    rng
        Chooses the queries that count.
    training
        How queries are drawn, and how many count.

    Returns
    -------
    () float32, in the patches' longest sides
    """
    stream = TRAINING if expert.training else VALIDATION
    same = np.broadcast_to([training.seed, stream], (len(draw), 2))
    drawn = queries(patches, training.near, training.draws, np.column_stack([same, numbers, draw]))
    some = torch.from_numpy(rng.permutation(patches.shape[1])[: training.queries]).to(patches.device)
    features = expert.encoder(drawn.target) if expert.training else expert.encoded(patches)
    return pull_loss(expert.NIF, features, drawn.place[:, some], drawn.target[:, some], training=expert.training)
