"""One number for a scan, from the scores of its points: how it is judged as a whole. Letter: q scored points."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

ImageScore = Literal["maximum", "top_100", "top_1_percent", "top_5_percent", "quantile_99"]


def image_score(method: ImageScore, scores: NDArray) -> float:
    """A scan's score.

    Parameters
    ----------
    method
        maximum; top_100, the mean of the 100 highest scores; top_1_percent and top_5_percent, the mean of the highest
        hundredth and twentieth; quantile_99, the score that a hundredth exceeds.
    scores
        (q,) float, one or more.

    Returns
    -------
    float, in the unit of `scores`

    Raises
    ------
    ValueError
        If there is no such method.

    Examples
    --------
    >>> image_score("top_5_percent", np.arange(100))
    97.0
    """
    values = np.asarray(scores, np.float64)
    match method:
        case "maximum":
            return float(values.max())
        case "top_100":
            return _mean_of_highest(values, 100)
        case "top_1_percent":
            return _mean_of_highest(values, round(0.01 * len(values)))
        case "top_5_percent":
            return _mean_of_highest(values, round(0.05 * len(values)))
        case "quantile_99":
            return float(np.quantile(values, 0.99))
    raise ValueError(f"image score: expected one of {', '.join(get_args(ImageScore))}, found {method}")


def _mean_of_highest(values: NDArray, count: int) -> float:
    start = len(values) - min(max(count, 1), len(values))
    return float(np.partition(values, start)[start:].mean())
