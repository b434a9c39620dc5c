"""The images of a split as the baselines' networks take them: batches on the device."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from st3d.baselines.image_networks import core
from st3d.formats.images import Images, Modality
from st3d.training.memory import Memory, read_ahead
from st3d.training.progress_bar import progress_bar
from st3d.training.settings import TrainingSettings


class ImageInputs:
    """All images of one split; a context manager.

    Parameters
    ----------
    path
        The split's images (HDF5).
    modality
        3d, or 3d_rgb for the colours too.
    device
        Device of the batches.
    memory
        If all images fit into it, each is read once and stays on the device.

    Attributes
    ----------
    properties
        Kind, channels, sides and frame, which a model of these images keeps.
    channels
        c, those of the modality.

    Raises
    ------
    ValueError
        If the file is none of images, the networks cannot take their sides, or the colours are missing.
    """

    def __init__(self, path: Path, modality: Modality, device: torch.device, memory: Memory) -> None:
        self.images = Images(path)
        self.images.guarded(self._check_sides)
        self._modality, self._device = modality, device
        self.properties = self.images.guarded(lambda: self.images.properties(modality))
        self.channels: int = self.properties["channels"]
        self._kept: dict[int, Tensor] = {}
        self._keep = memory.reserve(len(self.images) * self.channels * int(np.prod(self.images.sides)) * 4)

    def __len__(self) -> int:
        return len(self.images)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.images.close()

    def batch(self, indices: Sequence[int] | np.ndarray) -> Tensor:
        """Some images.

        Parameters
        ----------
        indices
            (b,) in [0, number of images).

        Returns
        -------
        (b, c, *sides) float32, on the device
        """
        return torch.stack([self._image(int(index)) for index in indices])

    def shuffled(self, stream: list[int], size: int, what: str) -> Iterable[Tensor]:
        """All images in random order, in batches, the last one maybe smaller; read ahead of a GPU.

        Parameters
        ----------
        stream
            Numbers of the random stream.
        size
            Images of a batch.
        what
            Names the progress bar.

        Returns
        -------
        Iterable of (b, c, *sides) float32, on the device
        """
        order = np.random.default_rng(stream).permutation(len(self))
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        return progress_bar(
            read_ahead((partial(self.batch, indices) for indices in batches), self._device), what, len(batches)
        )

    def _check_sides(self) -> None:
        try:
            core(self.images.sides)
        except ValueError as error:
            raise ValueError(f"{self.images.path}: {error}") from None

    def _image(self, index: int) -> Tensor:
        if index in self._kept:
            return self._kept[index]
        image = torch.from_numpy(self.images.image(index, self._modality).values).to(self._device)
        if self._keep:
            self._kept[index] = image
        return image


@dataclass(frozen=True, kw_only=True)
class ImageTrainingSettings(TrainingSettings):
    """A baseline's network on images, and its training.

    Parameters
    ----------
    modality
        3d, or 3d_rgb for the colours too.
    latent
        z, the latent dimension.
    channels
        Channels of the encoder's first convolution; the others have multiples of it.
    batch
        Images per step.
    """

    modality: Modality
    latent: int
    channels: int
    batch: int

    def dimensions(self, images: ImageInputs) -> dict[str, Any]:
        """The parameters of a network for images.

        Parameters
        ----------
        images
            What the network takes.

        Returns
        -------
        `inputs`, `sides`, `channels` and `latent`, as `image_networks.Encoder` takes them
        """
        sides = list(images.images.sides)
        return {"inputs": images.channels, "sides": sides, "channels": self.channels, "latent": self.latent}
