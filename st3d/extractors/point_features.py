"""Hand-made features of points: normals, point pair features of neighbourhoods, fast point feature histograms.

Letters: n points of a cloud, q chosen points, k neighbours in the graph, m points of a neighbourhood.
"""

import numpy as np
from numpy.typing import NDArray

from st3d.kernels.native import in_blocks, threads
from st3d.kernels.open3d_library import open3d_module

POINTS_AT_ONCE, PAIRS_AT_ONCE = 4096, 2**17  # a block's arrays fit into the cache


def normals(points: NDArray, neighbours: NDArray, at: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Unit normals: the direction in which a point and its neighbours vary least, oriented towards the origin.

    The origin is where a scan's camera is, so normals rotate with a cloud that is rotated about it. A neighbourhood
    without a direction of least variance (a line, one place) gets one of the possible ones.

    Parameters
    ----------
    points
        (n, 3) finite, any unit.
    neighbours
        (q, k) integer, the neighbours of the points `at`.
    at
        (q,) integer; None: all n points.

    Returns
    -------
    (q, 3) float64, the same bits for any number of threads

    Raises
    ------
    ValueError
        If the shapes do not fit each other.
    """
    points = np.asarray(points, np.float64)
    at = np.arange(len(points)) if at is None else at
    if points.ndim != 2 or points.shape[1] != 3 or neighbours.ndim != 2 or len(neighbours) != len(at):
        raise ValueError(
            f"normals: expected points (n, 3) and neighbours ({len(at)}, k), "
            f"found {points.shape} and {neighbours.shape}"
        )
    result = np.empty((len(at), 3))

    def block(start: int, stop: int) -> None:
        own = at[start:stop]
        near = points[np.concatenate([own[:, None], neighbours[start:stop]], axis=1)]  # (b, k + 1, 3)
        centred = near - near.mean(axis=1, keepdims=True)
        least = np.linalg.eigh(centred.transpose(0, 2, 1) @ centred)[1][:, :, 0]
        away = (least * points[own]).sum(axis=1) > 0
        result[start:stop] = np.where(away[:, None], -least, least)

    in_blocks(block, len(at), POINTS_AT_ONCE)
    return result


def neighbourhoods(points: NDArray, at: NDArray[np.int64], m: int) -> NDArray[np.int64]:
    """The `m` nearest points of each of `at` (q,), itself included, nearest first; all of them over and over if m > n.

    Parameters
    ----------
    points
        (n, 3) finite.
    at
        (q,) in [0, n).
    m
        1 or more.

    Returns
    -------
    (q, m) int64

    Examples
    --------
    >>> neighbourhoods(np.array([[0.0, 0, 0], [1, 0, 0], [5, 0, 0]]), np.array([1]), m=5)
    array([[1, 0, 2, 1, 0]])
    """
    from scipy.spatial import cKDTree

    points = np.asarray(points, np.float64)
    found = min(m, len(points))
    near = cKDTree(points).query(points[at], k=found, workers=threads())[1].reshape(len(at), found)
    return near[:, np.arange(m) % found]


def point_pair_features(
    points: NDArray, normals: NDArray, at: NDArray[np.int64], near: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Point pair features (Drost et al., CVPR 2010) of points `at` with the points `near` them.

    With d = x_r - x_i from a near point i to the reference r: the angles (n_r, d), (n_i, d), (n_r, n_i), and |d|. The
    order and the direction are those of the public PPF-FoldNet (ppf_foldnet/network.py). Angles come by atan2, which
    is accurate near 0 and pi. A point with itself gives four zeros.

    Parameters
    ----------
    points
        (n, 3).
    normals
        (n, 3) unit vectors.
    at
        (q,) the references.
    near
        (q, m) points of their neighbourhoods.

    Returns
    -------
    (q, m, 4) float32: three angles in [0, pi], radians, and a distance in the points' unit; the same bits for any
    number of threads
    """
    places, directions = (np.ascontiguousarray(np.asarray(each, np.float64).T) for each in (points, normals))
    result = np.empty((*near.shape, 4), np.float32)

    def block(start: int, stop: int) -> None:
        own, others = at[start:stop, None], near[start:stop]
        to_reference = places[:, own] - places[:, others]  # (3, b, m)
        reference, other = directions[:, own], directions[:, others]
        into = result[start:stop]
        into[..., 0] = _angle(reference, to_reference)
        into[..., 1] = _angle(other, to_reference)
        into[..., 2] = _angle(reference, other)
        into[..., 3] = _length(to_reference)

    in_blocks(block, len(near), max(1, PAIRS_AT_ONCE // near.shape[1]))
    return result


def _angle(first: NDArray, second: NDArray) -> NDArray[np.float64]:
    """Angles between vectors (3, ...), in [0, pi]; 0 where one has no length."""
    (a, b, c), (x, y, z) = first, second
    across = _length(np.stack([b * z - c * y, c * x - a * z, a * y - b * x]))
    return np.arctan2(across, a * x + b * y + c * z + 0.0)  # -0.0 would make pi of a vector without length


def _length(vectors: NDArray) -> NDArray[np.float64]:
    x, y, z = vectors
    return np.sqrt(x * x + y * y + z * z)


def fpfh(points: NDArray, neighbours: int, normals: NDArray) -> NDArray[np.float32]:
    """Fast point feature histograms (Rusu et al., ICRA 2009), by Open3D.

    Parameters
    ----------
    points
        (n, 3), any unit: the histograms do not depend on it.
    neighbours
        Points around a point, itself not counted, that its histogram is made of; all if there are fewer.
    normals
        (n, 3) unit vectors.

    Returns
    -------
    (n, 33) float32: three histograms of 11 angles each, in percent, weighted sums; the same bits for any number of
    threads

    Raises
    ------
    ValueError
        If `neighbours` is less than 1, or points and normals differ in shape.
    """
    if neighbours < 1 or points.shape != normals.shape:
        raise ValueError(
            f"fpfh: expected 1 or more neighbours and as many normals as points, "
            f"found {neighbours}, points {points.shape} and normals {normals.shape}"
        )
    open3d = open3d_module()
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(np.asarray(points, np.float64)))
    cloud.normals = open3d.utility.Vector3dVector(np.asarray(normals, np.float64))
    search = open3d.geometry.KDTreeSearchParamKNN(neighbours + 1)  # Open3D counts the point itself
    histograms = open3d.pipelines.registration.compute_fpfh_feature(cloud, search).data  # (33, n)
    return np.ascontiguousarray(np.asarray(histograms).T, np.float32)
