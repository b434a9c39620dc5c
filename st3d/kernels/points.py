"""Point clouds: farthest point sampling, neighbourhoods, receptive fields.

Letters: n points, k neighbours, r points of a receptive field.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from st3d.kernels import native
from st3d.kernels.native import declared, library

_farthest_points = declared(library.st3d_farthest_points, "f8[2] i8 i8 i8 i8[1]")
_within_hops = declared(library.st3d_within_hops, "i4[2] i8 i8[1] i8 i8 i4[1] i4[1] i8[1]")

CURVE_BITS = 16  # of each axis in the curve's code


def _checked(points: NDArray, name: str) -> NDArray[np.float64]:
    """`points` as contiguous float64 (n, 3), finite; `name` is that of the caller, for errors."""
    points = np.ascontiguousarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"{name}: expected points of shape (n, 3), found {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError(f"{name}: expected finite coordinates, found NaN or infinity")
    return points


def farthest_points(points: NDArray, count: int, first: int = 0) -> NDArray[np.int64]:
    """Indices of `count` points, each the farthest from all chosen before it.

    Parameters
    ----------
    points
        (n, 3) float array, any one length unit, finite.
    count
        Int, 1 <= count <= n.
    first
        Int, index of the point to start from.

    Returns
    -------
    (count,) int64 array, distinct, in the order of choice; a prefix is itself a farthest point sample

    Raises
    ------
    ValueError
        If `count` is not in [1, n] or `first` not in [0, n).

    Notes
    -----
    The exact greedy order, distances in float64, ties to the lowest index. Buckets of a k-d tree skip what a new
    point cannot change: about O(n log n) in practice, memory O(n). Eldar et al., "The farthest point strategy for
    progressive image sampling", IEEE TIP 1997; Han et al., "QuickFPS", IEEE TCAD 2023 (the buckets).

    Examples
    --------
    >>> farthest_points(np.array([[0.0, 0, 0], [1, 0, 0], [5, 0, 0]]), count=2)
    array([0, 2])
    """
    points = _checked(points, "farthest_points")
    if not 1 <= count <= len(points):
        raise ValueError(f"farthest_points: expected count in [1, {len(points)}], found {count}")
    if not 0 <= first < len(points):
        raise ValueError(f"farthest_points: expected first in [0, {len(points)}), found {first}")
    chosen = np.empty(count, np.int64)
    if _farthest_points(points, len(points), count, first, chosen):
        raise MemoryError(f"farthest_points: no memory for {len(points)} points")
    return chosen


def downsample_scan(scan: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Farthest point sampling of a scan's valid points, the same wherever the scan stands.

    Parameters
    ----------
    scan
        (h, w, 3) float32, (0, 0, 0) where invalid; or (m, 3), the cloud of its valid pixels, which has the same sample.
    count
        Points to keep; a scan with fewer valid ones keeps them all.
    seed
        Of the first point: default_rng([seed, number of valid points]).

    Returns
    -------
    points
        (n, 3) float32, n <= count, in the order of choice: a prefix is itself a farthest point sample.
    pixel
        (n,) uint32, each point's place in the flattened image, or its row in the cloud.

    Raises
    ------
    ValueError
        If the scan has no valid point.
    """
    flat = scan.reshape(-1, 3)  # in row-major order
    pixel = np.arange(len(flat)) if scan.ndim == 2 else np.flatnonzero((flat != 0).any(axis=1))
    if len(pixel) == 0:
        raise ValueError("expected valid pixels in the scan, found none")
    valid = flat[pixel]
    first = int(np.random.default_rng([seed, len(valid)]).integers(len(valid)))
    chosen = farthest_points(valid, min(count, len(valid)), first)
    return valid[chosen], pixel[chosen].astype(np.uint32)


def neighbours(points: NDArray, k: int) -> NDArray[np.int64]:
    """Indices of each point's `k` nearest others, the nearest first.

    Parameters
    ----------
    points
        (n, 3) float array, any one length unit, finite.
    k
        Int, 1 <= k < n.

    Returns
    -------
    (n, k) int64 array; never the point itself, while another point at the same place is a neighbour like any other;
    its first j columns are the j nearest

    Raises
    ------
    ValueError
        If `k` is not in [1, n).

    Examples
    --------
    >>> neighbours(np.array([[0.0, 0, 0], [1, 0, 0], [5, 0, 0]]), k=2)
    array([[1, 2],
           [0, 2],
           [1, 0]])
    """
    points = _checked(points, "neighbours")
    if not 1 <= k < len(points):
        raise ValueError(f"neighbours: expected k in [1, {len(points)}), found {k}")
    from scipy.spatial import cKDTree  # 0.3 s, imported only where needed

    tree = cKDTree(points)
    found = np.empty((len(points), k + 1), np.int64)
    found[tree.indices] = tree.query(points[tree.indices], k + 1, workers=native.threads())[1]  # leaf by leaf: in cache
    # Among points at one place the search may list the point itself anywhere, or (more than k of them) not at all.
    own = found == np.arange(len(points))[:, None]
    own[~own.any(axis=1), -1] = True
    return found[~own].reshape(len(points), k)


def neighbour_distance(points: NDArray, near: NDArray) -> NDArray[np.float64]:
    """Distances of points to their neighbours.

    Parameters
    ----------
    points
        (n, 3) float, any one length unit.
    near
        (n, k) integer, rows of `points`.

    Returns
    -------
    (n, k) float64, in the points' unit
    """
    points = np.asarray(points, np.float64)
    return np.linalg.norm(points[:, None] - points[near], axis=2)


def curve_order(points: NDArray) -> NDArray[np.int64]:
    """Indices of points along a Z-order curve, so that points near in space lie mostly near in memory.

    Parameters
    ----------
    points
        (n, 3) float, any one length unit, finite.

    Returns
    -------
    (n,) int64, a permutation

    Notes
    -----
    Morton, "A computer oriented geodetic data base", IBM 1966; 16 bits an axis.

    Examples
    --------
    >>> curve_order(np.array([[0.0, 0, 0], [9, 9, 9], [1, 0, 0], [8, 9, 9]]))
    array([0, 2, 3, 1])
    """
    points = _checked(points, "curve_order")
    side = np.ptp(points, axis=0).max() or 1.0
    cell = ((points - points.min(axis=0)) * (2**CURVE_BITS - 1) / side).astype(np.int64)  # (n, 3)
    code = np.zeros(len(points), np.int64)
    for bit in range(CURVE_BITS):
        for axis in range(3):
            code |= (cell[:, axis] >> bit & 1) << (3 * bit + axis)
    return np.argsort(code, kind="stable")


def mean_neighbour_distance(points: NDArray, k: int) -> float:
    """Mean distance of a point to its `k` nearest others.

    Parameters
    ----------
    points
        (n, 3) float, any one length unit, finite.
    k
        Int, 1 <= k < n.

    Returns
    -------
    float, in the points' unit

    Raises
    ------
    ValueError
        If `k` is not in [1, n) or a coordinate is not finite.

    Examples
    --------
    >>> mean_neighbour_distance(np.array([[0.0, 0, 0], [1, 0, 0], [5, 0, 0]]), k=1)
    2.0
    """
    return float(neighbour_distance(points, neighbours(points, k)).mean())


def receptive_field(neighbours: NDArray, index: int, hops: int) -> NDArray[np.int64]:
    """All points that the descriptor of point `index` can depend on.

    Parameters
    ----------
    neighbours
        (n, k) integer array, the directed graph.
    index
        Int in [0, n).
    hops
        Int >= 0, the number of local feature aggregations, L.

    Returns
    -------
    (r,) int64 array, sorted: the union over l = 0..hops of the l-hop neighbourhood, `index` included

    Raises
    ------
    ValueError
        If `index` or `hops` is out of range.

    Examples
    --------
    >>> receptive_field(np.array([[1], [2], [3], [2]]), index=0, hops=2)
    array([0, 1, 2])
    """
    if not 0 <= index < len(neighbours):
        raise ValueError(f"receptive_field: expected index in [0, {len(neighbours)}), found {index}")
    if hops < 0:
        raise ValueError(f"receptive_field: expected hops of 0 or more, found {hops}")
    reached = within_hops(np.ascontiguousarray(neighbours, np.int32), np.array([index]), hops, len(neighbours))
    return np.sort(reached.order).astype(np.int64)


class Hops(NamedTuple):
    """The points within some hops of some points.

    Attributes
    ----------
    order
        (r,) int32, the points reached, the nearest in hops first.
    counts
        (hops + 1,) int64; counts[h] points lie within h hops.
    place
        (n,) int32, a point's position in `order`; -1 if it was not reached.
    """

    order: NDArray[np.int32]
    counts: NDArray[np.int64]
    place: NDArray[np.int32]


def within_hops(neighbours: NDArray[np.int32], at: NDArray[np.int64], hops: int, n: int) -> Hops:
    """Breadth-first search in a directed graph: the points reached, as `Hops` describes them.

    Parameters
    ----------
    neighbours
        (rows, k) int32 of the first rows <= n points; the others must be `hops` away or not reached.
    at
        (q,) int64, distinct points to start from.
    hops
        Int >= 0.
    n
        Number of points.

    Raises
    ------
    ValueError
        If a point is in `at` twice.
    """
    at = np.ascontiguousarray(at, np.int64)
    order = np.empty(n, np.int32)
    place, counts = np.full(n, -1, np.int32), np.empty(hops + 1, np.int64)
    if _within_hops(neighbours, neighbours.shape[1], at, len(at), hops, place, order, counts):
        raise ValueError(f"within_hops: expected distinct points, found a duplicate among {len(at)}")
    return Hops(order[: counts[hops]], counts, place)
