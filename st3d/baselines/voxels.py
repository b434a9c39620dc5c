"""Stage `voxels`: a split's scans as voxel grids, for the baselines."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from st3d.baselines.category_frame import Frame, View, camera_content, views
from st3d.formats.images import Image, write_images
from st3d.formats.scans import Invalid, Split
from st3d.kernels.geometry.voxel_grid import Grid, mean_colours, occupancy


def voxels(
    *,
    dataset: Path,
    category: str,
    split: Split,
    frame: Path,
    cells: int,
    copies: int,
    angle: float,
    seed: int,
    invalid: Invalid,
    output: Path,
    code: str,
) -> None:
    """Make voxel grids of one split: 1 where points lie, -1 elsewhere, and the points' mean colours.

    Parameters
    ----------
    dataset
        Folder in MVTec 3D-AD's layout.
    category
        Name of a folder in it.
    split
        train, validation or test.
    frame
        JSON of the category's bounding box, background plane and camera.
    cells
        Voxels along a side of the grid, a cube about the bounding box.
    copies
        Rotated copies of each training scan; of other splits there are none.
    angle
        Copies are rotated by up to this about the background's normal, degrees.
    seed
        Seed of the angles.
    invalid
        What to do with coordinates that are NaN or infinite: refuse the scan, or drop the pixel.
    output
        Images (HDF5) to write.
    code
        Fingerprint of the code, kept with the images.
    """
    settings = {"category": category, "split": split, "cells": cells, "copies": copies, "angle": angle, "seed": seed}
    common = Frame.read(frame)
    grid = Grid.around(np.array(common.low), np.array(common.high), cells)

    def images() -> Iterator[Image]:
        for view in views(dataset, category, split, common, copies, angle, seed, invalid):
            yield Image(voxelised(view, grid), view.sample, view.copy_number, view.scan.shape[:2])

    kept = {"grid": grid.parameters(), "camera": camera_content(common.camera)}
    write_images(output, images(), "voxels", kept, settings=settings, code=code)


def voxelised(view: View, grid: Grid) -> np.ndarray:
    """Occupancy (1, c, c, c), and where there are colours the mean ones too (4, c, c, c); empty voxels are -1."""
    valid = (view.scan != 0).any(axis=2)
    points = view.scan[valid]
    parts = [occupancy(points, grid)[None]]
    if view.colours is not None:
        parts.append(mean_colours(points, view.colours[valid], grid))
    return np.concatenate(parts)
