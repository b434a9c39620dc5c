"""Point clouds as binary PLY: plain, or coloured by score for any viewer."""

from pathlib import Path

import numpy as np

from st3d.formats.atomic import atomic

FIELDS = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1"), ("score", "<f4")]
NAMES = {"<f4": "float", "|u1": "uchar"}  # of the types in PLY


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
    valid = points.any(axis=-1) if points.ndim == 3 else np.ones(len(points), bool)
    table = np.empty(np.count_nonzero(valid), FIELDS)
    for column, axis in enumerate("xyz"):
        table[axis] = points[valid][:, column]
    for column, name in enumerate(("red", "green", "blue")):
        table[name] = colours[valid][:, column]
    table["score"] = scores[valid]
    write_ply(path, table)


def write_ply(path: Path, table: np.ndarray) -> None:
    """Write records as the vertices of a little-endian binary PLY file, atomically.

    Parameters
    ----------
    path
        The file.
    table
        (n,) records of little-endian float32 and uint8 fields, without gaps.
    """
    assert table.dtype.names is not None
    properties = "".join(f"property {NAMES[table.dtype[name].str]} {name}\n" for name in table.dtype.names)
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(table)}\n{properties}end_header\n"
    with atomic(path) as partial:
        partial.write_bytes(header.encode() + table.tobytes())
