"""A progress bar on a terminal."""

from collections.abc import Iterable
from typing import Any


def progress_bar(items: Iterable[Any], what: str, total: int | None = None) -> Iterable[Any]:
    """`items`, `total` of them, with a progress bar on a terminal."""
    from tqdm import tqdm

    return tqdm(items, desc=what, total=total, leave=False, disable=None)
