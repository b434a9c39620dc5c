"""Values at places between points, from the nearest points."""

import numpy as np
from numpy.typing import NDArray

from st3d.kernels.native import threads

NEAREST = 3  # points that a place takes its value from
LEAST_DISTANCE = 1e-12  # of a place from a point, in their unit: at the point itself the value is the point's


def from_nearest(points: NDArray, values: NDArray, places: NDArray) -> NDArray[np.float64]:
    """The means of the nearest points' values, weighted by inverse distance.

    Parameters
    ----------
    points
        (n, 3) finite, any length unit.
    values
        (n, ...) float, one for each point.
    places
        (m, 3) finite, in the points' unit.

    Returns
    -------
    (m, ...) float64, from the three nearest points, or all if there are fewer

    Notes
    -----
    Shepard, "A two-dimensional interpolation function for irregularly-spaced data", ACM 1968, with power 1.

    Examples
    --------
    >>> from_nearest(np.array([[0.0, 0, 0], [4, 0, 0]]), np.array([0.0, 8]), np.array([[1.0, 0, 0]]))
    array([2.])
    """
    from scipy.spatial import cKDTree

    count = min(NEAREST, len(points))
    tree = cKDTree(np.asarray(points, np.float64))
    distance, near = tree.query(np.asarray(places, np.float64), [*range(1, count + 1)], workers=threads())
    weight = 1 / np.maximum(distance, LEAST_DISTANCE)
    weight = weight.reshape(*weight.shape, *[1] * (values.ndim - 1))
    return (weight * values[near]).sum(axis=1) / weight.sum(axis=1)
