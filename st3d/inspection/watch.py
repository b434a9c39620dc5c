"""Files of a folder that a sensor writes into, each once it is whole."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from st3d.formats.sensor_files.find import find_scans

POLL = 0.25  # s between two looks at most
PATIENCE = 10  # times `settle` that an unreadable file is waited for


@dataclass
class _Seen:
    """A file as it was at the last look."""

    size: int
    modified: int
    since: float


def whole_files(
    folder: Path, settle: float, idle: float, is_done: Callable[[Path, os.stat_result], bool]
) -> Iterator[tuple[Path, bool]]:
    """Files as they arrive, in the order in which they became quiet; polled, so that any file system will do.

    Parameters
    ----------
    folder
        What is watched, at all depths.
    settle
        Seconds without a change of size and time of writing after which a file counts as whole.
    idle
        Seconds without a file after which it ends; 0: never.
    is_done
        Whether a file in this state needs nothing more.

    Yields
    ------
    A file, and whether it has been quiet for so long that it is taken as it is; one that is not done after it was given
    comes again
    """
    pending: dict[Path, _Seen] = {}
    last = time.monotonic()
    while True:
        now, states = time.monotonic(), _states(folder)
        pending = {path: seen for path, seen in pending.items() if path in states}
        for path, stat in states.items():
            seen = pending.get(path)
            if is_done(path, stat):
                pending.pop(path, None)
            elif seen is None or (seen.size, seen.modified) != (stat.st_size, stat.st_mtime_ns):
                pending[path] = _Seen(stat.st_size, stat.st_mtime_ns, now)
                last = now
        for path in sorted(pending, key=lambda each: (pending[each].since, pending[each].modified, str(each))):
            quiet = time.monotonic() - pending[path].since
            if quiet >= settle:
                yield path, quiet >= PATIENCE * settle
                last = time.monotonic()
        if idle and not pending and time.monotonic() - last >= idle:
            return
        time.sleep(min(POLL, max(settle / 4, 0.01)))


def _states(folder: Path) -> dict[Path, os.stat_result]:
    try:
        files = find_scans([folder]).files
    except ValueError:  # none yet
        if not folder.is_dir():
            raise
        return {}
    found = {}
    for path in files:
        try:
            found[path] = path.stat()
        except OSError:  # gone, or a link to nowhere
            continue
    return found
