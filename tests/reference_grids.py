"""Reference implementations of st3d.kernels.geometry.voxel_grid: point by point, in fractions."""

from fractions import Fraction
from math import floor

import numpy as np


def cell_of(points, low, side, cells):
    """Indices (i, j, k) of each point's voxel, None outside."""
    found = []
    for point in points.tolist():
        along = [(Fraction(x) - Fraction(start)) / Fraction(side) for x, start in zip(point, low, strict=True)]
        inside = all(0 <= each <= 1 for each in along)
        found.append(tuple(min(floor(each * cells), cells - 1) for each in along) if inside else None)
    return found


def occupancy(points, low, side, cells):
    filled = np.full((cells, cells, cells), -1.0)
    for cell in cell_of(points, low, side, cells):
        if cell is not None:
            filled[cell] = 1
    return filled


def mean_colours(points, colours, low, side, cells):
    means = np.full((3, cells, cells, cells), -1.0)
    found = cell_of(points, low, side, cells)
    for cell in set(found) - {None}:
        means[(slice(None), *cell)] = np.mean([c for c, each in zip(colours, found, strict=True) if each == cell], 0)
    return means
