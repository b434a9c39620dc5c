"""Parts of sentences that errors are made of."""

from collections.abc import Sequence


def by(shape: Sequence[int]) -> str:
    """Sides as people write them: 400 x 400."""
    return " x ".join(str(side) for side in shape)


def short(error: Exception) -> str:
    """Another library's error in part of a line."""
    return " ".join(str(error).split())[:120] or type(error).__name__
