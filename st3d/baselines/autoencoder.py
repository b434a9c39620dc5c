"""Stage `autoencoder`: a baseline that rebuilds sound scans, given as voxels or depth images, through few numbers."""

import logging
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from st3d.baselines.image_inputs import ImageInputs
from st3d.baselines.image_networks import Autoencoder
from st3d.formats.atomic import locked, write_csv
from st3d.formats.checkpoints import save
from st3d.formats.images import Modality
from st3d.formats.provenance import provenance
from st3d.training.device import Device, choose_device, set_threads
from st3d.training.memory import Memory
from st3d.training.optimizer import Adam
from st3d.training.run import Progress, finished, run_hash

log = logging.getLogger("st3d")


def autoencoder(
    *,
    train: Path,
    validation: Path,
    model: Path,
    curve: Path,
    modality: Modality,
    latent: int,
    channels: int,
    epochs: int,
    batch: int,
    learning_rate: float,
    seed: int,
    device: Device,
    threads: int,
    cache_gb: float,
    code: str,
) -> None:
    """Train an autoencoder on one category's sound scans.

    Parameters
    ----------
    train : the category's training images, rotated copies included
    validation : its validation images
    model : the model to write, at the epoch of the lowest validation loss
    curve : CSV of losses per epoch to write, in squares of the images' units
    modality : 3d, or 3d_rgb for the colours too
    latent : numbers that an image is squeezed into
    channels : of the encoder's first convolution; the others have multiples of it
    epochs : passes over the training images
    batch : images a step
    learning_rate : Adam's step
    seed : of the initial weights and of the order of the images
    device : auto, cpu or cuda
    threads : CPU threads; they are part of the run, since they change the order of sums
    cache_gb : memory that may hold the images, GB
    code : fingerprint of the code, kept with the model
    """
    settings = {key: value for key, value in locals().items() if not isinstance(value, Path)}
    del settings["code"], settings["cache_gb"]
    set_threads(threads)
    where = choose_device(device)
    run = run_hash(settings | {"device": where.type}, [train, validation], code)
    made = provenance(settings, code) | {"kind": "baseline", "method": "autoencoder", "run": run}

    memory = Memory(cache_gb, where)
    with (
        locked(model.with_suffix(".lock")),
        ImageInputs(train, modality, where, memory) as scans,
        ImageInputs(validation, modality, where, memory) as held_out,
    ):
        if finished(model, "baseline", run) and curve.exists():
            log.info("%s is already there", model)
            return
        held_out.images.check_alike(scans.described)
        sides = list(scans.images.sides)
        torch.manual_seed(seed)
        both = Autoencoder(scans.channels, sides, channels, latent).to(where)
        optimizer = Adam(both.parameters(), learning_rate, weight_decay=0.0)
        empty = empty_share(scans) if scans.images.kind == "voxels" else None

        checkpoint = model.with_suffix(".checkpoint")
        progress = Progress(checkpoint, run, both, both, [optimizer], epochs)
        for epoch in progress.epochs_left():
            started, losses = time.monotonic(), []
            for images in scans.shuffled([seed, epoch], batch, f"epoch {epoch}"):
                optimizer.zero_grad()
                loss = rebuilding_loss(images, both(images), empty)
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            with torch.no_grad():
                held = (held_out.batch([index]) for index in range(len(held_out)))
                held_losses = [rebuilding_loss(images, both(images), empty) for images in held]
            progress.end_epoch(losses, held_losses, time.monotonic() - started)

        write_csv(curve, progress.history, ["epoch", "train", "validation"])
        network = {"inputs": scans.channels, "sides": sides, "channels": channels, "latent": latent}
        save(model, made | scans.described | {"network": network, "weights": progress.best_weights})
        checkpoint.unlink(missing_ok=True)


def empty_share(scans: ImageInputs) -> float:
    """The share of voxels, of all training grids, in which no point lies."""
    total = sum(int((~occupied(scans.batch([index]))).sum()) for index in range(len(scans)))
    return total / (len(scans) * int(np.prod(scans.images.sides)))


def occupied(images: Tensor) -> Tensor:
    """Voxels (b, 1, *sides) in which a point lies; of images (b, c, *sides), where empty is -1 in all channels."""
    return images.amax(dim=1, keepdim=True) > -0.5


def rebuilding_loss(images: Tensor, rebuilt: Tensor, empty: float | None) -> Tensor:
    """Mean squared difference; of voxels, occupied ones count `empty` times and the others 1 - `empty` times."""
    squared = (images - rebuilt).square()
    if empty is not None:
        squared = squared * torch.where(occupied(images), empty, 1 - empty)
    return squared.mean()
