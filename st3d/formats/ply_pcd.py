"""The point clouds whose files have a header, PLY and PCD, and the rows of text that some of them hold.

Binary points are mapped, text is parsed line by line. Only what neither can do goes through a library, as a whole:
PLY vertices with lists or after lists through trimesh, compressed PCD through Open3D. Both accept some truncated files,
so what the header promises is compared with the file first. Errors say expected and found; the caller names the file.
Coordinates come as three columns x, y, z, each (n,), of the types of the file, in its unit, NaN included.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from st3d.formats.errors import one_line, silenced
from st3d.kernels.open3d_library import open3d_module

LINES = 1000  # of a header, and characters of a line of it
DIGITS = 18  # of a count
LONG = 2**16  # characters that no line of numbers has
TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"}
TYPES |= {"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"}
TYPES |= {"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"}
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}

Field = tuple[str, np.dtype, int]  # name, type, how many numbers


class Property(NamedTuple):
    """A property of a PLY element."""

    name: str
    kind: str  # numpy's name of its type; of a list, of the length before it
    is_list: bool
    item: str = ""  # of a list, numpy's name of its numbers' type


class Element(NamedTuple):
    """A table of a PLY file."""

    name: str
    rows: int
    properties: list[Property]


class Ply(NamedTuple):
    """The header of a PLY file."""

    order: str  # of the bytes: "<", ">", or "" for text
    elements: list[Element]
    start: int  # where the data begin
    remarks: dict[str, str]  # of comments and obj_info that are a name and a value

    def element(self, name: str) -> Element:
        """The element of that name, an empty one if there is none."""
        return next((one for one in self.elements if one.name == name), Element(name, 0, []))


def ply_header(path: Path) -> Ply:
    """Read the header of a PLY file; a ValueError if it is none."""
    elements: list[Element] = []
    remarks: dict[str, str] = {}
    form = ""
    with path.open("rb") as file:
        magic = file.readline(LINES)
        if magic.strip() != b"ply":
            raise ValueError(f"expected a PLY file, found {magic[:20].decode('ascii', 'replace')!r} in the first line")
        for _ in range(LINES):
            match words := file.readline(LINES).decode("ascii", "replace").split():
                case ["end_header"] if form in ORDERS:
                    return Ply(ORDERS[form], elements, file.tell(), remarks)
                case ["format", form, *_]:
                    pass
                case ["comment" | "obj_info", name, value]:
                    remarks[name.strip(":=").lower()] = value
                case ["element", name, count] if count.isdecimal() and name not in [one.name for one in elements]:
                    if len(count) > DIGITS:
                        raise ValueError(f"expected at most {DIGITS} digits of the count of {name}, found {len(count)}")
                    elements.append(Element(name, int(count), []))
                case ["property", kind, title] if kind in TYPES and elements:
                    elements[-1].properties.append(Property(title, TYPES[kind], False))
                case ["property", "list", kind, item, title] if kind in TYPES and elements:
                    elements[-1].properties.append(Property(title, TYPES[kind], True, TYPES.get(item, "")))
                case ["element" | "property", *_]:
                    raise ValueError(f"expected elements and properties as PLY has them, found {' '.join(words)[:60]}")
    raise ValueError("expected a PLY header with a format and end_header, found none: truncated, or not a PLY file")


def ply_points_header(path: Path) -> Ply:
    """Read the header of a PLY file; a ValueError if it has no vertices with x, y and z."""
    header = ply_header(path)
    vertex = header.element("vertex")
    if vertex.rows == 0:
        raise ValueError("expected a PLY file with points, found no vertices")
    names = [one.name for one in vertex.properties]
    if not {"x", "y", "z"} <= set(names):
        raise ValueError(f"expected vertices with x, y and z, found {', '.join(names) or 'nothing'}")
    return header


def read_ply(path: Path) -> Sequence[np.ndarray]:
    """Read all vertices of a PLY file, text or binary.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    x, y and z, (n,) each, n >= 1, as the module says; text becomes float32 or float64

    Raises
    ------
    ValueError
        If it is damaged or truncated, or has no vertices with x, y and z.
    """
    header = ply_points_header(path)
    vertex = header.element("vertex")
    fields: list[Field] = [(one.name, np.dtype(header.order + one.kind), 1) for one in vertex.properties]
    place = header.elements.index(vertex)
    refuse_truncated_ply_text(path, header)
    ragged = [one.rows > 0 and any(each.is_list for each in one.properties) for one in header.elements]
    if ragged[place] or (header.order and any(ragged[:place])):
        return _by_trimesh(path, vertex.rows)
    if not header.order:
        skipped = sum(one.rows for one in header.elements[:place])
        return _table(path, header.start, vertex.rows, fields, text=True, skipped=skipped)
    sizes = [one.rows * sum(np.dtype(each.kind).itemsize for each in one.properties) for one in header.elements]
    _refuse_truncated(path, header.start + sum(sizes), exact=not any(ragged))
    return _table(path, header.start + sum(sizes[:place]), vertex.rows, fields)


def refuse_truncated_ply_text(path: Path, header: Ply) -> None:
    """Raise a ValueError if the file is text and has fewer lines, or words in the last one, than its header says."""
    elements = [one for one in header.elements if one.rows]
    if header.order or not elements:
        return
    last = _refuse_missing_lines(path, header.start, sum(one.rows for one in elements)).split()
    needed = 0
    for one in elements[-1].properties:
        needed += 1 + (int(last[needed]) if one.is_list and last[needed : needed + 1] and last[needed].isdigit() else 0)
    _refuse_missing_words(last, needed)


def _by_trimesh(path: Path, count: int) -> Sequence[np.ndarray]:
    import trimesh  # 0.7 s, imported only where needed

    with silenced("trimesh"), one_line("expected a whole PLY file"), path.open("rb") as file:
        points = np.asarray(trimesh.load(file, file_type="ply", process=False).vertices)
    if points.shape != (count, 3):
        raise ValueError(f"expected {count} points, found {len(points)}: the file is truncated")
    return list(points.T)


def read_pcd(path: Path) -> Sequence[np.ndarray]:
    """Read all points of a PCD file, text, binary or compressed.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    x, y and z, (n,) each, n >= 1, as the module says; text becomes float32 or float64

    Raises
    ------
    ValueError
        If it is damaged or truncated, or has no points with x, y and z.
    """
    header, start = pcd_header(path)
    names = header["FIELDS"]
    try:
        (count,) = (int(number) for number in header["POINTS"])
        widths = [int(number) for number in header.get("COUNT", ["1"] * len(names))]
        pairs = zip(header["TYPE"], header["SIZE"], strict=True)
        kinds = [np.dtype({"F": "<f", "I": "<i", "U": "<u"}[letter] + size) for letter, size in pairs]
        fields: list[Field] = list(zip(names, kinds, widths, strict=True))
        if min(widths) < 1:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise ValueError("expected POINTS, and a TYPE, a SIZE and COUNT of each field, found otherwise") from None
    if count < 1:
        raise ValueError(f"expected points, found {count}")
    row = sum(kind.itemsize * width for kind, width in zip(kinds, widths))
    match header["DATA"]:
        case ["ascii"]:
            _refuse_missing_words(_refuse_missing_lines(path, start, count).split(), sum(widths))
            return _table(path, start, count, fields, text=True)
        case ["binary"]:
            _refuse_truncated(path, start + count * row)
            return _table(path, start, count, fields)
        case ["binary_compressed"]:
            return _by_open3d(path, start, count, row)
    raise ValueError(f"expected DATA ascii, binary or binary_compressed, found {' '.join(header['DATA'])[:60]}")


def pcd_header(path: Path) -> tuple[dict[str, list[str]], int]:
    """A PCD file's header, and where its data begin; a ValueError if it is none, or lacks x, y or z."""
    header: dict[str, list[str]] = {}
    with path.open("rb") as file:
        for _ in range(LINES):
            words = file.readline(LINES).decode("ascii", "replace").split()
            if words and not words[0].startswith("#"):
                header[words[0]] = words[1:]
            if "DATA" in header:
                names = header.setdefault("FIELDS", [])
                if not {"x", "y", "z"} <= set(names):
                    raise ValueError(f"expected fields x, y and z, found {', '.join(names) or 'none'}")
                return header, file.tell()
    raise ValueError("expected a PCD header with a line DATA, found none: truncated, or not a PCD file")


def _by_open3d(path: Path, start: int, count: int, row: int) -> Sequence[np.ndarray]:
    with path.open("rb") as file:
        file.seek(start)
        packed, unpacked = np.frombuffer(file.read(8).ljust(8, b"\0"), "<u4").tolist()
    if unpacked != count * row:
        raise ValueError(f"expected {count * row} bytes of {count} points, found {unpacked}")
    _refuse_truncated(path, start + 8 + packed)
    library = open3d_module()
    with library.utility.VerbosityContextManager(library.utility.VerbosityLevel.Error):
        cloud = library.t.io.read_point_cloud(str(path), format="pcd")  # the older reader rounds doubles to float32
    points = cloud.point.positions.numpy() if "positions" in cloud.point else np.empty((0, 3))
    if len(points) != count:
        raise ValueError(f"expected {count} points, found {len(points)}: the file is damaged")
    return list(points.T)


def _table(
    path: Path, start: int, rows: int, fields: list[Field], text: bool = False, skipped: int = 0
) -> Sequence[np.ndarray]:
    """x, y and z of a table from byte `start` on: binary rows are mapped, text is read after `skipped` lines."""
    names, kinds, widths = zip(*fields)
    places = [names.index(axis) for axis in "xyz"]
    if text:
        kind = np.float32 if all(kinds[place] == np.float32 for place in places) else np.float64
        with one_line("expected numbers as x, y and z"):
            words = [sum(widths[:place]) for place in places]
            return parsed(islice(lines(path, start), skipped, skipped + rows), words, kind)
    sizes = [kind.itemsize * width for kind, width in zip(kinds, widths)]
    form = {"names": list("xyz"), "formats": [kinds[place] for place in places], "itemsize": sum(sizes)}
    form["offsets"] = [sum(sizes[:place]) for place in places]
    table = np.memmap(path, np.dtype(form), "r", start, (rows,))  # type: ignore[call-overload]
    return [table[axis] for axis in "xyz"]


def lines(path: Path, start: int = 0) -> Iterator[str]:
    """The lines of a text file from byte `start` on that are not blank, one at a time; a ValueError at a huge one."""
    with path.open(encoding="latin-1") as file:
        file.seek(start)
        for line in iter(lambda: file.readline(LONG), ""):
            if len(line) == LONG:
                raise ValueError(f"expected lines of less than {LONG} characters, found a longer one")
            if not line.isspace():
                yield line


def parsed(rows: Iterable[str], columns: Sequence[int], kind: type) -> Sequence[np.ndarray]:
    """Three columns of numbers of rows of text.

    Parameters
    ----------
    rows
        n lines, taken one at a time.
    columns
        Positions of the three among a line's words.
    kind
        NumPy type of the result.

    Returns
    -------
    Three arrays (n,) of that type
    """
    return list(np.loadtxt(rows, kind, comments=None, usecols=columns, ndmin=2).T)


def _refuse_truncated(path: Path, size: int, exact: bool = False) -> None:
    found = path.stat().st_size
    if found < size or (exact and found > size):
        fault = "the file is truncated" if found < size else "the header is of another file"
        raise ValueError(f"expected {size} bytes, found {found}: {fault}")


def _refuse_missing_lines(path: Path, start: int, rows: int) -> str:
    """Count `rows` lines from byte `start` on; the last of them."""
    found, last = 0, ""
    for found, last in enumerate(islice(lines(path, start), rows), 1):  # noqa: B007
        pass
    if found < rows:
        raise ValueError(f"expected {rows} lines of data, found {found}: the file is truncated")
    return last


def _refuse_missing_words(words: Sequence[str], expected: int) -> None:
    if len(words) < expected:
        raise ValueError(f"expected {expected} columns in the last line, found {len(words)}: the file is truncated")
