"""One number for a scan, from the scores of its points: how it is judged as a whole.

Letters: n points, q scored points (n, or fewer, the first), k neighbours.
"""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

ImageScore = Literal["maximum", "top_100", "top_1_percent", "quantile_99", "smoothed_maximum", "smoothed_top_1_percent"]


def image_score(method: ImageScore, scores: NDArray, neighbours: NDArray) -> float:
    """A scan's score.

    Parameters
    ----------
    method
        maximum; top_100, the mean of the 100 highest scores; top_1_percent, the mean of the highest hundredth;
        quantile_99, the score that a hundredth exceeds; smoothed_maximum and smoothed_top_1_percent, of scores averaged
        over each point and its neighbours, and these means once more.
    scores
        (q,) float, one or more, of the first q points of a cloud.
    neighbours
        (n, k) integer, rows of the cloud; of scored points only those that are scored count.

    Returns
    -------
    float, in the unit of `scores`

    Examples
    --------
    >>> image_score("top_100", np.array([1.0, 3.0]), np.array([[1], [0]]))
    2.0
    """
    smooth, measure = _MEASURES[method]
    values = np.asarray(scores, np.float64)
    for _ in range(2 if smooth else 0):
        values = neighbourhood_mean(values, neighbours)
    return float(measure(values))


def neighbourhood_mean(values: NDArray, neighbours: NDArray) -> NDArray[np.float64]:
    """The mean of each point's value and its neighbours'.

    Parameters
    ----------
    values
        (q,) float, of the first q points.
    neighbours
        (n, k) integer, n >= q; neighbours that have no value are left out.

    Returns
    -------
    (q,) float64
    """
    q = len(values)
    near = np.asarray(neighbours[:q], np.int64)
    if len(neighbours) == q:
        return (values + values[near].sum(axis=1)) / (1 + near.shape[1])
    known = near < q
    total = np.where(known, values[np.where(known, near, 0)], 0).sum(axis=1)
    return (values + total) / (1 + known.sum(axis=1))


def _top(share: float) -> Callable[[NDArray], float]:
    def measure(values: NDArray) -> float:
        return _mean_of_highest(values, max(1, round(share * len(values))))

    return measure


def _mean_of_highest(values: NDArray, count: int) -> float:
    count = min(count, len(values))
    return float(np.partition(values, len(values) - count)[len(values) - count :].mean())


_MEASURES: dict[str, tuple[bool, Callable[[NDArray], float]]] = {
    "maximum": (False, np.max),
    "top_100": (False, lambda values: _mean_of_highest(values, 100)),
    "top_1_percent": (False, _top(0.01)),
    "quantile_99": (False, lambda values: float(np.quantile(values, 0.99))),
    "smoothed_maximum": (True, np.max),
    "smoothed_top_1_percent": (True, _top(0.01)),
}
assert tuple(_MEASURES) == get_args(ImageScore)
