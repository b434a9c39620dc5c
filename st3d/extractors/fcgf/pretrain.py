"""Stage `pretrain_fcgf`: FCGF, a frozen feature extractor, from the authors' weights or trained on our scenes."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from st3d.extractors.fcgf.contrastive import View, draw_views, hardest_contrastive
from st3d.extractors.fcgf.network import FCGF, official_weights
from st3d.formats.atomic import locked, write_csv
from st3d.formats.checkpoints import read_tensors, save
from st3d.formats.provenance import provenance, sha256
from st3d.formats.shards import Clouds, clouds
from st3d.training.device import Device, choose_device, set_threads
from st3d.training.memory import ahead
from st3d.training.optimizer import Adam
from st3d.training.passes import trained, validated
from st3d.training.progress_bar import progress_bar
from st3d.training.run import Progress, finished, run_hash

log = logging.getLogger("st3d")
TRAINING, VALIDATION = 0, 1  # random streams
Views = tuple[View, View]


def pretrain_fcgf(
    *,
    train: list[Path],
    validation: list[Path],
    extractor: Path,
    curve: Path,
    points: int,
    weights: str,
    voxel: float,
    width: int,
    conv1_kernel: int,
    scene_voxel: float,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    overlap: float,
    pairs: int,
    candidates: int,
    positive_margin: float,
    negative_margin: float,
    seed: int,
    device: Device,
    threads: int,
    code: str,
) -> None:
    """Convert FCGF's official weights, or train FCGF on partial views of the scenes.

    Parameters
    ----------
    train : shards of training scenes
    validation : shards of validation scenes
    extractor : the model to write, at the epoch of the lowest validation loss
    curve : CSV of losses per epoch to write; of converted weights only its header
    points : n, points of a scene
    weights : the authors' checkpoint, whose width and first kernel then count; empty: train
    voxel : side of a voxel of the scans to describe, metres
    width : numbers in a descriptor
    conv1_kernel : side of the first convolution's kernel, odd
    scene_voxel : side of a voxel of the scenes, in their unit
    epochs : passes over the training scenes
    learning_rate : Adam's step
    weight_decay : Adam's L2 penalty
    overlap : share of a view's points that are also in the other view of the scene
    pairs : corresponding voxels drawn per step
    candidates : voxels drawn per view and step to look for the hardest negatives
    positive_margin : squared distance up to which corresponding descriptors cost nothing
    negative_margin : distance from which others cost nothing
    seed : of the initial weights and of all draws
    device : auto, cpu or cuda
    threads : CPU threads; they are part of the run, since they change the order of sums
    code : fingerprint of the code, kept with the model
    """
    settings = {key: value for key, value in locals().items() if not isinstance(value, list | Path)}
    del settings["code"]
    official = read_official(Path(weights)) if weights else None
    settings["weights"] = sha256(Path(weights)) if weights else ""  # not where they lie
    set_threads(threads)
    where = choose_device(device)
    run = run_hash(settings | {"device": where.type}, [] if official else [*train, *validation], code)
    made = provenance(settings, code) | {"kind": "extractor", "method": "fcgf", "run": run}

    checkpoint = extractor.with_suffix(".checkpoint")
    with locked(extractor.with_suffix(".lock")):
        if finished(extractor, "extractor", run) and curve.exists():
            log.info("%s is already there", extractor)
            return
        if official:
            model, kept = official
            history = []
        else:
            model = {"width": width, "conv1_kernel": conv1_kernel, "normalised": True}
            torch.manual_seed(seed)
            network = FCGF(scene_voxel, **model).to(where)
            optimizer = Adam(network.parameters(), learning_rate, weight_decay)
            progress = Progress(checkpoint, run, network, network, [optimizer], epochs)
            sizes: dict[str, Any] = {"voxel": scene_voxel, "overlap": overlap, "pairs": pairs, "candidates": candidates}
            draw = partial(draw_views, **sizes, device=where)

            def loss_of(views: Views) -> Tensor:
                return contrast(network, views, positive_margin, negative_margin)

            with clouds(train, points, 0) as scenes, clouds(validation, points, 0) as held_out:
                for epoch in progress.epochs_left():
                    started = time.monotonic()
                    order = np.random.default_rng([seed, TRAINING, epoch]).permutation(len(scenes)).tolist()
                    views = drawn(scenes, order, [seed, TRAINING, epoch], draw, where)
                    shown = progress_bar(views, f"epoch {epoch}", len(order))
                    losses = trained(network, optimizer, shown, loss_of)
                    # the same views after every epoch, so that epochs compare
                    views = drawn(held_out, range(len(held_out)), [seed, VALIDATION], draw, where)
                    held_losses = validated(network, views, loss_of)
                    progress.end_epoch(losses, held_losses, time.monotonic() - started)
            history, kept = progress.history, progress.best_weights

        write_csv(curve, history, ["epoch", "train", "validation"])
        save(extractor, made | {"model": {"voxel": voxel} | model, "weights": kept})
        checkpoint.unlink(missing_ok=True)


def drawn(
    split: Clouds, order: Sequence[int], stream: list[int], draw: Callable[..., Views], device: torch.device
) -> Iterator[Views]:
    """Two views of each scene in `order`, by `draw`; a scene's depend on `stream` and its number alone."""

    def views(index: int) -> Views:
        return draw(split[index].points, rng=np.random.default_rng([*stream, index]))

    return ahead((partial(views, index) for index in order), device)


def contrast(network: FCGF, views: Views, positive_margin: float, negative_margin: float) -> Tensor:
    """The hardest-contrastive loss of two views; each is normalised by its own statistics in training."""
    descriptors = network.describe(views[0].keys), network.describe(views[1].keys)
    return hardest_contrastive(descriptors, views, positive_margin, negative_margin)


class Inert:
    """Stands for numpy's numbers in a checkpoint: it takes what is in the file and does nothing."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


# What the authors' checkpoints hold beside tensors, and what it is read as: settings as a dictionary. It is the one
# that torch fills for a file; it fills none derived from it.
SURROGATES: list[Any] = [
    *((OrderedDict, name) for name in ("easydict.EasyDict", "argparse.Namespace")),
    *((Inert, f"numpy.{name}") for name in ("dtype", "core.multiarray.scalar", "_core.multiarray.scalar")),
]


def read_official(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Dimensions and weights of the authors' checkpoint: `state_dict`, and `config` with `normalize_feature`.

    Nothing in the file is run: classes other than torch's own and those of `SURROGATES` are refused.

    Raises
    ------
    ValueError
        One line with the file, if it is none, cut, not a checkpoint, or of another architecture.
    """
    what = "a checkpoint of FCGF's authors"
    content = read_tensors(path, what, harmless=SURROGATES)
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
