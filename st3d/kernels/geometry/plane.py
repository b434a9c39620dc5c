"""The plane that a scanned object lies on, fitted to the scan's border.

Letters: h rows and w columns of the image, m, n points. A scan is an xyz image (h, w, 3) in metres, in the
camera's frame (z points away from the camera); its invalid pixels are exactly (0, 0, 0).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from st3d.kernels.open3d_library import open3d_module

ITERATIONS = 1000  # of RANSAC: with 20 % inliers, a triple of inliers is drawn with probability 0.9997


@dataclass(frozen=True)
class Plane:
    """The points p with normal . p = offset.

    Attributes
    ----------
    normal
        Unit vector towards the camera: its z is negative.
    offset
        Signed distance of the plane from the origin along the normal, metres.
    """

    normal: tuple[float, float, float]
    offset: float

    def height(self, points: NDArray) -> NDArray[np.float64]:
        """Signed distances of points from the plane.

        Parameters
        ----------
        points
            (n, 3) float, metres.

        Returns
        -------
        (n,) float64, metres, above 0 on the camera's side
        """
        return np.asarray(points, np.float64) @ np.array(self.normal) - self.offset


def border_points(scan: NDArray, fraction: float) -> NDArray:
    """Valid points in a band along the border of a scan.

    Parameters
    ----------
    scan
        (h, w, 3) float, metres.
    fraction
        Width of the band as a fraction of each side, in (0, 0.5]; at least 1 pixel.

    Returns
    -------
    (m, 3), metres, in row-major order

    Raises
    ------
    ValueError
        If the shape or the fraction is not as above.
    """
    if scan.ndim != 3 or scan.shape[2] != 3:
        raise ValueError(f"border_points: expected a scan of shape (h, w, 3), found {scan.shape}")
    if not 0 < fraction <= 0.5:
        raise ValueError(f"border_points: expected fraction in (0, 0.5], found {fraction}")
    rows, columns = (max(1, round(fraction * side)) for side in scan.shape[:2])
    chosen = (scan != 0).any(axis=2)
    chosen[rows:-rows, columns:-columns] = False
    return scan[chosen]


def fit_plane(points: NDArray, distance: float, seed: int) -> Plane:
    """The plane that most points lie on.

    Parameters
    ----------
    points
        (n, 3) float, metres, n >= 3, not all on one line.
    distance
        Up to which a point counts as lying on the plane, metres.
    seed
        Of the triples that RANSAC draws.

    Returns
    -------
    Plane

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
    o3d = open3d_module()
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
