"""The clouds of a split as the network takes them: graphs of scaled points, on the device."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import torch

from st3d.aggregation import Graph
from st3d.points import curve_order
from st3d.shards import Cloud, clouds

T = TypeVar("T")


class Inputs:
    """All clouds of the parts of one split, in sample order; a context manager.

    Parameters
    ----------
    paths : the split's shards, in the order of their parts
    points : n, points to take of each cloud
    neighbours : k
    scale : mean neighbour distance, in the points' unit; coordinates are divided by it
    device : where the graphs go
    cache_gb : if all graphs fit into this memory (GB), each is read once and stays on the device
    """

    def __init__(
        self,
        paths: Sequence[Path],
        points: int,
        neighbours: int,
        scale: float,
        device: torch.device,
        cache_gb: float = 0,
    ) -> None:
        self._clouds = clouds(paths, points, neighbours)
        self._scale, self._device = scale, device
        self._kept: dict[int, Graph] = {}
        # float32 coordinates, int32 neighbours and the reversed graph
        self._keep = len(self._clouds) * points * (12 + 8 * neighbours + 8) <= cache_gb * 1e9
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

    def graph(self, index: int) -> Graph:
        """Cloud `index`, scaled."""
        if index in self._kept:
            return self._kept[index]
        cloud = self._clouds[index]
        assert cloud.neighbours is not None  # the shard checked it
        graph = scaled(cloud.points, cloud.neighbours, self._scale, self._device)
        if self._keep:
            self._kept[index] = graph
        return graph


def scaled(points: np.ndarray, neighbours: np.ndarray, scale: float, device: torch.device) -> Graph:
    """The network's input of one cloud: points / scale (n, 3) with neighbours (n, k).

    Its rows follow a curve through space: what an aggregation gathers is then mostly in the processor's cache.
    """
    order = curve_order(points)
    rows = np.empty_like(order)
    rows[order] = np.arange(len(order))
    points_scaled = torch.from_numpy((points[order].astype(np.float64) / scale).astype(np.float32))
    near = torch.from_numpy(rows.astype(np.int32)[neighbours[order]])
    return Graph(points_scaled.to(device), near.to(device), rows)


def ahead(calls: Iterable[Callable[[], T]], device: torch.device) -> Iterator[T]:
    """The results of `calls` in their order; before a GPU, each is made while the one before it is used."""
    if device.type == "cpu":  # a second thread would only take the core from the first
        for call in calls:
            yield call()
        return
    with ThreadPoolExecutor(1) as reader:
        waiting = None
        for call in calls:
            following = reader.submit(call)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
