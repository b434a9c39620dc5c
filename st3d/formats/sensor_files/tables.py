"""Tables of text: XYZ, CSV, TXT, ASC and PTS, with points in rows or a height map as a matrix."""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from st3d.formats.errors import one_line
from st3d.formats.row_numbers import refuse_row_numbers
from st3d.formats.sensor_files.scan import PER_METRE, Numbers, Reading, Unit
from st3d.formats.sensor_files.sensor import Pitch

HEADER = 200  # lines before the first numbers
COMMENT = ("#", "//", "%", "!")
EMPTY = frozenset({"", "-", "--", "---", "na", "n/a", "null", "none", "bad", "invalid"})  # for "no number"
WIDEST = 16  # columns of a table of points: coordinates, colours, normals, curvature ...; a wider one is a matrix
COMMA = re.compile(r"[+-]?\d+(,\d+)?([eE][+-]?\d+)?")  # a number with a decimal comma, or without decimals
NAME = re.compile(r"([\w:]+)\s*([\[(].*)?$")  # of a column, with a unit or without
LENGTH = re.compile(r"(width|height|value units)\W+([\d.eE+-]*)\s*(\S+)", re.IGNORECASE)  # as Gwyddion writes it
UNITS: dict[str, Unit] = {"m": "m", "mm": "mm", "um": "um", "µm": "um", "μm": "um"}


@dataclass(frozen=True)
class Table:
    """The lines of a table, and how they are written."""

    header: list[str]  # lines before the numbers, comments among them
    rows: list[str]  # of numbers, one at least
    delimiter: str | None  # None: white space
    decimal_comma: bool
    axes: list[int] | None  # columns of x, y and z, where the header names them

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
            table = Table(self.header, rows, self.delimiter, False, self.axes)
            with one_line("expected rows of numbers"):
                return _parsed(table.full_rows(), "\t", places)


def _parsed(rows: Iterable[str], delimiter: str | None, places: Sequence[int] | None) -> np.ndarray:
    return np.loadtxt(rows, np.float64, comments=None, delimiter=delimiter, usecols=places, ndmin=2)


@dataclass(frozen=True)
class Heights:
    """A matrix (h, w) of heights, with its pitch where the file says it."""

    values: np.ndarray
    pitch: Pitch | None


def read_table(path: Path, reading: Reading) -> Numbers | Heights:
    """Read a table.

    Parameters
    ----------
    path
        The file.
    reading
        With a sensor, a matrix of few columns is an image too; with a unit, the header's does not count.

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
        raise ValueError(f"expected x, y and z, or a matrix of heights, found columns: {width}{profile}")
    if table.axes is None and (width > WIDEST or (reading.sensor is not None and width > 3)):
        values = table.columns(None)
        return Heights(values, _pitch(values.shape, table.header))
    places = table.axes or [0, 1, 2]
    last = len(table.words(table.rows[-1]))
    if last < (width if table.delimiter is None else max(places) + 1):
        raise ValueError(f"expected {width} columns in the last line, found {last}: the file is truncated")
    points = table.columns(places)
    if table.axes is None:
        refuse_row_numbers(points[:, 0])
    match table.header[-1:]:
        case [line] if line.strip().isdecimal() and int(line) > len(points):  # PTS
            raise ValueError(f"expected {int(line)} points, found {len(points)}: the file is truncated")
    unit = _header_unit(table) if reading.unit == "auto" else None
    return Numbers(points, [f"a table of {len(points)} points"], unit and PER_METRE[unit], unit)


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
    lines = [line for line in text.splitlines() if line.strip()]
    named = None
    for at, line in enumerate(lines[:HEADER]):
        named = _axes(line) or named
        if line.lstrip().startswith(COMMENT):
            continue
        delimiter = _delimiter(line)
        # a row of one number before wider rows counts the points (PTS)
        counts = len(line.split()) == 1 and any(len(row.split()) > 1 for row in lines[at + 1 : at + 2])
        if _all_numbers(line, delimiter, named) and not counts:
            rows = [row for row in lines[at:] if not row.lstrip().startswith(COMMENT)]
            comma = delimiter != "," and any("," in row for row in rows[:HEADER])
            return Table(lines[:at], rows, delimiter, comma, named)
    first = repr(lines[0].strip()[:30]) if lines else "none"
    raise ValueError(f"expected rows of numbers, found {first}")


def _delimiter(line: str) -> str | None:
    """What separates the columns of a line of numbers; None: white space."""
    words = line.split()
    if ";" in line:
        return ";"
    if "," in line and not (len(words) > 1 and all(COMMA.fullmatch(word) for word in words)):
        return ","
    spaces = "\t" not in line.strip() or (_all_numbers(line, None) and not _all_numbers(line, "\t"))
    return None if spaces else "\t"


def _all_numbers(line: str, delimiter: str | None, places: Sequence[int] | None = None) -> bool:
    """Whether the columns at these places, or the first three, are numbers, or empty, and not all of them empty."""
    words = [word.strip() for word in line.strip().split(delimiter)]
    chosen = words[:3] if places is None else [words[place] for place in places if place < len(words)]
    full = [word if delimiter == "," else word.replace(",", ".") for word in chosen if word.lower() not in EMPTY]
    return bool(full) and all(_is_number(word) for word in full)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word


def _axes(line: str) -> list[int] | None:
    """The columns of x, y and z by a line that names them."""
    bare = line.strip().lstrip("#/%!").strip()
    for separator in (";", ",", "\t", None):
        names = [NAME.match(word.strip(" \t\"'").lower()) for word in bare.split(separator)]
        found = [name[1] if name else "" for name in names]
        if all(found.count(axis) == 1 for axis in "xyz"):
            return [found.index(axis) for axis in "xyz"]
    return None


def _header_unit(table: Table) -> Unit | None:
    """The unit that a header such as "x [mm]; y [mm]; z [mm]" has, if it is one for all three."""
    if table.axes is None:
        return None
    found = {UNITS.get(unit) for unit in re.findall(r"\b[xyz]\s*[\[(]([^\])]*)[\])]", " ".join(table.header).lower())}
    return found.pop() if len(found) == 1 else None


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
