"""The plane that a scanned object lies on: fitted to a scan's border, and what a scan looks like turned on it.

h, w rows and columns of the image, m, n points. A scan is an xyz image (h, w, 3) in metres, in the camera's frame (z
points away from the camera); its invalid pixels are exactly (0, 0, 0).
"""

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from st3d.camera import Camera
from st3d.raster import splat

ITERATIONS = 1000  # of RANSAC: 20 % of inliers give a sound triple with certainty of 0.9997


@dataclass(frozen=True)
class Plane:
    """The points p with normal . p = offset.

    Attributes
    ----------
    normal : unit vector, to the camera: its z is negative
    offset : metres
    """

    normal: tuple[float, float, float]
    offset: float

    def height(self, points: NDArray) -> NDArray[np.float64]:
        """(n,) float64: signed distance of `points` (n, 3) from the plane, above 0 on the camera's side, metres."""
        return np.asarray(points, np.float64) @ np.array(self.normal) - self.offset


def border_points(scan: NDArray, share: float) -> NDArray:
    """(m, 3): valid points of `scan` (h, w, 3) in a band along the border, as wide as `share` of each side, 1 pixel
    at least.
    """
    if scan.ndim != 3 or scan.shape[2] != 3:
        raise ValueError(f"border_points: expected a scan of shape (h, w, 3), found {scan.shape}")
    if not 0 < share <= 0.5:
        raise ValueError(f"border_points: expected share in (0, 0.5], found {share}")
    rows, columns = (max(1, round(share * side)) for side in scan.shape[:2])
    chosen = (scan != 0).any(axis=2)
    chosen[rows:-rows, columns:-columns] = False
    return scan[chosen]


def fit_plane(points: NDArray, distance: float, seed: int) -> Plane:
    """The plane that most points lie on.

    Parameters
    ----------
    points : (n, 3) float, metres, n >= 3, not all on one line
    distance : up to which a point counts as lying on the plane, metres
    seed : of the triples that are tried

    Raises
    ------
    ValueError
        If there are fewer than 3 points, or all of them lie on one line.

    Notes
    -----
    Fischler and Bolles, "Random sample consensus", CACM 1981, by Open3D; then least squares on the points found.
    """
    points = np.ascontiguousarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) < 3:
        raise ValueError(f"fit_plane: expected 3 points or more of shape (n, 3), found {points.shape}")
    import open3d as o3d  # a second

    o3d.utility.random.seed(seed)
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    # with a probability below 1 threads would race for the last iteration
    _, inliers = cloud.segment_plane(distance, 3, ITERATIONS, probability=1.0)
    on_plane = points[np.asarray(inliers, np.int64)]
    centre = on_plane.mean(axis=0) if len(on_plane) else np.zeros(3)
    _, extent, axes = np.linalg.svd(on_plane - centre, full_matrices=False)
    if len(extent) < 3 or extent[1] <= 1e-9 * np.abs(points).max():
        raise ValueError(f"fit_plane: expected points that span a plane, found {len(points)} on one line")
    normal = axes[2] if axes[2, 2] <= 0 else -axes[2]
    x, y, z = normal.tolist()
    return Plane((x, y, z), float(normal @ centre))


def turned(
    scan: NDArray, colours: NDArray | None, camera: Camera, plane: Plane, pivot: NDArray, angle: float
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """What the camera would see had the scanned scene been turned about the plane's normal.

    Parameters
    ----------
    scan : (h, w, 3) float32, metres
    colours : (h, w, 3) float32, or None
    camera : with h rows and w columns
    pivot : (3,) float, a point of the axis, metres
    angle : degrees, counterclockwise as the camera sees it

    Returns
    -------
    scan : (h, w, 3) float32, metres; of several points in a pixel the nearest to the camera, (0, 0, 0) for none
    colours : (h, w, 3) float32, those of the points; None without colours

    Notes
    -----
    A pixel that no valid point falls into shows the plane: the point of it that the pixel sees is turned back, and the
    pixel that saw it before gives its colour; 0 if none did. At angle 0 a point keeps its bits, and stays in its pixel
    if it projects into it.
    """
    size = (camera.height, camera.width)
    if scan.shape != (*size, 3) or (colours is not None and colours.shape != scan.shape):
        shapes = f"{scan.shape}" if colours is None else f"{scan.shape} and {colours.shape}"
        raise ValueError(f"turned: expected scan and colours of shape {(*size, 3)}, found {shapes}")
    matrix = _rotation(plane.normal, angle)
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


def _rotation(axis: tuple[float, float, float], angle: float) -> NDArray[np.float64]:
    """(3, 3) float64: Rodrigues' rotation by `angle` degrees about a unit vector; exactly the identity for 0."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = radians(angle)
    return np.eye(3) + sin(turn) * cross + (1 - cos(turn)) * cross @ cross
