"""Meshes kept in memory while scenes are made of them."""

from pathlib import Path

import numpy as np

from st3d.formats.meshes import read_mesh


class MeshCache:
    """The triangles of the meshes that were read last.

    Parameters
    ----------
    max_bytes
        Memory for them; one mesh stays whatever its size.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._size = max_bytes, 0
        self._kept: dict[Path, np.ndarray] = {}

    def corners(self, path: Path) -> np.ndarray:
        """Read a mesh, or take it from memory.

        Parameters
        ----------
        path
            A file that `formats.meshes.read_mesh` reads.

        Returns
        -------
        (t, 3, 3) float64, corners of the triangles, in the file's unit; vertices of no triangle are left out

        Raises
        ------
        ValueError
            One line with the file and its fault.
        """
        if path not in self._kept:
            vertices, triangles = read_mesh(path)
            corners = vertices[triangles]
            self._size += corners.nbytes
            while self._kept and self._size > self._max_bytes:  # first in, first out
                self._size -= self._kept.pop(next(iter(self._kept))).nbytes
            self._kept[path] = corners
        return self._kept[path]
