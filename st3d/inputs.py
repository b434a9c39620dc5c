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


class Memory:
    """What a training job may keep from one epoch to the next.

    Parameters
    ----------
    gb : memory (GB, 1e9 bytes) to fill
    device : where it is; of a GPU no more than four fifths of what is free is taken
    """

    def __init__(self, gb: float, device: torch.device) -> None:
        self._left = gb * 1e9
        if device.type == "cuda":
            self._left = min(self._left, 0.8 * torch.cuda.mem_get_info(device)[0])

    def take(self, size: int) -> bool:
        """Whether `size` more bytes fit; if so, they are taken."""
        fits = size <= self._left
        self._left -= size if fits else 0
        return fits


class Inputs:
    """All clouds of the parts of one split, in sample order; a context manager.

    Parameters
    ----------
    paths : the split's shards, in the order of their parts
    points : n, points to take of each cloud
    neighbours : k
    scale : mean neighbour distance, in the points' unit; coordinates are divided by it
    device : where the graphs go
    memory : if all graphs fit into it, each is read once and stays on the device
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
        self._keep = memory is not None and memory.take(size)
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
        graph = self.scaled(self._clouds[index])
        if self._keep:
            self._kept[index] = graph
        return graph

    def scaled(self, cloud: Cloud) -> Graph:
        """The graph of one of the clouds."""
        assert cloud.neighbours is not None  # the shard checked it
        return scaled(cloud.points, cloud.neighbours, self._scale, self._device)


def scaled(points: np.ndarray, neighbours: np.ndarray, scale: float, device: torch.device) -> Graph:
    """The network's input of one cloud: points / scale (n, 3) with neighbours (n, k).

    Its rows follow a curve through space: what an aggregation gathers is then mostly in the processor's cache.
    """
    if neighbours.size and int(neighbours.max()) >= len(points):
        raise ValueError(f"neighbours: expected indices below {len(points)}, found {int(neighbours.max())}")
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
