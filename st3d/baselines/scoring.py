"""A trained baseline, read from its file, scores voxels or pixels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from st3d.baselines.image_networks import Autoencoder
from st3d.formats.checkpoints import content_of, load, load_network


@dataclass(frozen=True)
class Baseline:
    """A trained baseline.

    Attributes
    ----------
    images
        Which images it takes, see `Images.properties`.
    scores
        Images (b, c, *sides) to the anomaly score of each voxel or pixel (b, *sides).
    """

    images: Mapping[str, Any]
    scores: Callable[[Tensor], Tensor]


def load_baseline(path: Path, device: torch.device) -> Baseline:
    """The trained baseline in a file.

    Parameters
    ----------
    path
        A model that stage `variation`, `autoencoder` or `gan` wrote.
    device
        Device of its weights, and of the images that it takes.

    Returns
    -------
    Baseline

    Raises
    ------
    ValueError
        One line with the file, if it is damaged, no baseline, or of another version.
    """
    content = load(path, "baseline")
    with content_of(path, "a baseline"):
        if content["method"] == "variation":
            mean, std = content["mean"].to(device), content["std"].to(device)
            return _baseline(content, lambda images: mahalanobis(images, mean, std))
        # an f-AnoGAN is used as an autoencoder is: encoder, then generator
        network = load_network(lambda: Autoencoder(**content["network"]), content["weights"], path)
        network.requires_grad_(False).eval().to(device)
        return _baseline(content, lambda images: residual(images, network))


def residual(images: Tensor, network: nn.Module) -> Tensor:
    """Euclidean distance over the channels between images and their reconstructions.

    Parameters
    ----------
    images
        (b, c, *sides) float32.
    network
        (b, c, *sides) to the same shape.

    Returns
    -------
    (b, *sides) float32, in the images' units
    """
    return (images - network(images)).square().sum(dim=1).sqrt()


def mahalanobis(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Mahalanobis distance of each voxel or pixel, its channels independent.

    Parameters
    ----------
    images
        (b, c, *sides) float32.
    mean, std
        (c, *sides) float32, the same units; std above 0.

    Returns
    -------
    (b, *sides) float32, in standard deviations
    """
    return ((images - mean) / std).square().sum(dim=1).sqrt()


def _baseline(content: Mapping[str, Any], scores: Callable[[Tensor], Tensor]) -> Baseline:
    return Baseline({name: content[name] for name in ("input", "modality", "frame", "channels", "sides")}, scores)
