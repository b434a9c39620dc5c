"""How far a job is: a bar on a terminal, lines with the time left in a log."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
LINES = 10  # at most, of one log

log = logging.getLogger("st3d")


def progress_bar(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """Show on a terminal how many of some items have been used.

    Parameters
    ----------
    items
        Used one at a time.
    what
        Text beside the bar.
    total
        How many there are; None: len(items), if it has one.

    Returns
    -------
    The items
    """
    from tqdm import tqdm

    return tqdm(items, desc=what, total=total, leave=False, disable=None)


def counted(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """Show how many of some items have been used: a bar on a terminal, else a line now and then with the time left.

    Parameters
    ----------
    items
        Used one at a time.
    what
        Text before the numbers.
    total
        How many there are.

    Yields
    ------
    The items
    """
    if sys.stderr.isatty():
        yield from progress_bar(items, what, total)
        return
    started, told = time.monotonic(), 0
    for number, item in enumerate(items, 1):
        yield item  # it is used before the generator goes on
        if number == total or number * LINES // total > told:
            told = number * LINES // total
            left = (time.monotonic() - started) / number * (total - number)
            log.info("%s %d/%d, %.0f s left", what, number, total, left)
