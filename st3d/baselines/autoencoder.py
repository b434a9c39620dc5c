"""Stage `autoencoder`: a baseline that reconstructs voxels or depth images of anomaly-free scans."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from st3d.baselines.image_inputs import ImageInputs, ImageTrainingSettings
from st3d.baselines.image_networks import Autoencoder
from st3d.training.optimizer import Adam
from st3d.training.run import Progress, training_run
from st3d.training.settings import Machine, flat


def autoencoder(
    *,
    train: Path,
    validation: Path,
    model: Path,
    curve: Path,
    training: ImageTrainingSettings,
    machine: Machine,
    cache_gb: float,
    code: str,
) -> None:
    """Train an autoencoder on one category's anomaly-free scans.

    Parameters
    ----------
    train
        The category's training images (HDF5), rotated copies included.
    validation
        Its validation images.
    model
        Model to write, at the epoch of the lowest validation loss.
    curve
        CSV of losses per epoch to write, in squares of the images' units.
    cache_gb
        Memory that may hold the images, GB.
    code
        Fingerprint of this stage's source, kept with the model.

    Raises
    ------
    ValueError
        If a file is none of images, the network cannot take their sides, or validation images are unlike training ones.
    """
    settings, files = flat(training, machine), [train, validation]
    with (
        training_run(
            model, [curve], "baseline", settings=settings, inputs=files, machine=machine, code=code, cache_gb=cache_gb
        ) as run,
        ImageInputs(train, training.modality, run.device, run.memory) as images,
        ImageInputs(validation, training.modality, run.device, run.memory) as validation_images,
    ):
        if run.finished:
            return
        validation_images.images.check_alike(images.properties)
        torch.manual_seed(training.seed)
        dimensions = training.dimensions(images)
        network = Autoencoder(**dimensions).to(run.device)
        optimizer = Adam(network.parameters(), training.learning_rate, weight_decay=0.0)
        empty = empty_fraction(images) if images.images.kind == "voxels" else None
        progress = Progress(run, curve, network, network, [optimizer], training.epochs)
        for epoch in progress:
            for batch in images.shuffled([training.seed, epoch.number], training.batch, f"epoch {epoch.number}"):
                optimizer.zero_grad()
                loss = reconstruction_loss(batch, network(batch), empty)
                loss.backward()
                optimizer.step()
                epoch.train.append(loss.detach())
            with torch.no_grad():
                batches = (validation_images.batch([index]) for index in range(len(validation_images)))
                epoch.validation += [reconstruction_loss(batch, network(batch), empty) for batch in batches]
        run.save(method="autoencoder", **images.properties, network=dimensions, weights=progress.best_weights)


def empty_fraction(images: ImageInputs) -> float:
    """The fraction in [0, 1] of voxels, of all images, in which no point lies.

    Parameters
    ----------
    images
        Voxel grids (c, *sides), read one at a time.

    Returns
    -------
    float in [0, 1]
    """
    total = sum(int((~occupied(images.batch([index]))).sum()) for index in range(len(images)))
    return total / (len(images) * int(np.prod(images.images.sides)))


def occupied(images: Tensor) -> Tensor:
    """Voxels in which a point lies.

    Parameters
    ----------
    images
        (b, c, *sides) float32; an empty voxel is -1 in all channels.

    Returns
    -------
    (b, 1, *sides) bool
    """
    return images.amax(dim=1, keepdim=True) > -0.5


def reconstruction_loss(images: Tensor, reconstructed: Tensor, empty: float | None) -> Tensor:
    """Mean squared difference of images and their reconstructions.

    Parameters
    ----------
    images, reconstructed
        (b, c, *sides) float32.
    empty
        Of voxels, fraction in [0, 1] of empty ones: occupied voxels have the weight `empty`, the others 1 - `empty`.
        None: all weights are 1.

    Returns
    -------
    () float32, in squares of the images' units
    """
    squared = (images - reconstructed).square()
    if empty is not None:
        squared = squared * torch.where(occupied(images), empty, 1 - empty)
    return squared.mean()
