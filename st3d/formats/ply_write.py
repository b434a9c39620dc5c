"""Point clouds as binary PLY, little-endian: plain, or coloured by score for any viewer."""

from pathlib import Path

import numpy as np

from st3d.formats.atomic import atomic
from st3d.formats.sensor_files.scan import is_valid

PLACE = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
FIELDS = [*PLACE, ("red", "u1"), ("green", "u1"), ("blue", "u1"), ("score", "<f4")]
NAMES = {"<f4": "float", "|u1": "uchar"}  # of the types in PLY


def write_ply(path: Path, points: np.ndarray) -> None:
    """Write points as float32, with the header of 3DMatch's fragments, atomically.

    Parameters
    ----------
    path
        The file.
    points
        (n, 3) float, any one length unit.
    """
    _write(path, np.ascontiguousarray(points, "<f4").view(PLACE)[:, 0])


def write_coloured_cloud(path: Path, points: np.ndarray, scores: np.ndarray, colours: np.ndarray) -> None:
    """Write the valid points of a scan with their colours and scores as binary PLY, atomically.

    Parameters
    ----------
    path
        The file.
    points
        (h, w, 3) float32, metres, (0, 0, 0) where invalid; or (n, 3), valid points.
    scores
        (h, w) or (n,) float32.
    colours
        (h, w, 3) or (n, 3) uint8 RGB.
    """
    valid = is_valid(points)
    table = np.empty(np.count_nonzero(valid), FIELDS)
    for column, axis in enumerate("xyz"):
        table[axis] = points[valid][:, column]
    for column, name in enumerate(("red", "green", "blue")):
        table[name] = colours[valid][:, column]
    table["score"] = scores[valid]
    _write(path, table)


def _write(path: Path, table: np.ndarray) -> None:
    """Write records (n,) of float32 and uint8 fields, without gaps between them, as the vertices of a PLY file."""
    assert table.dtype.names is not None
    properties = "".join(f"property {NAMES[table.dtype[name].str]} {name}\n" for name in table.dtype.names)
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(table)}\n{properties}end_header\n"
    with atomic(path) as partial:
        partial.write_bytes(header.encode() + table.tobytes())
