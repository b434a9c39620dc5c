"""Stage `voxels`: a split's scans as voxel grids, for the baselines."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from st3d.baselines.category_frame import Frame, View, ViewSettings, camera_content, views
from st3d.formats.images import Image, write_images
from st3d.kernels.geometry.voxel_grid import Grid, mean_colours, occupancy


def voxels(*, scans: ViewSettings, cells: int, output: Path, code: str) -> None:
    """Make voxel grids of one split: 1 where points lie, -1 elsewhere, and the points' mean colours.

    Parameters
    ----------
    cells
        Voxels along a side of the grid, a cube about the bounding box.
    output
        Images (HDF5) to write.
    code
        Fingerprint of this stage's source, kept with the images.

    Raises
    ------
    ValueError
        If the frame's file holds none, or a scan or its RGB image does not suit it or the other scans.
    """
    settings = scans.provenance() | {"cells": cells}
    common = Frame.read(scans.frame)
    grid = Grid.around(np.array(common.low), np.array(common.high), cells)

    def images() -> Iterator[Image]:
        for view in views(scans, common):
            yield Image(voxelised(view, grid), view.sample, view.copy_number, view.scan.shape[:2])

    kept = {"grid": grid.parameters(), "camera": camera_content(common.camera)}
    write_images(output, images(), "voxels", kept, settings=settings, code=code)


def voxelised(view: View, grid: Grid) -> np.ndarray:
    """A scan as a voxel grid.

    Parameters
    ----------
    view
        The scan (h, w, 3), metres, and its colours, or none.
    grid
        The voxels, c along each axis.

    Returns
    -------
    (1, c, c, c) float32, 1 where a point lies, else -1; with colours (4, c, c, c), the mean ones in [0, 1], -1 where
    no point lies
    """
    valid = (view.scan != 0).any(axis=2)
    points = view.scan[valid]
    parts = [occupancy(points, grid)[None]]
    if view.colours is not None:
        parts.append(mean_colours(points, view.colours[valid], grid))
    return np.concatenate(parts)
