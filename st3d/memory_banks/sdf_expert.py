"""Stage `sdf_expert`: Shape-Guided's network of signed distances, trained on patches of anomaly-free scans."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from st3d.formats.checkpoints import load_weights, read_tensors
from st3d.formats.images import Images
from st3d.memory_banks.patches import patches, queries_of
from st3d.memory_banks.sdf_network import Expert, pull_loss
from st3d.training.optimizer import Adam
from st3d.training.run import Progress, training_run
from st3d.training.settings import Machine, TrainingSettings, flat

log = logging.getLogger("st3d")
TRAINING, VALIDATION = 0, 1  # random streams
THEIRS = "sdf_model"  # key of the authors' checkpoint


@dataclass(frozen=True, kw_only=True)
class PatchSettings:
    """What the expert's patches are.

    Parameters
    ----------
    points
        m, points of a patch.
    near
        A query is as far from its point as that is from this neighbour, or half as far, on average.
    """

    points: int
    near: int


@dataclass(frozen=True, kw_only=True)
class ExpertSettings(PatchSettings, TrainingSettings):
    """The expert's training.

    Parameters
    ----------
    scans
        Training scans of each category, drawn at random; all if there are fewer.
    overlap
        Patches that a point is in, on average.
    queries
        Queries of a patch at each visit, at most m.
    batch
        Patches per step, 2 or more.
    """

    scans: int
    overlap: float
    queries: int
    batch: int


def sdf_expert(
    *,
    train: list[Path],
    validation: list[Path],
    checkpoint: str,
    expert: Path,
    curve: Path,
    training: ExpertSettings,
    machine: Machine,
    cache_gb: float,
    code: str,
) -> None:
    """Train one expert for all categories, or convert the authors' checkpoint.

    Parameters
    ----------
    train
        Object images of each category's training scans.
    validation
        Of its validation scans, in the same order.
    checkpoint
        File of the authors' checkpoint; empty: the expert is trained.
    expert
        Model to write, at the epoch of the lowest validation loss.
    curve
        CSV of losses per epoch to write, in units of the patches' longest sides; of a checkpoint, its head alone.
    cache_gb
        Not needed: the patches of `scans` scans of each category are kept whatever it is.
    code
        Fingerprint of this stage's source, kept with the model.

    Raises
    ------
    ValueError
        If a file is none of object images, the checkpoint is not theirs, or a setting is out of its range.
    """
    files = [*train, *validation, *([Path(checkpoint)] if checkpoint else [])]
    settings = flat(training, machine) | {"checkpoint": checkpoint}
    if not training.batch >= 2 or not 1 <= training.near < training.points or training.queries > training.points:
        raise ValueError(
            f"--batch, --near, --queries: expected 2 or more, less than {training.points} points and no more queries,"
            f" found {training.batch}, {training.near} and {training.queries}"
        )
    with training_run(
        expert, [curve], "extractor", settings=settings, inputs=files, machine=machine, code=code, cache_gb=cache_gb
    ) as run:
        if run.finished:
            return
        torch.manual_seed(training.seed)
        network = Expert().to(run.device)
        if checkpoint:
            theirs = read_tensors(Path(checkpoint), "the authors' checkpoint").get(THEIRS)
            load_weights(network, theirs if isinstance(theirs, dict) else {}, Path(checkpoint))
            curve.write_text("epoch,train,validation\n")
            run.save(method="sdf_expert", patch=_patch(training), weights=network.state_dict())
            return
        shown = _all_patches(train, training, TRAINING).to(run.device)
        unseen = _all_patches(validation, training, VALIDATION).to(run.device)
        log.info("%d patches to train on, %d to choose the epoch by", len(shown), len(unseen))
        optimizer = Adam(network.parameters(), training.learning_rate, weight_decay=0.0)
        progress = Progress(run, curve, network, network, [optimizer], training.epochs)
        for epoch in progress:
            generator = torch.Generator().manual_seed(training.seed * 1_000_003 + epoch.number)
            order = torch.randperm(len(shown), generator=generator).to(run.device)
            batches = list(order.split(training.batch))
            if len(batches) > 1 and len(batches[-1]) < 2:
                batches.pop()  # batch norm needs two
            network.train()
            for part in epoch.shown(batches, len(batches)):
                optimizer.zero_grad()
                loss = _loss(network, shown[part], training, generator)
                loss.backward()
                optimizer.step()
                epoch.train.append(loss.detach())
            network.eval()
            generator = torch.Generator().manual_seed(training.seed)  # the same queries in each epoch
            with torch.no_grad():
                for part in unseen.split(training.batch):
                    epoch.validation.append(_loss(network, part, training, generator))
        run.save(method="sdf_expert", patch=_patch(training), weights=progress.best_weights)


def _patch(training: ExpertSettings) -> dict[str, int]:
    return {"points": training.points}


def _loss(network: Expert, points: Tensor, training: ExpertSettings, generator: torch.Generator) -> Tensor:
    queries, targets = queries_of(points, training.near, training.queries, generator)
    return pull_loss(network.NIF, network.encoder(points), queries, targets)


def _all_patches(files: Sequence[Path], training: ExpertSettings, stream: int) -> Tensor:
    """(p, m, 3) float32, the patches of the chosen scans of all categories."""
    found = []
    for category, path in enumerate(files):
        with Images(path) as images:
            if images.kind != "objects":
                raise images.bad("object images", images.kind)
            names = images.read("sample", slice(None))
            order = sorted(range(len(images)), key=lambda index: names[index])
            drawn = np.random.default_rng([training.seed, stream, category]).permutation(len(order))[: training.scans]
            for number in sorted(drawn.tolist()):
                xyz = images.image(order[number], "3d").values
                points = xyz[:, (xyz != 0).any(axis=0)].T
                found.append(torch.from_numpy(patches(points, training.points, training.overlap, training.seed).points))
    together = torch.cat(found)
    if len(together) < 2:
        raise ValueError(f"{files[0]}: expected 2 patches or more, found {len(together)}")
    return together
