"""Triangle meshes: reading OFF, OBJ, PLY and STL.

v vertices, t triangles. OFF is read here, because ModelNet's files bend the format (see `_read_off`); the others by
trimesh: it starts three times as fast as Open3D, needs no materials, and raises where Open3D returns an empty mesh.
"""

import io
import re
from pathlib import Path

import numpy as np

from st3d.formats.errors import one_line, refuse_devices, silenced
from st3d.formats.mesh_binary import binary_polygons, whole_stl
from st3d.formats.mesh_text import obj_triangles, plain_obj
from st3d.formats.ply_pcd import ply_header, read_ply, refuse_truncated_ply_text
from st3d.kernels.geometry.surface_sampling import triangle_areas

SUFFIXES = (".off", ".obj", ".ply", ".stl")
START = 4096  # bytes that hold the counts, and what may be written before them


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a mesh; polygons become fans of triangles, triangles without area are dropped.

    Parameters
    ----------
    path
        An .off, .obj, .ply or .stl file.

    Returns
    -------
    vertices
        (v, 3) float64, in the file's own length unit.
    triangles
        (t, 3) int64, t >= 1, indices into `vertices`.

    Raises
    ------
    ValueError
        One line with the file and its fault: unknown ending, truncated or other content, an index out of range, a
        vertex that is not finite, no face, no face with an area.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise ValueError(f"{path}: expected a mesh ending in {', '.join(SUFFIXES)}, found '{path.suffix}'")
    try:
        refuse_devices(path)
        return _checked(*(_read_off(path.read_bytes()) if kind == ".off" else _read_by_trimesh(path, kind[1:])))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def check_mesh(path: Path) -> None:
    """Look at the start of a mesh's file, for what `read_mesh` would refuse.

    Parameters
    ----------
    path
        An .off, .obj, .ply or .stl file.

    Raises
    ------
    ValueError
        One line with the file: empty, or not of the format that its name says; other faults go unseen.
    """
    path = Path(path)
    try:
        refuse_devices(path)
        with path.open("rb") as file:
            start = file.read(START)
        match path.suffix.lower():
            case ".off":
                _off_header(start)
            case ".ply":
                ply_header(path)
            case _ if not start.strip():
                raise ValueError("expected a mesh, found an empty file")
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
    v, f, lines = _off_header(data)
    if len(lines) < v + f:
        raise ValueError(f"expected {v} vertices and {f} faces, found only {len(lines)} lines: the file is truncated")
    with one_line("expected 3 coordinates a vertex"):
        vertices = np.loadtxt(lines[:v], usecols=(0, 1, 2), ndmin=2) if v else np.empty((0, 3))
    return vertices, _off_triangles(lines[v : v + f])


def _off_header(data: bytes) -> tuple[int, int, list[bytes]]:
    """The numbers of vertices and of faces of an OFF file, or of its start, and the lines that follow them."""
    if b"#" in data:
        data = re.sub(rb"#[^\r\n]*", b"", data)
    lines = [line for line in data.splitlines() if line.strip()]  # also takes CRLF
    if not lines or not lines[0].lstrip().startswith(b"OFF"):
        found = lines[0][:20].decode("ascii", "replace") if lines else "an empty file"
        raise ValueError(f"expected OFF in the first line, found {found!r}")
    lines[0] = lines[0].lstrip()[3:]
    counts = next((line for line in lines if line.strip()), b"")
    if not re.fullmatch(rb"\s*\d+\s+\d+(\s+\d+)?\s*", counts):
        found = counts[:40].decode("ascii", "replace").strip()
        raise ValueError(f"expected the counts of vertices, faces and edges after OFF, found {found!r}")
    v, f = map(int, counts.split()[:2])
    del lines[: lines.index(counts) + 1]
    if lines and lines[0].strip() == b"end_header":
        del lines[0]
    return v, f, lines


def _off_triangles(lines: list[bytes]) -> np.ndarray:
    """Triangles (t, 3) int64 of the face lines `corners i j k ... colours`; a polygon is a fan at its first corner."""
    if not lines:
        return np.empty((0, 3), np.int64)
    try:
        table = np.loadtxt(lines, np.int64, usecols=range(4), ndmin=2)
        if (table[:, 0] == 3).all():
            return table[:, 1:]
    except ValueError:  # lines of fewer words, or a fault that is refused below
        pass
    triangles: list[tuple[int, ...]] = []
    for face, line in enumerate(lines):
        with one_line(f"expected whole numbers as vertex indices of face {face}"):
            count, *corner = [int(np.int64(word)) for word in line.split()[: int(line.split()[0]) + 1]]
        if count < 1 or len(corner) < count:
            raise ValueError(f"expected {count} corners of face {face}, found {len(corner)}")
        triangles += [(corner[0], *edge) for edge in zip(corner[1:], corner[2:])]
    return np.array(triangles, np.int64).reshape(-1, 3)


def _read_by_trimesh(path: Path, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """OBJ, PLY and STL; what trimesh lets pass or reads otherwise than it is written is looked for first."""
    if kind == "ply":
        header = ply_header(path)
        refuse_truncated_ply_text(path, header)
        polygons = binary_polygons(path, header)
        if polygons is not None:
            return np.stack(read_ply(path), axis=1).astype(np.float64), polygons
    data = path.read_bytes()
    faces = None
    if kind == "obj":
        data = plain_obj(data)
        faces = obj_triangles(data)
    if kind == "stl":
        data = whole_stl(data)
    vertices, triangles = _by_trimesh(data, kind)
    if faces is not None and len(triangles) not in (0, faces):  # without any, it says so itself
        raise ValueError(f"expected {faces} triangles as the lines of faces say, found {len(triangles)}")
    return vertices, triangles


def _by_trimesh(data: bytes, kind: str) -> tuple[np.ndarray, np.ndarray]:
    import trimesh  # 0.7 s, imported only where needed

    expected = f"expected a whole {kind.upper()} file with vertex indices in range"
    with silenced("trimesh"), one_line(expected):
        mesh = trimesh.load(io.BytesIO(data), file_type=kind, process=False, force="mesh", skip_materials=True)
    vertices = getattr(mesh, "vertices", np.empty((0, 3)))
    faces = getattr(mesh, "faces", np.empty((0, 3)))  # a point cloud has none
    return np.array(vertices, np.float64).reshape(-1, 3), np.array(faces, np.int64).reshape(-1, 3)
