"""A progress bar where a terminal is watched."""

from collections.abc import Iterable
from typing import Any


def progress_bar(items: Iterable[Any], what: str, total: int | None = None) -> Iterable[Any]:
    """`items`, `total` of them, with a progress bar where somebody watches a terminal."""
    from tqdm import tqdm

    return tqdm(items, desc=what, total=total, leave=False, disable=None)
