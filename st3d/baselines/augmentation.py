"""Augmentation: a scan of the scene rotated on its background plane.

h, w rows and columns of the image, m, n points.
"""

import numpy as np
from numpy.typing import NDArray

from st3d.kernels.geometry.camera import Camera
from st3d.kernels.geometry.plane import Plane
from st3d.kernels.geometry.rotation import axis_rotation
from st3d.kernels.raster import splat


def rotate_scan(
    scan: NDArray, colours: NDArray | None, camera: Camera, plane: Plane, pivot: NDArray, angle: float
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """The scan and its colours after a rotation of the scene about the background plane's normal.

    Parameters
    ----------
    scan
        (h, w, 3) float32, metres; invalid pixels are (0, 0, 0).
    colours
        (h, w, 3) float32, or None.
    camera
        With h rows and w columns.
    plane
        The background, metres.
    pivot
        (3,) float, a point of the axis, metres.
    angle
        Degrees, counterclockwise as the camera sees it.

    Returns
    -------
    scan
        (h, w, 3) float32, metres; of several points in a pixel the nearest to the camera, (0, 0, 0) for none.
    colours
        (h, w, 3) float32, those of the points; None without colours.

    Raises
    ------
    ValueError
        If scan or colours have another size than the camera.

    Notes
    -----
    A pixel that no valid point falls into shows the plane: the point of it that the pixel sees is rotated back, and the
    pixel that saw it before gives its colour; 0 if none did. At angle 0 a point keeps its bits, and stays in its pixel
    if it projects into it.
    """
    size = (camera.height, camera.width)
    if scan.shape != (*size, 3) or (colours is not None and colours.shape != scan.shape):
        shapes = f"{scan.shape}" if colours is None else f"{scan.shape} and {colours.shape}"
        raise ValueError(f"rotate_scan: expected scan and colours of shape {(*size, 3)}, found {shapes}")
    matrix = axis_rotation(plane.normal, angle)
    move = np.asarray(pivot, np.float64) - matrix @ pivot  # added last, for it is exactly 0 at angle 0
    valid = (scan != 0).any(axis=2)
    points = scan[valid].astype(np.float64) @ matrix.T + move
    found = splat(camera.project(points), points[:, 2], size)
    hit = found >= 0
    result = np.zeros((*size, 3), np.float32)
    result[hit] = points[found[hit]]
    if colours is None:
        return result, None
    painted = np.zeros((*size, 3), np.float32)
    painted[hit] = colours[valid][found[hit]]
    empty = np.argwhere(~hit)
    before = camera.project((_seen_on(plane, camera, empty) - move) @ matrix)
    with np.errstate(invalid="ignore"):
        source = np.floor(before + 0.5)
        inside = ((source >= 0) & (source < size)).all(axis=1)  # False for NaN, beyond the horizon
    painted[tuple(empty[inside].T)] = colours[tuple(source[inside].astype(np.int64).T)]
    return result, painted


def _seen_on(plane: Plane, camera: Camera, pixels: NDArray) -> NDArray[np.float64]:
    """(n, 3): the points of the plane that `pixels` (n, 2) see, metres; beyond the horizon they are not finite, or lie
    behind the camera.
    """
    start = camera.unproject(pixels, np.zeros(len(pixels)))
    along = camera.unproject(pixels, np.ones(len(pixels))) - start  # along[:, 2] is 1
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = -plane.height(start) / (along @ np.array(plane.normal))
        return start + along * depth[:, None]
