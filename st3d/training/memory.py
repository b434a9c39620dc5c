"""Memory that a training job may fill, and reading inputs ahead of their use."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from st3d.kernels.native import release_memory

T = TypeVar("T")
RELEASE_EVERY = 8  # items; the memory that one needs, for a moment, comes anew from the system then


class Memory:
    """The memory budget of a training job for data kept between epochs.

    Parameters
    ----------
    gb
        Memory to fill, GB (1e9 bytes).
    device
        Where it is; of a GPU no more than four fifths of what is free is used.
    """

    def __init__(self, gb: float, device: torch.device) -> None:
        self._left = gb * 1e9
        if device.type == "cuda":
            self._left = min(self._left, 0.8 * torch.cuda.mem_get_info(device)[0])

    def reserve(self, size: int) -> bool:
        """Take memory from the budget, if it is there.

        Parameters
        ----------
        size
            Bytes.

        Returns
        -------
        bool, whether they fit; if not, nothing is taken
        """
        fits = size <= self._left
        self._left -= size if fits else 0
        return fits


def released(items: Iterable[T]) -> Iterator[T]:
    """The items; between them, freed memory goes back to the system now and then.

    For passes that keep a part of each result: what they free lies scattered between what they keep, and is used again
    only in part. At n = 64,000 a student's training came to hold twice what it keeps.

    Parameters
    ----------
    items
        Any.

    Yields
    ------
    Each of them
    """
    for number, item in enumerate(items):
        if number % RELEASE_EVERY == 0:
            release_memory()
        yield item


def read_ahead(calls: Iterable[Callable[[], T]], device: torch.device) -> Iterator[T]:
    """The results of `calls` in their order.

    For a GPU, each is computed in a thread of its own while the one before it is used.

    Parameters
    ----------
    calls
        What to call, once each.
    device
        Where the results are used.

    Yields
    ------
    What each call returns
    """
    if device.type == "cpu":  # a reading thread would compete for the computing core
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
