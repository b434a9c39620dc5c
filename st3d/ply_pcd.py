"""The point clouds whose files have a header: PLY, read by trimesh, and PCD, by Open3D.

Both libraries take some cut files for whole ones, and Open3D fills the rest of a cut PLY with what was in memory. So
what the header promises is compared with the file first. Errors say expected and found; the caller names the file.
"""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from st3d.errors import short

# it announces what is said below, in one line
logging.getLogger("trimesh").setLevel(logging.ERROR)

LINES = 1000  # of a header, and characters of a line of it


class Ply(NamedTuple):
    """What the header of a PLY file says."""

    text: bool  # or binary
    elements: dict[str, int]  # how many there are of each, in order
    columns: list[str]  # properties of a vertex
    start: int  # where the data begin


def ply_header(path: Path) -> Ply:
    """Read the header of a PLY file."""
    elements: dict[str, int] = {}
    columns: list[str] = []
    form = ""
    with path.open("rb") as file:
        magic = file.readline(LINES)
        if magic.strip() != b"ply":
            raise ValueError(f"expected ply in the first line, found {magic[:20].decode('ascii', 'replace')!r}")
        for _ in range(LINES):
            words = file.readline(LINES).decode("ascii", "replace").split()
            match words:
                case ["end_header"] if form in ("ascii", "binary_little_endian", "binary_big_endian"):
                    return Ply(form == "ascii", elements, columns, file.tell())
                case ["format", form, *_]:
                    pass
                case ["element", name, count] if count.isdecimal():
                    elements[name] = int(count)
                case ["property", *_, name] if list(elements)[-1:] == ["vertex"]:
                    columns.append(name)
    raise ValueError("expected a PLY header with a format and end_header, found none: the file is cut or a foreign one")


def read_ply(path: Path) -> np.ndarray:
    """All vertices (n, 3) float64 of a PLY file, in its unit, NaN included."""
    header = ply_header(path)
    count = header.elements.get("vertex", 0)
    if count == 0:
        raise ValueError("expected a PLY file with points, found no vertices")
    if not {"x", "y", "z"} <= set(header.columns):
        raise ValueError(f"expected vertices with x, y and z, found {', '.join(header.columns) or 'nothing'}")
    if header.text:
        lasting = header.columns if list(header.elements)[-1] == "vertex" else []
        _refuse_cut_text(path, header.start, sum(header.elements.values()), len(lasting))
    import trimesh  # 0.7 s, and only those who need it pay

    try:
        with path.open("rb") as file:
            points = np.asarray(trimesh.load(file, file_type="ply", process=False).vertices)
    except Exception as error:  # whatever a parser raises at foreign bytes
        raise ValueError(f"expected a whole PLY file, found {short(error)}") from None
    if points.shape != (count, 3):
        raise ValueError(f"expected {count} points, found {len(points)}: the file is cut")
    return points


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


def read_pcd(path: Path) -> np.ndarray:
    """All points (n, 3) of a PCD file, float32 or float64 as stored, in its unit, NaN included."""
    header, start = _pcd_header(path)
    fields = header.get("FIELDS", [])
    if not {"x", "y", "z"} <= set(fields):
        raise ValueError(f"expected fields x, y and z, found {', '.join(fields) or 'none'}")
    counts = header.get("COUNT", ["1"] * len(fields))
    try:
        (count,) = (int(number) for number in header["POINTS"])
        width = sum(int(number) for number in counts)
        row = sum(int(size) * int(number) for size, number in zip(header["SIZE"], counts, strict=True))
    except (KeyError, ValueError):
        raise ValueError("expected POINTS, and a SIZE and COUNT of each field, found otherwise") from None
    if count < 1:
        raise ValueError(f"expected points, found {count}")
    match header["DATA"]:
        case ["ascii"]:
            _refuse_cut_text(path, start, count, width)
        case ["binary"]:
            _refuse_cut(path, start + count * row)
        case ["binary_compressed"]:
            with path.open("rb") as file:
                file.seek(start)
                packed, unpacked = np.frombuffer(file.read(8).ljust(8, b"\0"), "<u4").tolist()
            if unpacked != count * row:
                raise ValueError(f"expected {count * row} bytes of {count} points, found {unpacked}")
            _refuse_cut(path, start + 8 + packed)
        case other:
            raise ValueError(f"expected DATA ascii, binary or binary_compressed, found {' '.join(other)}")
    import open3d  # a second

    library: Any = open3d
    with library.utility.VerbosityContextManager(library.utility.VerbosityLevel.Error):
        cloud = library.t.io.read_point_cloud(str(path), format="pcd")  # the older reader rounds doubles to float32
    points = cloud.point.positions.numpy() if "positions" in cloud.point else np.empty((0, 3))
    if len(points) != count:
        raise ValueError(f"expected {count} points, found {len(points)}: the file is damaged")
    return points


def _refuse_cut(path: Path, size: int) -> None:
    found = path.stat().st_size
    if found < size:
        raise ValueError(f"expected {size} bytes, found {found}: the file is cut")


def _refuse_cut_text(path: Path, start: int, rows: int, columns: int) -> None:
    """Count the lines from byte `start` on, and the words of the last one; 0 columns: whatever it has."""
    lines = [line for line in path.read_bytes()[start:].splitlines() if line.strip()]
    if len(lines) < rows:
        raise ValueError(f"expected {rows} lines of data, found {len(lines)}: the file is cut")
    if columns and len(lines[rows - 1].split()) < columns:
        raise ValueError(f"expected {columns} columns in the last line, found fewer: the file is cut")
