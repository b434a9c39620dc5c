"""The images of a split as the baselines' networks take them: batches on the device."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from st3d.images import Images, Modality
from st3d.memory import Memory


class ImageInputs:
    """All images of one split; a context manager.

    Parameters
    ----------
    path : the split's images
    modality : 3d, or 3d_rgb for the colours too
    device : where the batches go
    memory : if all images fit into it, each is read once and stays on the device
    """

    def __init__(self, path: Path, modality: Modality, device: torch.device, memory: Memory) -> None:
        self.images = Images(path)
        self._modality, self._device = modality, device
        chosen = self.images.guarded(lambda: self.images.channels_of(modality))
        self.channels = chosen.stop - chosen.start
        self._kept: dict[int, Tensor] = {}
        self._keep = memory.take(len(self.images) * self.channels * int(np.prod(self.images.sides)) * 4)

    def __len__(self) -> int:
        return len(self.images)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.images.close()

    def described(self, modality: Modality) -> dict[str, Any]:
        """What a model of these images must say of them, so that its maps are made of images alike."""
        return {"input": self.images.kind, "modality": modality, "frame": self.images.frame}

    def batch(self, indices: Sequence[int] | np.ndarray) -> Tensor:
        """Images (b, c, *sides) float32 at `indices`."""
        return torch.stack([self._image(int(index)) for index in indices])

    def batches(self, order: np.ndarray, size: int) -> list[np.ndarray]:
        """`order` cut into batches of `size`; the last one may be smaller."""
        return [order[start : start + size] for start in range(0, len(order), size)]

    def _image(self, index: int) -> Tensor:
        if index in self._kept:
            return self._kept[index]
        image = torch.from_numpy(self.images.image(index, self._modality).values).to(self._device)
        if self._keep:
            self._kept[index] = image
        return image
