"""A progress bar on a terminal."""

from collections.abc import Iterable
from typing import Any


def progress_bar(items: Iterable[Any], what: str, total: int | None = None) -> Iterable[Any]:
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
