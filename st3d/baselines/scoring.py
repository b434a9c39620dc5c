"""A trained baseline, read from its file, scores voxels or pixels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from st3d.baselines.image_networks import Autoencoder
from st3d.formats.checkpoints import load, load_weights


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
    """The trained baseline in `path`, on the device."""
    content = load(path, "baseline")
    if content["method"] == "variation":
        mean, std = content["mean"].to(device), content["std"].to(device)
        return _baseline(content, lambda images: mahalanobis(images, mean, std))
    # an f-AnoGAN is used as an autoencoder is: encoder, then generator
    network = Autoencoder(**content["network"])
    load_weights(network, content["weights"], path)
    network.requires_grad_(False).eval().to(device)
    return _baseline(content, lambda images: residual(images, network))


def residual(images: Tensor, network: nn.Module) -> Tensor:
    """Euclidean distance over the channels (b, *sides) of images (b, c, *sides) and their reconstructions."""
    return (images - network(images)).square().sum(dim=1).sqrt()


def mahalanobis(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Mahalanobis distance (b, *sides) of images (b, c, *sides); mean and std (c, *sides), channels independent."""
    return ((images - mean) / std).square().sum(dim=1).sqrt()


def _baseline(content: Mapping[str, Any], scores: Callable[[Tensor], Tensor]) -> Baseline:
    return Baseline({name: content[name] for name in ("input", "modality", "frame", "channels", "sides")}, scores)
