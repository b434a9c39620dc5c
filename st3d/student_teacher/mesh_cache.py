"""Meshes kept in memory while scenes are made of them."""

from pathlib import Path

import numpy as np

from st3d.formats.meshes import read_mesh


class MeshCache:
    """The triangles of the meshes that were read last, up to `max_bytes` of them."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._size = max_bytes, 0
        self._kept: dict[Path, np.ndarray] = {}

    def corners(self, path: Path) -> np.ndarray:
        """Triangle corners (t, 3, 3) float64 of a mesh file; vertices of no triangle are left out."""
        if path not in self._kept:
            vertices, triangles = read_mesh(path)
            corners = vertices[triangles]
            self._size += corners.nbytes
            while self._kept and self._size > self._max_bytes:  # first in, first out
                self._size -= self._kept.pop(next(iter(self._kept))).nbytes
            self._kept[path] = corners
        return self._kept[path]
