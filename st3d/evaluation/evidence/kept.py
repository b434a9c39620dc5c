"""Which rows of the evidence that is kept with the code still stand beside those of a new run."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from st3d.formats.atomic import read_json
from st3d.formats.folders import files_below, is_clutter
from st3d.formats.provenance import sha256

log = logging.getLogger("st3d")
Row = dict[str, Any]


def merged(earlier: Path, new: Sequence[Row], declared: Mapping[str, str], digest: Callable[[str], str]) -> list[Row]:
    """The rows of a new run, and of an earlier one those that were not run again and could have been.

    Parameters
    ----------
    earlier
        Folder of the earlier rows' JSONs; need not exist.
    new
        Rows of the new run, with the digests of their data.
    declared
        Hash of the settings of each declared variant, in the order in which they are to stand.
    digest
        Of a folder's content; empty where there is none.

    Returns
    -------
    In the order of `declared`. An earlier row is left out, with a line in the log, if its variant is no longer
    declared, has other settings now, or a folder of its data has other content now.
    """
    rows = {row["variant"]: row for row in new}
    for path in sorted(earlier.glob("*.json")):
        row = read_json(path)
        if row["variant"] in rows:
            continue
        if reason := _no_longer(row, declared, digest):
            log.warning("%s: left out: %s", path, reason)
        else:
            rows[row["variant"]] = row
    return [rows[name] for name in declared if name in rows]


def _no_longer(row: Row, declared: Mapping[str, str], digest: Callable[[str], str]) -> str:
    """Why an earlier row cannot stand beside new ones; empty if it can."""
    if row["variant"] not in declared:
        return "the config declares no such variant"
    if row["settings"] != declared[row["variant"]]:
        return "its settings are others now"
    changed = [folder for folder, expected in row["data"].items() if digest(folder) not in ("", expected)]
    return f"{changed[0]} has other files now" if changed else ""


def digest_of_folder(folder: str) -> str:
    """A hash of a folder's content, whatever the times of its files.

    Parameters
    ----------
    folder
        Its path. Simulated data, whose complete.json names settings and code, are known by these two: the last bits of
        their coordinates depend on the machine.

    Returns
    -------
    16 hexadecimal digits of the files' names and contents; empty where it does not exist or is empty
    """
    complete = Path(folder, "complete.json")
    about = read_json(complete) if complete.is_file() else {}
    if {"settings", "code"} <= about.keys():
        return hashlib.sha256(json.dumps([about["settings"], about["code"]], sort_keys=True).encode()).hexdigest()[:16]
    found = hashlib.sha256()
    names = [name for name in files_below(Path(folder)) if not any(is_clutter(part) for part in name.parts)]
    for name in names:
        found.update(f"{name.as_posix()}\0{sha256(Path(folder, name))}\0".encode())
    return found.hexdigest()[:16] if names else ""
