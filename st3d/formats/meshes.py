"""Triangle meshes: reading OFF, OBJ, PLY and STL, and drawing points on their surface.

v vertices, t triangles. OFF is read here, because ModelNet's files bend the format (see `_read_off`); the others by
trimesh: it is pure Python, starts three times as fast as Open3D, needs no materials, and raises where Open3D
prints a warning and returns an empty mesh.
"""

import logging
import re
import warnings
from pathlib import Path

import numpy as np

from st3d.kernels.geometry.surface_sampling import triangle_areas

# it announces each chunk of polygons
logging.getLogger("trimesh").setLevel(logging.ERROR)

SUFFIXES = (".off", ".obj", ".ply", ".stl")


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a mesh; polygons become fans of triangles, triangles without area are dropped.

    Parameters
    ----------
    path : path of an .off, .obj, .ply or .stl file

    Returns
    -------
    vertices : (v, 3) float64, in the file's own length unit
    triangles : (t, 3) int64, t >= 1, indices into `vertices`

    Raises
    ------
    ValueError
        One line with the file and its fault: unknown ending, cut or foreign content, an index out of range,
        a vertex that is not finite, no face, no face with an area.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path}: expected a mesh ending in {', '.join(SUFFIXES)}, found '{path.suffix}'")
    data = path.read_bytes()
    try:
        vertices, triangles = _read_off(data) if suffix == ".off" else _read_by_library(path, data, suffix[1:])
        return _checked(vertices, triangles)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _checked(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Refuse what no stage can use, and drop the triangles that have no area."""
    if len(triangles) == 0:
        raise ValueError(f"expected a mesh with faces, found none ({len(vertices)} vertices)")
    if not np.isfinite(vertices).all():
        line = int(np.flatnonzero(~np.isfinite(vertices).all(axis=1))[0])
        raise ValueError(f"expected finite vertices, found {vertices[line].tolist()} as vertex {line}")
    low, high = int(triangles.min()), int(triangles.max())
    if low < 0 or high >= len(vertices):
        found = low if low < 0 else high
        raise ValueError(f"expected vertex indices from 0 to {len(vertices) - 1}, found {found}")
    triangles = triangles[triangle_areas(vertices, triangles) > 0]
    if len(triangles) == 0:
        raise ValueError("expected a face with an area, found only faces of area 0")
    return vertices, np.ascontiguousarray(triangles)


def _read_off(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """OFF: a header, v lines of coordinates, f lines `corners i j k ...`, both perhaps with colours behind.

    ModelNet40 has files whose counts follow the word OFF without a space (`OFF3514 3546 0`), ModelNet10 some
    whose header ends in PLY's `end_header`.
    """
    if b"#" in data:
        data = re.sub(rb"#[^\r\n]*", b"", data)
    lines = [line for line in data.splitlines() if line.strip()]  # also takes CRLF
    if not lines or not lines[0].lstrip().startswith(b"OFF"):
        found = lines[0][:20].decode("ascii", "replace") if lines else "an empty file"
        raise ValueError(f"expected OFF in the first line, found {found!r}")
    first = lines.pop(0).lstrip()[3:]
    counts = _numbers(first if first.strip() else (lines.pop(0) if lines else b""), "the header's counts")
    if len(counts) < 2 or (counts[:2] < 0).any() or (counts[:2] % 1 != 0).any():
        raise ValueError("expected the counts of vertices, faces and edges after OFF, found " + str(counts.tolist()))
    v, f = int(counts[0]), int(counts[1])
    if lines and lines[0].strip() == b"end_header":  # left over from PLY in some of ModelNet10's files
        del lines[0]
    if len(lines) < v + f:
        raise ValueError(f"expected {v} vertices and {f} faces, found only {len(lines)} lines: the file is cut")
    return _off_vertices(lines[:v]), _off_faces(lines[v : v + f])


def _off_vertices(lines: list[bytes]) -> np.ndarray:
    """Coordinates (v, 3) float64 of the vertex lines."""
    numbers = _numbers(b"\n".join(lines), "vertices")
    if len(numbers) != 3 * len(lines):  # colours behind the coordinates, or a line too short
        rows = [_numbers(line, "vertices")[:3] for line in lines]
        for line, row in enumerate(rows):
            if len(row) < 3:
                raise ValueError(f"expected 3 coordinates, found {len(row)} for vertex {line}")
        numbers = np.concatenate(rows) if rows else numbers
    return numbers.reshape(-1, 3)


def _off_faces(lines: list[bytes]) -> np.ndarray:
    """Triangles (t, 3) int64 of the face lines."""
    numbers = _numbers(b"\n".join(lines), "faces")
    if len(numbers) == 4 * len(lines) and (numbers[::4] == 3).all():
        corners = numbers.reshape(-1, 4)[:, 1:]
    else:
        fans = [_fan(_numbers(line, "faces"), face) for face, line in enumerate(lines)]
        corners = np.concatenate(fans) if fans else np.empty((0, 3))
    if not np.isfinite(corners).all() or (corners % 1 != 0).any():
        raise ValueError("expected whole numbers as vertex indices, found others")
    return corners.astype(np.int64)


def _fan(row: np.ndarray, face: int) -> np.ndarray:
    """A polygon's line `corners i j k ... colours` as a fan of triangles around its first corner."""
    corners = int(row[0]) if np.isfinite(row[0]) and row[0] >= 1 else 0
    if corners == 0 or len(row) < corners + 1:
        raise ValueError(f"expected {row[0]:g} corners of face {face}, found {len(row) - 1}")
    corner = row[1 : corners + 1]
    middle = np.arange(1, max(corners - 1, 1))  # empty for a point or an edge, which have no area
    return np.stack([np.full(len(middle), corner[0]), corner[middle], corner[np.minimum(middle + 1, corners - 1)]], 1)


def _numbers(text: bytes, what: str) -> np.ndarray:
    """All numbers of a text with white space between them, as (numbers,) float64."""
    if not text.strip():
        return np.empty(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # numpy's way to say that it met something else
        try:
            return np.fromstring(text, sep=" ")
        except (DeprecationWarning, ValueError):
            raise ValueError(f"expected numbers in {what}, found something else") from None


def _read_by_library(path: Path, data: bytes, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """OBJ, PLY and STL by trimesh, which lets some cut files and wrong indices pass: they are looked for first."""
    import trimesh  # 0.7 s, and only those who need it pay

    if kind == "obj" and re.search(rb"(?m)^f[ \t](?:[^\r\n]*[ \t])?0+(?:[/ \t\r\n]|\Z)", data):
        raise ValueError("expected vertex indices from 1, found 0")  # trimesh would take the last vertex
    if kind == "ply":
        _refuse_cut_ascii_ply(data)
    with path.open("rb") as file:
        try:
            mesh = trimesh.load(file, file_type=kind, process=False, force="mesh", skip_materials=True)
        except IndexError as error:
            raise ValueError(f"expected vertex indices in range, found otherwise: {_one_line(error)}") from None
        except Exception as error:  # whatever a parser raises at foreign bytes
            raise ValueError(f"expected a whole {kind.upper()} file, found: {_one_line(error)}") from None
    vertices = getattr(mesh, "vertices", np.empty((0, 3)))
    faces = getattr(mesh, "faces", np.empty((0, 3)))  # a point cloud has none
    return np.array(vertices, np.float64).reshape(-1, 3), np.array(faces, np.int64).reshape(-1, 3)


def _refuse_cut_ascii_ply(data: bytes) -> None:
    """Trimesh drops the missing faces of a cut text file silently."""
    head, _, body = data.partition(b"end_header")
    if b"format ascii" in head:
        elements = re.findall(rb"(?m)^element[ \t]+(\w+)[ \t]+(\d+)", head)
        expected = sum(int(count) for _, count in elements)
        lines = body.split(b"\n", 1)[-1].split(b"\n")
        rows = [line for line in lines if line.strip()]
        if len(rows) < expected:
            raise ValueError(f"expected {expected} lines of data, found {len(rows)}: the file is cut")
        last = rows[-1].split() if elements and elements[-1][0] == b"face" and rows else []
        if last and last[0].isdigit() and len(last) < int(last[0]) + 1:
            raise ValueError(f"expected {int(last[0])} corners of the last face, found {len(last) - 1}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
