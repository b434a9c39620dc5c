"""Stage `variation`: a baseline: the mean and standard deviation of each voxel or pixel over anomaly-free scans."""

import logging
from pathlib import Path

import numpy as np
import torch

from st3d.formats.checkpoints import save
from st3d.formats.images import Images, Modality
from st3d.formats.provenance import provenance

log = logging.getLogger("st3d")


def variation(*, train: Path, model: Path, modality: Modality, least_std: float, code: str) -> None:
    """Take the mean and standard deviation of each voxel or pixel over one category's training scans.

    Rotated copies do not count.

    Parameters
    ----------
    train
        The category's training images.
    model
        The model to write.
    modality
        3d, or 3d_rgb for the colours too.
    least_std
        Standard deviations below it become it, in the images' units: voxels that are always alike have none.
    code
        Fingerprint of the code, kept with the model.

    Raises
    ------
    ValueError
        If the file is none of images, or the colours are missing.
    """
    settings = {"modality": modality, "least_std": least_std}
    with Images(train) as images:
        # by name: sums in another order would differ in the last bits
        names = images.read("sample", slice(None))
        order = sorted(np.flatnonzero(images.copies == 0).tolist(), key=lambda index: names[index])
        mean, std = moments(images, order, modality)
        properties = images.properties(modality)
    log.info("%s: %d scans", train, len(order))
    content = provenance(settings, code) | {"kind": "baseline", "method": "variation"}
    arrays = {"mean": torch.from_numpy(mean), "std": torch.from_numpy(np.maximum(std, np.float32(least_std)))}
    save(model, content | properties | arrays)


def moments(images: Images, order: list[int], modality: Modality) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over some images; summed in float64, one image at a time.

    Two passes: squares of values far from their spread would leave few significant digits.

    Parameters
    ----------
    images
        Of one split.
    order
        Indices of one or more of them, in the order of the sums.
    modality
        3d, or 3d_rgb for the colours too.

    Returns
    -------
    Two (c, *sides) float32, in the images' units; the standard deviation is that of the population
    """
    total = np.zeros((), np.float64)
    for index in order:
        total = total + images.image(index, modality).values
    mean = total / len(order)
    square = np.zeros((), np.float64)
    for index in order:
        square = square + (images.image(index, modality).values - mean) ** 2
    return mean.astype(np.float32), np.sqrt(square / len(order)).astype(np.float32)
