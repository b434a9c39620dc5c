"""Text for error messages: shapes and other libraries' errors; and how to silence those libraries' logs."""

import contextlib
import logging
from collections.abc import Iterator, Sequence


def sides_text(shape: Sequence[int]) -> str:
    """The text of a shape, such as 400 x 400."""
    return " x ".join(str(side) for side in shape)


def error_text(error: object) -> str:
    """The text of another library's error, on one line and at most 120 characters long."""
    return " ".join(str(error).split())[:120] or type(error).__name__


@contextlib.contextmanager
def silenced(library: str) -> Iterator[None]:
    """Drop log records of `library` inside the context; for damaged files, of which our own error tells."""
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
    """Replace what a library raises at a damaged file by a ValueError `<expected>, found <its reason>`."""
    try:
        yield
    except FileNotFoundError:
        raise ValueError(f"{expected}, found no such file") from None
    except Exception as error:
        raise ValueError(f"{expected}, found {error_text(error)}") from None
