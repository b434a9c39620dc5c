"""Text for error messages: shapes and other libraries' errors; and how to silence those libraries' logs."""

import contextlib
import logging
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path


def sides_text(shape: Sequence[int]) -> str:
    """The text of a shape.

    Parameters
    ----------
    shape
        Integers.

    Returns
    -------
    Such as "400 x 400"
    """
    return " x ".join(str(side) for side in shape)


def error_text(error: object) -> str:
    """The text of another library's error.

    Parameters
    ----------
    error
        The exception, or its text.

    Returns
    -------
    One line of at most 120 characters; the type's name where there is no text
    """
    return " ".join(str(error).split())[:120] or type(error).__name__


def refuse_devices(path: Path, expected: str = "expected a file") -> None:
    """Refuse a device or a pipe, a link to one too: what is read from it may never come, or never end.

    Parameters
    ----------
    path
        What is to be read as a file; what is missing, or a folder, is left to its reader.
    expected
        First part of the error, such as "<file>: expected a TIFF file".

    Raises
    ------
    ValueError
        `<expected>, found a device or a pipe`.
    """
    with contextlib.suppress(OSError):
        mode = Path(path).stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise ValueError(f"{expected}, found a device or a pipe")


@contextlib.contextmanager
def silenced(library: str) -> Iterator[None]:
    """Drop the log records of a library inside the context; for damaged files, of which our own error tells.

    Parameters
    ----------
    library
        Name of its logger.
    """
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
    """Replace what a library raises at a damaged file by an error of one line.

    Parameters
    ----------
    expected
        Its first part, such as "<file>: expected a TIFF file".

    Raises
    ------
    ValueError
        `<expected>, found <the library's reason>`, for any exception inside the context.
    """
    try:
        yield
    except FileNotFoundError:
        raise ValueError(f"{expected}, found no such file") from None
    except Exception as error:
        raise ValueError(f"{expected}, found {error_text(error)}") from None


class Faults(ValueError):  # noqa: N818 several errors
    """Several faults at once, so that a user mends all files before the next try.

    Parameters
    ----------
    lines
        One or more, each with its file.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = list(lines)
