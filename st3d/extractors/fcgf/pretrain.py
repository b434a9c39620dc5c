"""Stage `pretrain_fcgf`: FCGF as a frozen feature extractor, from the authors' checkpoint or trained on our scenes."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from st3d.extractors.fcgf.contrastive import View, draw_views, hardest_contrastive
from st3d.extractors.fcgf.network import FCGF, official_weights
from st3d.formats.checkpoints import read_tensors
from st3d.formats.provenance import sha256
from st3d.formats.shards import Clouds, clouds
from st3d.training.memory import read_ahead
from st3d.training.optimizer import Adam
from st3d.training.run import Progress, training_run
from st3d.training.settings import DecayedTrainingSettings, Machine, flat

TRAINING, VALIDATION = 0, 1  # random streams
Views = tuple[View, View]


@dataclass(frozen=True, kw_only=True)
class FCGFSettings(DecayedTrainingSettings):
    """FCGF and its pretraining.

    Parameters
    ----------
    checkpoint
        The authors' checkpoint, whose width and first kernel then count; empty: train.
    voxel
        Side of a voxel of the scans to extract descriptors of, metres.
    width
        Descriptor dimension.
    conv1_kernel
        Side of the first convolution's kernel, odd, voxels.
    scene_voxel
        Side of a voxel of the scenes, in their unit.
    overlap
        Fraction in (0, 1] of a view's points that are also in the other view of the scene.
    pairs
        Corresponding voxels drawn per step.
    candidates
        Voxels drawn per view and step to look for the hardest negatives.
    positive_margin
        Squared distance up to which corresponding descriptors cost nothing.
    negative_margin
        Distance from which others cost nothing.
    """

    checkpoint: str
    voxel: float
    width: int
    conv1_kernel: int
    scene_voxel: float
    overlap: float
    pairs: int
    candidates: int
    positive_margin: float
    negative_margin: float


def pretrain_fcgf(
    *,
    train: list[Path],
    validation: list[Path],
    extractor: Path,
    curve: Path,
    points: int,
    training: FCGFSettings,
    machine: Machine,
    code: str,
) -> None:
    """Convert the checkpoint of FCGF's authors, or train FCGF on partial views of the scenes.

    Parameters
    ----------
    train
        Shards (HDF5) of training scenes.
    validation
        Shards of validation scenes.
    extractor
        Model to write, at the epoch of the lowest validation loss.
    curve
        CSV of losses per epoch to write; of a converted checkpoint only its header.
    points
        n, points of a scene.
    code
        Fingerprint of this stage's source, kept with the model.

    Raises
    ------
    ValueError
        If the checkpoint is not one of FCGF's authors, a shard is none of st3d, or a scene's two views would have no
        point in common.
    """
    path = training.checkpoint
    official = read_official(Path(path)) if path else None
    # the run depends on the file's content, not on its path
    settings = {"points": points} | flat(replace(training, checkpoint=sha256(Path(path)) if path else ""), machine)
    files = [] if official else [*train, *validation]
    with training_run(
        extractor, [curve], "extractor", settings=settings, inputs=files, machine=machine, code=code
    ) as run:
        if run.finished:
            return
        if official:
            model, weights = official
            run.save(method="fcgf", model={"voxel": training.voxel} | model, weights=weights)
            return
        model = {"width": training.width, "conv1_kernel": training.conv1_kernel, "normalised": True}
        torch.manual_seed(training.seed)
        network = FCGF(training.scene_voxel, **model).to(run.device)
        optimizer = Adam(network.parameters(), training.learning_rate, training.weight_decay)
        draw = partial(_draw, training=training, device=run.device)
        progress = Progress(run, curve, network, network, [optimizer], training.epochs)
        with clouds(train, points, 0) as scenes, clouds(validation, points, 0) as validation_scenes:
            for epoch in progress:
                order = np.random.default_rng([training.seed, TRAINING, epoch.number]).permutation(len(scenes))
                network.train()  # batch normalisation by a view's own statistics
                for views in epoch.shown(draw(scenes, order.tolist(), [TRAINING, epoch.number]), len(order)):
                    optimizer.zero_grad()
                    loss = contrastive_loss(network, views, training)
                    loss.backward()
                    optimizer.step()
                    epoch.train.append(loss.detach())
                network.eval()  # by the running statistics
                with torch.no_grad():
                    # the same views after every epoch, so that epochs compare
                    batches = draw(validation_scenes, range(len(validation_scenes)), [VALIDATION])
                    epoch.validation += [contrastive_loss(network, views, training) for views in batches]
        run.save(method="fcgf", model={"voxel": training.voxel} | model, weights=progress.best_weights)


def _draw(
    scenes: Clouds, order: Sequence[int], stream: list[int], training: FCGFSettings, device: torch.device
) -> Iterator[Views]:
    """Two views of each scene in `order`; a scene's depend on `stream` and its number alone."""

    def views(index: int) -> Views:
        rng = np.random.default_rng([training.seed, *stream, index])
        sizes = training.scene_voxel, training.overlap, training.pairs, training.candidates
        return draw_views(scenes[index].points, *sizes, rng, device)

    return read_ahead((partial(views, index) for index in order), device)


def contrastive_loss(network: FCGF, views: Views, training: FCGFSettings) -> Tensor:
    """The hardest-contrastive loss of two views of a scene.

    Parameters
    ----------
    network
        In training mode each view is normalised by its own statistics, else by the running ones.
    views
        The two.
    training
        Gives the margins.

    Returns
    -------
    () float32; see `contrastive.hardest_contrastive`
    """
    descriptors = network.extract(views[0].keys), network.extract(views[1].keys)
    return hardest_contrastive(descriptors, views, training.positive_margin, training.negative_margin)


class IgnoredNumber:
    """Read in the place of NumPy's numbers in a checkpoint: it accepts any state and ignores it."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


# Classes in the authors' checkpoints beside tensors, and what each is read as. Settings are read as OrderedDict: torch
# restores a dictionary's content for this class, and for none derived from it.
READ_AS: list[Any] = [
    *((OrderedDict, name) for name in ("easydict.EasyDict", "argparse.Namespace")),
    *((IgnoredNumber, f"numpy.{name}") for name in ("dtype", "core.multiarray.scalar", "_core.multiarray.scalar")),
]


def read_official(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Dimensions and weights of the authors' checkpoint: `state_dict`, and `config` with `normalize_feature`.

    Nothing in the file is run: classes other than torch's own and those of `READ_AS` are refused.

    Parameters
    ----------
    path
        The checkpoint, as torch.save wrote it.

    Returns
    -------
    `width`, `conv1_kernel` and `normalised`, and the state as `FCGF` takes it

    Raises
    ------
    ValueError
        One line with the file, if it is absent, truncated, not a checkpoint, or of another architecture.
    """
    what = "a checkpoint of FCGF's authors"
    content = read_tensors(path, what, harmless=READ_AS)
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path}: expected {what}, found no state_dict of tensors")
    try:
        dimensions, weights = official_weights(state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    config = content.get("config")
    items = {**getattr(config, "__dict__", {}), **(config if isinstance(config, dict) else {})}
    return dimensions | {"normalised": bool(items.get("normalize_feature", True))}, weights
