"""Points and grid cells projected into an image (compiled: src/raster.c).

Pixels are rows and columns, whole numbers are their centres. Letters: n points, a, b, c cells, h rows, w columns.
"""

import numpy as np
from numpy.typing import NDArray

from st3d.kernels.native import declared, library

_splat = declared(library.st3d_splat, "f8[2] f8[1] i8 i8 i8 i8[2]")
_spread_cells = declared(library.st3d_spread_cells, "f4[3] f8[4] i8 i8 i8 i8 i8 f4[2]")


def splat(pixels: NDArray, depth: NDArray, size: tuple[int, int]) -> NDArray[np.int64]:
    """Which point each pixel shows: the nearest of those that fall into it.

    Parameters
    ----------
    pixels
        (n, 2) float, row and column; a point falls into the pixel whose centre is nearest, floor(x + 0.5), and is left
        out beyond the image or where it is NaN.
    depth
        (n,) float, the lower the nearer; a point of depth NaN is left out.
    size
        (h, w), pixels, 1 or more each.

    Returns
    -------
    (h, w) int64, index of the point, the lowest among equal depths; -1 where none falls

    Raises
    ------
    ValueError
        If the shapes do not fit each other or the image has no pixel.

    Examples
    --------
    >>> splat(np.array([[0.0, 0.2], [0.4, 0.0], [0.0, 2.4]]), np.array([3.0, 2.0, 1.0]), (1, 3))
    array([[ 1, -1,  2]])
    """
    pixels, depth = np.ascontiguousarray(pixels, np.float64), np.ascontiguousarray(depth, np.float64)
    if pixels.shape != (*depth.shape, 2) or depth.ndim != 1:
        raise ValueError(f"splat: expected pixels (n, 2) and depth (n,), found {pixels.shape} and {depth.shape}")
    found = np.empty(_checked("splat", size), np.int64)
    _splat(pixels, depth, len(depth), *found.shape, found)
    return found


def spread_cells(scores: NDArray, corners: NDArray, size: tuple[int, int]) -> NDArray[np.float32]:
    """The image in which each pixel has the highest score among the cells of a grid that cover it.

    Parameters
    ----------
    scores
        (a, b, c) float, of the cells, finite, any unit.
    corners
        (a + 1, b + 1, c + 1, 2) float, row and column of the grid's corners, which cells share; a cell with a corner
        that is not finite (behind the camera) is left out.
    size
        (h, w), pixels, 1 or more each.

    Returns
    -------
    (h, w) float32, unit of `scores`: the maximum over the cells whose 8 corners' closed convex hull holds the pixel's
    centre, 0 where there is none

    Raises
    ------
    ValueError
        If the shapes do not fit each other, a score is not finite, or the image has no pixel.

    Notes
    -----
    A centre at most 1e-9 pixels outside a hull counts as on its edge, since edges are rounded. On one thread: cells
    overlap, and most of the time goes into their hulls, which every part of the image would have to compute again.
    """
    scores, corners = np.ascontiguousarray(scores, np.float32), np.ascontiguousarray(corners, np.float64)
    if scores.ndim != 3 or corners.shape != (*(side + 1 for side in scores.shape), 2):
        raise ValueError(
            "spread_cells: expected scores (a, b, c) and corners (a + 1, b + 1, c + 1, 2),"
            f" found {scores.shape} and {corners.shape}"
        )
    if not np.isfinite(scores).all():
        raise ValueError("spread_cells: expected finite scores, found NaN or infinity")
    image = np.empty(_checked("spread_cells", size), np.float32)
    _spread_cells(scores, corners, *scores.shape, *image.shape, image)
    return image


def _checked(name: str, size: tuple[int, int]) -> tuple[int, int]:
    """`size`, if it is 1 x 1 or more; `name` is that of the caller, for errors."""
    h, w = size
    if h < 1 or w < 1:
        raise ValueError(f"{name}: expected an image of 1 x 1 or more, found {h} x {w}")
    return h, w
