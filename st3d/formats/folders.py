"""Folders that are made whole or not at all, and what lies below one."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from st3d.formats.atomic import locked

CLUTTER = ("__macosx", "thumbs.db", "desktop.ini", "@eadir")  # and what begins with a point
MARKER = ".made_by_st3d"  # tells a folder that may be replaced from someone's own data


def files_below(folder: Path) -> list[Path]:
    """All files in a folder, at any depth.

    Parameters
    ----------
    folder
        The folder; links to folders are followed, each folder once.

    Returns
    -------
    Paths relative to `folder`, sorted; empty where it does not exist
    """
    seen: set[str] = set()
    found = []
    for parent, below, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link back up, or a second one to the same place
            below.clear()
            continue
        seen.add(real)
        below.sort()
        found += [Path(os.path.relpath(parent, folder), name) for name in names]
    return sorted(found, key=str)


def is_clutter(name: str) -> bool:
    """Whether a file or folder is what systems and editors leave beside a user's own.

    Parameters
    ----------
    name
        Without its folder.

    Returns
    -------
    True of hidden ones, such as ._000.tiff and .ipynb_checkpoints, and of editors' copies

    Examples
    --------
    >>> [is_clutter(name) for name in ("._000.tiff", "000.tiff~", "000.tiff")]
    [True, True, False]
    """
    return name.startswith(".") or name.endswith("~") or name.lower() in CLUTTER


def refuse_other_files(target: Path) -> None:
    """Refuse a folder that `replaced` must not replace.

    Parameters
    ----------
    target
        The folder; it need not exist.

    Raises
    ------
    ValueError
        If it holds files that `replaced` did not put there.
    """
    if target.exists() and any(target.iterdir()) and not (target / MARKER).exists():
        raise ValueError(f"{target}: expected an empty folder or one made by st3d, found other files; move them away")


@contextlib.contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """Make a folder whole or not at all.

    An earlier one that was made in this way is replaced as a whole; stopped at any moment, no mixture is left.

    Parameters
    ----------
    target
        The folder to make.

    Yields
    ------
    An empty folder beside `target`, to be filled, that takes its name on success

    Raises
    ------
    ValueError
        One line with the folder if it holds a user's own files.
    """
    refuse_other_files(target)
    partial, old = (target.with_name(f".{target.name}.{kind}") for kind in ("partial", "old"))
    with locked(target.with_name(f".{target.name}.lock")):
        for rest in (partial, old):  # of a run that was killed
            shutil.rmtree(rest, ignore_errors=True)
        partial.mkdir()
        (partial / MARKER).touch()
        try:
            yield partial
            if target.exists():
                target.replace(old)
            partial.replace(target)
        finally:
            for rest in (partial, old):
                shutil.rmtree(rest, ignore_errors=True)
