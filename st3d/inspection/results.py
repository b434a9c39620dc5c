"""What `predict` writes of its scans: a table, and the names of the files beside it."""

import csv
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from st3d.formats.atomic import write_csv
from st3d.inspection.places import TABLE

Verdict = Literal["pass", "fail", "unlike", "error"]
COLUMNS = (
    "file", "verdict", "score", "threshold", "anomalous_share", "highest_score", "row", "column", "x", "y", "z", "unit",
    "points", "seconds", "name", "bytes", "modified_ns", "message",
)  # fmt: skip


class Results:
    """The table of one folder of results, written anew after each scan, so that a kill loses none.

    Parameters
    ----------
    folder
        Where results.csv lies.
    keep
        Whether the rows of an earlier call are kept.

    Raises
    ------
    ValueError
        If the table there is none of `predict`.
    """

    def __init__(self, folder: Path, keep: bool) -> None:
        self.path = folder / TABLE
        self.rows: dict[str, dict[str, Any]] = {}
        self.counts: Counter[str] = Counter()
        if self.path.is_file():  # looked at in any case: another program's is neither replaced nor a sign of results
            rows = _rows(self.path)
            self.rows = {_key(row["file"]): row for row in rows} if keep else {}
        self._write()  # first of all: the folder is one of results from now on

    def add(self, row: dict[str, Any]) -> None:
        """Add a scan's row, or replace it, and write the table."""
        self.rows[_key(row["file"])] = row
        self.counts[row["verdict"]] += 1
        self._write()

    def _write(self) -> None:
        write_csv(self.path, list(self.rows.values()), COLUMNS)

    def is_done(self, path: Path, stat: os.stat_result) -> bool:
        """Whether the file has a row, and is unchanged since."""
        row = self.rows.get(_key(path), {})
        return (str(row.get("bytes")), str(row.get("modified_ns"))) == (str(stat.st_size), str(stat.st_mtime_ns))

    @property
    def names(self) -> dict[str, str]:
        """The name of each scan's files, by the scan's absolute path."""
        return {file: row["name"] for file, row in self.rows.items()}

    @property
    def exit_code(self) -> int:
        """Of the scans of this call: 0 all pass, 2 some fail, 1 one could not be judged."""
        if self.counts["error"] or self.counts["unlike"]:
            return 1
        return 2 if self.counts["fail"] else 0

    def summary(self) -> str:
        """The counts of this call in a line."""
        names = ("pass", "fail", "unlike", "error")
        counts = ", ".join(f"{self.counts[name]} {name}" for name in names if self.counts[name])
        return f"{sum(self.counts.values())} scans: {counts or 'none'}; {self.path}"


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            columns, rows = reader.fieldnames or (), list(reader)
    except (UnicodeDecodeError, csv.Error):
        columns, rows = (), []
    if not set(COLUMNS) <= set(columns):
        raise ValueError(f"{path}: expected a table that predict wrote, found another; move it, or name another folder")
    return [row for row in rows if row["file"] and row["name"]]


def _key(path: Path | str) -> str:
    """One name of a file, relative or not."""
    return printable(os.path.abspath(path))  # noqa: PTH100  a link keeps its own name


def printable(path: Path | str) -> str:
    r"""A path for tables and screens; bytes of a name that are no UTF-8 are spelled out, as \udcff."""
    return str(path).encode("utf-8", "backslashreplace").decode()


class Names:
    """Names for the files of each scan: its own path below the given folder, without its ending.

    Parameters
    ----------
    base
        Folder that the scans' paths are told from.
    taken
        Names of earlier scans, by absolute path.
    """

    def __init__(self, base: Path, taken: Mapping[str, str]) -> None:
        self._base, self._names = base, dict(taken)

    def of(self, path: Path) -> str:
        """The scan's name; one of the same beginning and another ending has it at its end: 000, 000_ply."""
        key = _key(path)
        if key not in self._names:
            relative = Path(os.path.relpath(path, self._base))
            stem = printable(relative.with_suffix("").as_posix())
            others = set(self._names.values())
            name = stem if stem not in others else f"{stem}_{path.suffix[1:].lower()}"
            while name in others:
                name += "_"
            self._names[key] = name
        return self._names[key]


def base_of(places: Sequence[Path], files: Sequence[Path]) -> Path:
    """The folder that the scans' names are told from: the given one, or the deepest that holds all files."""
    if len(places) == 1 and places[0].is_dir():
        return places[0]
    return Path(os.path.commonpath([os.path.dirname(_key(path)) for path in files]))  # noqa: PTH120
