"""Temporary folders of a run that was killed, which no process is there to remove: the next run in its results does."""

import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

NAMES = re.compile(r"(snakemake|st3d-)\w+")  # of Snakemake's folder, and of the job server's


def remove_left(lock: Path) -> None:
    """Remove the folders that an earlier run noted; only whoever holds the lock may ask for it.

    Parameters
    ----------
    lock
        The lock file of the results, with a line for each folder. Anyone may have written it, so that only this user's
        own folders of a run are removed, in the system's folder for temporary files.
    """
    try:
        noted = lock.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for path in map(Path, noted):
        if path.parent == Path(tempfile.gettempdir()) and NAMES.fullmatch(path.name):
            with contextlib.suppress(OSError):
                found = path.lstat()
                if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
                    shutil.rmtree(path, ignore_errors=True)


def note(lock: Path, folders: Iterable[Path]) -> None:
    """Note this run's temporary folders in the lock file that it holds; where that cannot be written, nowhere.

    Parameters
    ----------
    lock
        The lock file.
    folders
        The folders; a normal end removes them.
    """
    with contextlib.suppress(OSError):
        lock.write_text("".join(f"{folder}\n" for folder in folders))
