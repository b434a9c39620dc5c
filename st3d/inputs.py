"""The clouds of a split as the network takes them: scaled points and neighbours, one cloud at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from st3d.shards import Cloud, clouds


class Inputs:
    """All clouds of the parts of one split, in sample order; a context manager.

    Parameters
    ----------
    paths : the split's shards, in the order of their parts
    points : n, points to take of each cloud
    neighbours : k
    scale : mean neighbour distance, in the points' unit; coordinates are divided by it
    device : where the tensors go
    """

    def __init__(self, paths: Sequence[Path], points: int, neighbours: int, scale: float, device: torch.device) -> None:
        self._clouds = clouds(paths, points, neighbours)
        self._scale, self._device = scale, device
        if not len(self._clouds):
            self._clouds.__exit__()
            raise ValueError(f"{paths[0]}: expected at least one cloud, found none")

    def __len__(self) -> int:
        return len(self._clouds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._clouds.__exit__()

    def cloud(self, index: int) -> Cloud:
        """Cloud `index` as it is stored, cut to n points and k neighbours."""
        return self._clouds[index]

    def tensors(self, index: int, rotation: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
        """Scaled points (n, 3) float32 and neighbours (n, k) int32; turned by the matrix (3, 3) if one is given."""
        cloud = self._clouds[index]
        assert cloud.neighbours is not None  # the shard checked it
        return scaled(cloud.points, cloud.neighbours, self._scale, self._device, rotation)


def scaled(
    points: np.ndarray,
    neighbours: np.ndarray,
    scale: float,
    device: torch.device,
    rotation: np.ndarray | None = None,
) -> tuple[Tensor, Tensor]:
    """The network's input of one cloud: points / scale (n, 3) float32, neighbours (n, k) int32."""
    points_scaled = points.astype(np.float64) / scale
    if rotation is not None:
        points_scaled = points_scaled @ rotation.T
    return (
        torch.from_numpy(points_scaled.astype(np.float32)).to(device),
        torch.from_numpy(neighbours.astype(np.int32)).to(device),
    )
