"""What errors say of arrays and of other libraries, and how these are kept quiet."""

import contextlib
import logging
from collections.abc import Iterator, Sequence


def sides_text(shape: Sequence[int]) -> str:
    """A shape as people write it: 400 x 400."""
    return " x ".join(str(side) for side in shape)


def error_text(error: object) -> str:
    """What another library's error says, on one line and at most 120 characters long."""
    return " ".join(str(error).split())[:120] or type(error).__name__


@contextlib.contextmanager
def silenced(library: str) -> Iterator[None]:
    """Drop what `library` logs of a damaged file inside the context: our error says it in one line."""
    logger = logging.getLogger(library)

    def nothing(_: logging.LogRecord) -> bool:
        return False

    logger.addFilter(nothing)
    try:
        yield
    finally:
        logger.removeFilter(nothing)


@contextlib.contextmanager
def one_line(expected: str) -> Iterator[None]:
    """Turn what a library raises at a damaged file into a ValueError `<expected>, found <its reason>`."""
    try:
        yield
    except FileNotFoundError:
        raise ValueError(f"{expected}, found no such file") from None
    except Exception as error:
        raise ValueError(f"{expected}, found {error_text(error)}") from None
