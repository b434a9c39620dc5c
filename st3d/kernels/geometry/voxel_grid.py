"""A cube of voxels around a scan: which voxel holds a point, what the voxels hold, and which pixels see them.

Letters: n points, c cells along each axis, h rows and w columns of the image.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from st3d.kernels.geometry.camera import Camera
from st3d.kernels.raster import spread_cells


@dataclass(frozen=True)
class Grid:
    """A cube of equal voxels, its edges along the axes.

    Attributes
    ----------
    low
        The corner of lowest coordinates, metres, finite.
    side
        Edge of the whole cube, metres, above 0.
    cells
        Voxels along each axis, 1 or more.

    Raises
    ------
    ValueError
        If one of them is out of its range.
    """

    low: tuple[float, float, float]
    side: float
    cells: int

    def __post_init__(self) -> None:
        if self.cells < 1:
            raise ValueError(f"Grid: expected 1 cell or more along an axis, found {self.cells}")
        if len(self.low) != 3 or not np.isfinite(self.low).all():
            raise ValueError(f"Grid: expected 3 finite coordinates of the lower corner, found {self.low}")
        if not 0 < self.side < np.inf:
            raise ValueError(f"Grid: expected a side above 0 m, found {self.side}")

    @classmethod
    def around(cls, low: NDArray, high: NDArray, cells: int) -> "Grid":
        """The cube centred on a box, its side the box's longest.

        Parameters
        ----------
        low, high
            (3,) float each, corners of the box, metres; no point of the box, its faces included, lies outside the cube
            by rounding.
        cells
            Voxels along each axis.

        Returns
        -------
        Grid

        Raises
        ------
        ValueError
            If the box is not finite or has no extent, or there is no cell.
        """
        low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        if low.shape != (3,) or high.shape != (3,) or not (np.isfinite(high - low).all() and (low <= high).all()):
            raise ValueError(f"Grid: expected a box from low to high, found {low.tolist()} and {high.tolist()}")
        extent = high - low
        corner = low - (extent.max() - extent) / 2  # rounded, but never above low
        side = (high - corner).max()  # a rounding error more than the extent, and what `cell_of` compares with
        return cls(tuple(corner.tolist()), float(max(side, extent.max())), cells)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "Grid":
        """The grid whose `parameters()` are given.

        Parameters
        ----------
        parameters
            low (3 numbers) and side, metres, and cells.

        Returns
        -------
        Grid

        Raises
        ------
        ValueError
            If one is missing or out of its range.
        """
        missing = sorted({"low", "side", "cells"} - set(parameters))
        if missing:
            raise ValueError(f"Grid: expected {', '.join(missing)}, found {', '.join(sorted(parameters))}")
        x, y, z = (float(each) for each in parameters["low"])
        return cls((x, y, z), float(parameters["side"]), int(parameters["cells"]))

    def parameters(self) -> dict[str, Any]:
        """The grid as JSON can hold it."""
        return {"low": list(self.low), "side": self.side, "cells": self.cells}

    def corners(self) -> NDArray[np.float64]:
        """(c + 1, c + 1, c + 1, 3) float64: the voxels' corners, metres; voxel i, j, k lies between i and i + 1, ..."""
        steps = np.arange(self.cells + 1) / self.cells * self.side
        return np.stack(np.meshgrid(*(start + steps for start in self.low), indexing="ij"), axis=-1)

    def cell_of(self, points: NDArray) -> NDArray[np.int64]:
        """Which voxel holds each point.

        Parameters
        ----------
        points
            (n, 3) float, metres.

        Returns
        -------
        (n,) int64, (i c + j) c + k of voxel i, j, k; -1 outside the cube and at NaN. A voxel holds its lower faces; the
        last ones hold the cube's upper faces too.

        Raises
        ------
        ValueError
            If the points are not of shape (n, 3).

        Examples
        --------
        >>> Grid((0.0, 0.0, 0.0), 1.0, cells=2).cell_of(np.array([[0, 0, 0.5], [1, 1, 1], [0, 0, 1.1]]))
        array([ 1,  7, -1])
        """
        points = np.asarray(points)
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"cell_of: expected points of shape (n, 3), found {points.shape}")
        cell, inside = np.zeros(len(points), np.int64), np.ones(len(points), bool)
        for axis, start in enumerate(self.low):  # axis by axis: twice as fast as on (n, 3)
            offset = points[:, axis].astype(np.float64) - start
            within = (offset >= 0) & (offset <= self.side)
            index = (np.where(within, offset, 0) / self.side * self.cells).astype(np.int64)
            cell = cell * self.cells + np.minimum(index, self.cells - 1)
            inside &= within
        return np.where(inside, cell, -1)


def occupancy(points: NDArray, grid: Grid) -> NDArray[np.float32]:
    """Which voxels of a grid hold a point.

    Parameters
    ----------
    points
        (n, 3) float, metres.
    grid
        The grid, in the points' frame.

    Returns
    -------
    (c, c, c) float32, 1 where a point lies in the voxel, else -1

    Raises
    ------
    ValueError
        If the points are not of shape (n, 3).
    """
    cell = grid.cell_of(points)
    filled = np.full(grid.cells**3, -1, np.float32)
    filled[cell[cell >= 0]] = 1
    return filled.reshape(grid.cells, grid.cells, grid.cells)


def mean_colours(points: NDArray, colours: NDArray, grid: Grid) -> NDArray[np.float32]:
    """The mean colour of the points in each voxel.

    Parameters
    ----------
    points
        (n, 3) float, metres.
    colours
        (n, 3) float, each in [0, 1].
    grid
        The grid, in the points' frame.

    Returns
    -------
    (3, c, c, c) float32, in [0, 1]; -1 in all three where no point lies

    Raises
    ------
    ValueError
        If points and colours differ in shape.
    """
    colours = np.asarray(colours)
    if colours.shape != np.shape(points):
        raise ValueError(f"mean_colours: expected a colour for each point, found {colours.shape}, {np.shape(points)}")
    cell, voxels = grid.cell_of(points) + 1, grid.cells**3 + 1  # the first takes what lies outside
    count = np.bincount(cell, minlength=voxels)[1:]
    sums = [np.bincount(cell, colours[:, channel], voxels)[1:] for channel in range(3)]
    means = np.where(count > 0, np.stack(sums) / np.maximum(count, 1), -1)
    return means.astype(np.float32).reshape(3, grid.cells, grid.cells, grid.cells)


def to_pixels(scores: NDArray, grid: Grid, camera: Camera) -> NDArray[np.float32]:
    """Voxels' scores projected into the camera's image.

    Parameters
    ----------
    scores
        (c, c, c) float, finite, any unit.
    grid
        The scores' grid, in the camera's frame.
    camera
        The camera, of h x w pixels.

    Returns
    -------
    (h, w) float32, unit of `scores`: the maximum over the voxels that a pixel's centre sees, in front of others or
    behind them; 0 where it sees none. A voxel that is not all in front of the camera is left out.

    Raises
    ------
    ValueError
        If the scores are not of the grid's shape or not finite.
    """
    corners = grid.corners()
    pixels = camera.project(corners.reshape(-1, 3)).reshape(*corners.shape[:3], 2)
    return spread_cells(scores, pixels, (camera.height, camera.width))
