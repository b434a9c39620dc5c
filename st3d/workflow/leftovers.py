"""Temporary folders of runs that were killed, which no process was there to remove: the next run does."""

import contextlib
import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path

OWNER = "st3d-owner"  # a file in the folder: host, process, when that process started
FOLDERS = "snakemake*"  # Snakemake's name for them


def claim(folder: Path) -> None:
    """Write down whose temporary folder this is.

    Parameters
    ----------
    folder
        Snakemake's; it vanishes with a run that ends by itself.
    """
    with contextlib.suppress(OSError):  # with a full disk the folder stays, once the run is killed
        (folder / OWNER).write_text(f"{socket.gethostname()} {os.getpid()} {_started(os.getpid())}")


def remove_ownerless() -> None:
    """Remove this user's temporary folders whose process, on this host, has ended."""
    for folder in Path(tempfile.gettempdir()).glob(FOLDERS):
        with contextlib.suppress(OSError, ValueError):
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
                host, process, started = (folder / OWNER).read_text().split()
                if host == socket.gethostname() and _started(int(process)) != started:
                    shutil.rmtree(folder, ignore_errors=True)


def _started(process: int) -> str:
    """When a process started, since a number can be given again; "none" if there is no such process."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return "none"
    try:
        os.kill(process, 0)  # macOS
    except ProcessLookupError:
        return "none"
    return "some time"
