"""The clouds of a split as the network takes them: graphs of scaled points, on the device."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch

from st3d.formats.shards import Cloud, clouds
from st3d.kernels.graph import Graph
from st3d.kernels.points import curve_order
from st3d.training.memory import Memory


class Inputs:
    """All clouds of the parts of one split, in sample order; a context manager.

    Parameters
    ----------
    paths
        The split's shards, in the order of their parts.
    points, neighbours
        n and k that the shards must have.
    scale
        Mean neighbour distance, in the points' unit; coordinates are divided by it.
    device
        Where the graphs go.
    memory
        If all graphs fit into it, each is read once and stays on the device.

    Raises
    ------
    ValueError
        One line with the shard: no cloud, another n or k, or what `formats.shards.clouds` says.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        points: int,
        neighbours: int,
        scale: float,
        device: torch.device,
        memory: Memory | None = None,
    ) -> None:
        self._clouds = clouds(paths, points, neighbours)
        self._scale, self._device = scale, device
        self._kept: dict[int, Graph] = {}
        # float32 coordinates, int32 neighbours and the reversed graph
        size = len(self._clouds) * points * (12 + 8 * neighbours + 8)
        self._keep = memory is not None and memory.reserve(size)
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
        """Read a cloud as it is stored.

        Parameters
        ----------
        index
            In [0, len(self)).

        Returns
        -------
        Cloud
        """
        return self._clouds[index]

    def graph(self, index: int) -> Graph:
        """The graph of a cloud, scaled.

        Parameters
        ----------
        index
            In [0, len(self)).

        Returns
        -------
        Graph of n points, see `scaled`
        """
        if index in self._kept:
            return self._kept[index]
        graph = self.scaled(self._clouds[index])
        if self._keep:
            self._kept[index] = graph
        return graph

    def scaled(self, cloud: Cloud) -> Graph:
        """The graph of one of the clouds, which is not kept.

        Parameters
        ----------
        cloud
            With neighbours.

        Returns
        -------
        Graph of n points, see the function `scaled`
        """
        assert cloud.neighbours is not None  # the shard checked it
        return scaled(cloud.points, cloud.neighbours, self._scale, self._device)


def scaled(points: np.ndarray, neighbours: np.ndarray, scale: float, device: torch.device) -> Graph:
    """The network's input of one cloud: points / scale with their neighbours.

    Its rows follow a curve through space: what an aggregation gathers is then mostly in the processor's cache.

    Parameters
    ----------
    points
        (n, 3) float, any one length unit, finite.
    neighbours
        (n, k) integer in [0, n), rows of `points`.
    scale
        Mean neighbour distance, in the points' unit, above 0.
    device
        Device of the result.

    Returns
    -------
    Graph; its `row_of_point` maps a point of the cloud to its row

    Raises
    ------
    ValueError
        If an index is n or more, or a coordinate is not finite.
    """
    if neighbours.size and int(neighbours.max()) >= len(points):
        raise ValueError(f"neighbours: expected indices below {len(points)}, found {int(neighbours.max())}")
    order = curve_order(points)
    rows = np.empty_like(order)
    rows[order] = np.arange(len(order))
    points_scaled = torch.from_numpy((points[order].astype(np.float64) / scale).astype(np.float32))
    near = torch.from_numpy(rows.astype(np.int32)[neighbours[order]])
    return Graph(points_scaled.to(device), near.to(device), rows)
