"""Files that are written whole or not at all, and by one process at a time."""

import contextlib
import csv
import errno
import fcntl
import functools
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from st3d.formats.errors import error_text, refuse_devices

log = logging.getLogger("st3d")

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no space, quota used up, file larger than allowed
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # some network file systems


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all; missing folders are made.

    The temporary file's name is fixed and it is locked: what a killed process left is overwritten, and a second writer
    waits.

    Parameters
    ----------
    path
        The file to write.

    Yields
    ------
    An empty file beside `path`, to be written, that takes its name on success and vanishes on an error

    Raises
    ------
    OSError
        One line with `path` where the disk is full.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    with _exclusive(partial) as descriptor:
        try:
            os.ftruncate(descriptor, 0)
            yield partial
            os.fsync(descriptor)
            partial.replace(path)
        except BaseException as error:
            partial.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in FULL:  # the system does not say which file
                raise OSError(f"{path}: not written, {os.strerror(error.errno).lower()}") from None
            raise


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a file exclusively: an orphaned job and its successor must not train the same model together.

    Parameters
    ----------
    path
        The file, which exists as long as the lock; another holder is waited for.
    """
    with _exclusive(path):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON atomically, its keys sorted.

    Parameters
    ----------
    path
        The file to write.
    content
        What JSON can hold, numbers finite.
    """
    with atomic(path) as partial:
        partial.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Its content

    Raises
    ------
    ValueError
        One line with the file if it is damaged.
    OSError
        If it is missing or cannot be read.
    """
    refuse_devices(path, f"{path}: expected JSON")
    try:
        content = json.loads(Path(path).read_text())
    except (ValueError, RecursionError) as error:  # no JSON, no text, too long a number, too many levels
        raise ValueError(f"{path}: expected JSON, found {error_text(error)}; delete it and run again") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected names and values, found {type(content).__name__}; delete it and run again")
    return content


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write a table atomically.

    Parameters
    ----------
    path
        The file to write.
    rows
        A value per column; a missing one is left empty.
    columns
        The header, in its order.
    """
    with atomic(path) as partial, open(partial, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[int]:
    """The open and locked file `path`, made if missing; the kernel drops the lock when the process ends in any way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        # no link is followed: in a folder that others write to too, it may have been laid there to have a file emptied
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            _lock(descriptor, path)
            if _is_at(descriptor, path):  # else its writer renamed or removed it while this process waited
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _lock(descriptor: int, path: Path) -> None:
    """Wait for the lock; a file system without locks is warned of once."""
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("%s: another process is at work on this; waiting for it to end", path)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        _warn_of_no_locks(os.strerror(error.errno))


@functools.cache
def _warn_of_no_locks(reason: str) -> None:
    log.warning("the results' file system has no locks (%s): start no second run of the same job", reason)
