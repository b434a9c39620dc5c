"""The point clouds whose files have a header, PLY and PCD, and the rows of text that some of them hold.

Binary points are mapped, text is parsed line by line. Only what neither can do goes through a library, as a whole:
PLY vertices with lists or after lists through trimesh, compressed PCD through Open3D. Both take some cut files for
whole ones, so what the header promises is compared with the file first. Errors say expected and found; the caller
names the file. Coordinates come as three columns: x, y, z, each (n,).
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from st3d.formats.errors import short

# it announces what is said below, in one line
logging.getLogger("trimesh").setLevel(logging.ERROR)

LINES = 1000  # of a header, and characters of a line of it
LONG = 2**16  # characters that no line of numbers has
TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"}
TYPES |= {"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"}
TYPES |= {"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"}
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


class Property(NamedTuple):
    """A property of a PLY element."""

    name: str
    kind: str  # numpy's name of its type; of a list, of the length before it
    is_list: bool


class Ply(NamedTuple):
    """What the header of a PLY file says."""

    order: str  # of the bytes: "<", ">", or "" for text
    elements: dict[str, int]  # how many there are of each, in order
    properties: dict[str, list[Property]]  # of each element
    start: int  # where the data begin


def ply_header(path: Path) -> Ply:
    """Read the header of a PLY file."""
    elements: dict[str, int] = {}
    properties: dict[str, list[Property]] = {}
    form = name = ""
    with path.open("rb") as file:
        magic = file.readline(LINES)
        if magic.strip() != b"ply":
            raise ValueError(f"expected ply in the first line, found {magic[:20].decode('ascii', 'replace')!r}")
        for _ in range(LINES):
            words = file.readline(LINES).decode("ascii", "replace").split()
            match words:
                case ["end_header"] if form in ORDERS:
                    return Ply(ORDERS[form], elements, properties, file.tell())
                case ["format", form, *_]:
                    pass
                case ["element", name, count] if count.isdecimal() and name not in elements:
                    elements[name], properties[name] = int(count), []
                case ["property", kind, title] if kind in TYPES and elements:
                    properties[name].append(Property(title, TYPES[kind], False))
                case ["property", "list", kind, _, title] if kind in TYPES and elements:
                    properties[name].append(Property(title, TYPES[kind], True))
                case ["element" | "property", *_]:
                    raise ValueError(f"expected elements and properties as PLY has them, found {' '.join(words)[:60]}")
    raise ValueError("expected a PLY header with a format and end_header, found none: the file is cut or a foreign one")


def read_ply(path: Path) -> Sequence[np.ndarray]:
    """All vertices of a PLY file as columns, of the types of the file, in its unit, NaN included."""
    header = ply_header(path)
    names = list(header.elements)
    count = header.elements.get("vertex", 0)
    if count == 0:
        raise ValueError("expected a PLY file with points, found no vertices")
    columns = [one.name for one in header.properties["vertex"]]
    if not {"x", "y", "z"} <= set(columns):
        raise ValueError(f"expected vertices with x, y and z, found {', '.join(columns) or 'nothing'}")
    before = names[: names.index("vertex")]
    with_lists = {
        name for name in names if header.elements[name] and any(one.is_list for one in header.properties[name])
    }
    if not header.order:
        _refuse_cut_text(path, header.start, sum(header.elements.values()), len(columns) * (names[-1] == "vertex"))
    if "vertex" in with_lists or (header.order and with_lists & set(before)):
        return _by_trimesh(path, count)
    kinds = {name: [np.dtype(header.order + one.kind) for one in header.properties[name]] for name in names}
    if not header.order:
        skipped = sum(header.elements[name] for name in before)
        return _text(path, header.start, skipped, count, columns, kinds["vertex"], [1] * len(columns))
    sizes = {name: header.elements[name] * sum(kind.itemsize for kind in kinds[name]) for name in names}
    _refuse_cut(path, header.start + sum(sizes.values()), exact=not with_lists)
    start = header.start + sum(sizes[name] for name in before)
    return _mapped(path, start, count, columns, kinds["vertex"], [1] * len(columns))


def _by_trimesh(path: Path, count: int) -> Sequence[np.ndarray]:
    import trimesh  # 0.7 s, and only those who need it pay

    try:
        with path.open("rb") as file:
            points = np.asarray(trimesh.load(file, file_type="ply", process=False).vertices)
    except Exception as error:  # whatever a parser raises at foreign bytes
        raise ValueError(f"expected a whole PLY file, found {short(error)}") from None
    if points.shape != (count, 3):
        raise ValueError(f"expected {count} points, found {len(points)}: the file is cut")
    return list(points.T)


def _pcd_header(path: Path) -> tuple[dict[str, list[str]], int]:
    """A PCD file's header, and where its data begin."""
    header: dict[str, list[str]] = {}
    with path.open("rb") as file:
        for _ in range(LINES):
            words = file.readline(LINES).decode("ascii", "replace").split()
            if words and not words[0].startswith("#"):
                header[words[0]] = words[1:]
            if "DATA" in header:
                return header, file.tell()
    raise ValueError("expected a PCD header with a line DATA, found none: the file is cut or a foreign one")


def read_pcd(path: Path) -> Sequence[np.ndarray]:
    """All points of a PCD file as columns, of the types of the file, in its unit, NaN included."""
    header, start = _pcd_header(path)
    fields = header.get("FIELDS", [])
    if not {"x", "y", "z"} <= set(fields):
        raise ValueError(f"expected fields x, y and z, found {', '.join(fields) or 'none'}")
    try:
        (count,) = (int(number) for number in header["POINTS"])
        widths = [int(number) for number in header.get("COUNT", ["1"] * len(fields))]
        pairs = zip(header["TYPE"], header["SIZE"], strict=True)
        kinds = [np.dtype({"F": "<f", "I": "<i", "U": "<u"}[letter] + size) for letter, size in pairs]
        if not len(fields) == len(kinds) == len(widths) or min(widths) < 1:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise ValueError("expected POINTS, and a TYPE, a SIZE and COUNT of each field, found otherwise") from None
    if count < 1:
        raise ValueError(f"expected points, found {count}")
    row = sum(kind.itemsize * width for kind, width in zip(kinds, widths))
    match header["DATA"]:
        case ["ascii"]:
            _refuse_cut_text(path, start, count, sum(widths))
            return _text(path, start, 0, count, fields, kinds, widths)
        case ["binary"]:
            _refuse_cut(path, start + count * row)
            return _mapped(path, start, count, fields, kinds, widths)
        case ["binary_compressed"]:
            return _by_open3d(path, start, count, row)
    raise ValueError(f"expected DATA ascii, binary or binary_compressed, found {' '.join(header['DATA'])}")


def _by_open3d(path: Path, start: int, count: int, row: int) -> Sequence[np.ndarray]:
    with path.open("rb") as file:
        file.seek(start)
        packed, unpacked = np.frombuffer(file.read(8).ljust(8, b"\0"), "<u4").tolist()
    if unpacked != count * row:
        raise ValueError(f"expected {count * row} bytes of {count} points, found {unpacked}")
    _refuse_cut(path, start + 8 + packed)
    import open3d  # a second

    library: Any = open3d
    with library.utility.VerbosityContextManager(library.utility.VerbosityLevel.Error):
        cloud = library.t.io.read_point_cloud(str(path), format="pcd")  # the older reader rounds doubles to float32
    points = cloud.point.positions.numpy() if "positions" in cloud.point else np.empty((0, 3))
    if len(points) != count:
        raise ValueError(f"expected {count} points, found {len(points)}: the file is damaged")
    return list(points.T)


def _mapped(
    path: Path, start: int, rows: int, names: list[str], kinds: list[np.dtype], widths: list[int]
) -> Sequence[np.ndarray]:
    """x, y and z of a binary table at byte `start`, whose columns are `widths` numbers of `kinds` each; mapped."""
    sizes = [kind.itemsize * width for kind, width in zip(kinds, widths)]
    places = [names.index(axis) for axis in "xyz"]
    offsets = [sum(sizes[:place]) for place in places]
    fields = {"names": list("xyz"), "formats": [kinds[place] for place in places], "offsets": offsets}
    table = np.memmap(path, np.dtype({**fields, "itemsize": sum(sizes)}), "r", start, (rows,))  # type: ignore[call-overload]
    return [table[axis] for axis in "xyz"]


def lines(path: Path, start: int = 0) -> Iterator[str]:
    """The lines of a text file from byte `start` on that are not blank, one at a time."""
    with path.open(encoding="latin-1") as file:
        file.seek(start)
        for line in iter(lambda: file.readline(LONG), ""):
            if len(line) == LONG:
                raise ValueError(f"expected lines of less than {LONG} characters, found a longer one")
            if not line.isspace():
                yield line


def parsed(rows: Iterable[str], columns: Sequence[int], kind: type) -> Sequence[np.ndarray]:
    """Three columns of numbers, of type `kind`, of rows of words; the rows are taken one at a time."""
    return list(np.loadtxt(rows, kind, comments=None, usecols=columns, ndmin=2).T)


def _text(
    path: Path, start: int, skipped: int, count: int, names: list[str], kinds: list[np.dtype], widths: list[int]
) -> Sequence[np.ndarray]:
    """x, y and z of `count` rows after `skipped` ones; as float32 if all are declared so, else as float64."""
    places = [names.index(axis) for axis in "xyz"]
    kind = np.float32 if all(kinds[place] == np.float32 for place in places) else np.float64
    rows = (line for at, line in zip(range(skipped + count), lines(path, start)) if at >= skipped)
    try:
        return parsed(rows, [sum(widths[:place]) for place in places], kind)
    except ValueError as error:
        raise ValueError(f"expected numbers as x, y and z, found {short(error)}") from None


def _refuse_cut(path: Path, size: int, exact: bool = False) -> None:
    found = path.stat().st_size
    if found < size or (exact and found > size):
        fault = "the file is cut" if found < size else "the header is of another file"
        raise ValueError(f"expected {size} bytes, found {found}: {fault}")


def _refuse_cut_text(path: Path, start: int, rows: int, columns: int) -> None:
    """Count the lines from byte `start` on, and the words of the last one; 0 columns: whatever it has."""
    found, last = 0, ""
    for found, last in zip(range(1, rows + 1), lines(path, start)):  # noqa: B007
        pass
    if found < rows:
        raise ValueError(f"expected {rows} lines of data, found {found}: the file is cut")
    if columns and len(last.split()) < columns:
        raise ValueError(f"expected {columns} columns in the last line, found fewer: the file is cut")
