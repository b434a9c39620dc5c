"""Tables of text: XYZ, CSV, TXT, ASC and PTS, with points in rows or a height map as a matrix."""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from st3d.formats.errors import one_line
from st3d.formats.sensor_files.scan import PER_METRE, Numbers, Unit
from st3d.formats.sensor_files.sensor import Pitch

HEADER = 200  # lines before the first numbers
COMMENT = ("#", "//", "%", "!")
EMPTY = frozenset({"", "-", "--", "---", "na", "n/a", "null", "none", "bad", "invalid"})  # for "no number"
WIDEST = 16  # columns of a table of points: coordinates, colours, normals, curvature ...; a wider one is a matrix
COMMA = re.compile(r"[+-]?\d+(,\d*)?([eE][+-]?\d+)?")  # a number with a decimal comma, or without decimals
LENGTH = re.compile(r"(width|height|value units)\W+([\d.eE+-]*)\s*(\S+)", re.IGNORECASE)  # as Gwyddion writes it
UNITS: dict[str, Unit] = {"m": "m", "mm": "mm", "um": "um", "µm": "um", "μm": "um"}


@dataclass(frozen=True)
class Table:
    """The lines of a table, and how they are written."""

    header: list[str]  # lines before the numbers, comments among them
    rows: list[str]  # of numbers
    delimiter: str | None  # None: white space
    decimal_comma: bool

    def words(self, row: str) -> list[str]:
        """What stands in a row's columns; empty ones at its end do not count."""
        words = [word.strip() for word in row.strip(" \r\n").split(self.delimiter)]
        while words and not words[-1]:
            words.pop()
        return words

    def width(self) -> int:
        """Columns: the most of the first rows, as the last ones of a row may be empty."""
        return max(len(self.words(row)) for row in self.rows[:HEADER])

    def full_rows(self) -> Iterator[str]:
        """The rows with NaN in each column where there is no number."""
        width = self.width()
        for row in self.rows:
            words = ["nan" if word.lower() in EMPTY else word for word in self.words(row)]
            if self.delimiter is not None and row.count(self.delimiter) >= width - 1:
                words += ["nan"] * (width - len(words))
            yield "\t".join(words)

    def columns(self, places: Sequence[int] | None) -> np.ndarray:
        """The numbers (n, columns) of the columns at these places, or of all."""
        rows = [row.replace(",", ".") for row in self.rows] if self.decimal_comma else self.rows
        try:
            return _parsed(rows, self.delimiter, places)
        except ValueError:
            table = Table(self.header, rows, self.delimiter, False)
            with one_line("expected rows of numbers"):
                return _parsed(table.full_rows(), "\t", places)


def _parsed(rows: Iterable[str], delimiter: str | None, places: Sequence[int] | None) -> np.ndarray:
    return np.loadtxt(rows, np.float64, comments=None, delimiter=delimiter, usecols=places, ndmin=2)


@dataclass(frozen=True)
class Heights:
    """A matrix (h, w) of heights, with its pitch where the file says it."""

    values: np.ndarray
    pitch: Pitch | None


def read_table(path: Path, as_image: bool) -> Numbers | Heights:
    """Read a table.

    Parameters
    ----------
    path
        The file.
    as_image
        Whether a matrix of few columns is an image too, because a sensor file is given.

    Returns
    -------
    Numbers of a cloud (n, 3), or a matrix of heights

    Raises
    ------
    ValueError
        One line without the file: no numbers, fewer than three columns, words among the numbers, a truncated row.
    """
    table = _table(_text(path))
    width = table.width()
    if width < 3:
        profile = ": a line profile is no scan" if width == 2 else ""
        raise ValueError(f"expected x, y and z, or a matrix of heights, found {width} columns{profile}")
    named = _named(table, width)
    if named is None and (width > WIDEST or (as_image and width > 3)):
        values = table.columns(None)
        return Heights(values, _pitch(values.shape, table.header))
    last = len(table.words(table.rows[-1]))
    if last < (width if table.delimiter is None else 3):
        raise ValueError(f"expected {width} columns in the last line, found {last}: the file is truncated")
    points = table.columns(named or [0, 1, 2])
    return Numbers(points, [f"a table of {len(points)} points"])


def _text(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    if b"\0" in content:
        raise ValueError("expected a table of text, found binary data")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _table(text: str) -> Table:
    """Find where the numbers begin, and what separates them."""
    header: list[str] = []
    lines = [line for line in text.splitlines() if line.strip()]
    for at, line in enumerate(lines[: HEADER + 1]):
        found = None if line.lstrip().startswith(COMMENT) else _style(line)
        # a row of one number before wider rows counts the points (PTS)
        if found and not (len(line.split()) == 1 and at + 1 < len(lines) and len(lines[at + 1].split()) > 1):
            rows = [row for row in lines[at:] if not row.lstrip().startswith(COMMENT)]
            return Table(header, rows, *found)
        header.append(line)
    first = repr(lines[0].strip()[:30]) if lines else "none"
    raise ValueError(f"expected rows of numbers, found {first}")


def _style(line: str) -> tuple[str | None, bool] | None:
    """Delimiter and decimal comma of a line of numbers; None if it is none."""
    words = line.split()
    delimiter: str | None
    if ";" in line:
        delimiter = ";"
    elif "," in line and not (len(words) > 1 and all(COMMA.fullmatch(word) for word in words)):
        delimiter = ","
    else:
        delimiter = "\t" if "\t" in line.strip() else None
    words = [word.strip() for word in line.strip().split(delimiter)]
    comma = delimiter != "," and "," in line
    if comma and "." not in line:
        words = [word.replace(",", ".") for word in words]
    full = [word for word in words if word.lower() not in EMPTY]
    return (delimiter, comma) if full and all(_is_number(word) for word in full[:3]) else None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word


def _named(table: Table, width: int) -> list[int] | None:
    """The columns of x, y and z by the line before the numbers, if it names them."""
    for line in table.header[-1:]:
        for separator in (table.delimiter, ";", ",", None):
            words = [word.strip(" \t\"'").lower() for word in line.strip().lstrip("#/%!").strip().split(separator)]
            names = [re.split(r"[\s(\[]", word)[0] for word in words if word]
            if len(names) <= width and all(axis in names for axis in "xyz"):
                return [names.index(axis) for axis in "xyz"]
    return None


def _pitch(shape: tuple[int, ...], header: Sequence[str]) -> Pitch | None:
    """The pitch of a matrix whose header has its width, height and unit."""
    found = {match[1].lower(): match for line in header if (match := LENGTH.search(line))}
    if set(found) != {"width", "height", "value units"} or found["value units"][3] not in UNITS:
        return None
    unit = UNITS[found["value units"][3]]
    steps = []
    for name, count in (("width", shape[1]), ("height", shape[0])):
        _, number, length = found[name].groups()
        if length not in UNITS or not _is_number(number) or not float(number) > 0:
            return None
        steps.append(float(number) / PER_METRE[UNITS[length]] * PER_METRE[unit] / count)
    return Pitch(steps[0], steps[1], PER_METRE[unit], unit)
