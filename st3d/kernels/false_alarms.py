"""Thresholds for a false alarm rate that a user names, from scores of anomaly-free scans alone.

Letter: m calibration scans.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST = 3  # scans; of fewer, the spread of their scores is unknown


class Threshold(NamedTuple):
    """A threshold, and what it rests on.

    Attributes
    ----------
    value
        A score above it counts as anomalous.
    rate
        The false alarm rate that it was made for.
    supported
        The lowest rate, 1 / (m + 1), that m scans can promise.
    extrapolated
        Whether `rate` is below that: then the threshold comes from a normal distribution of the logarithms.
    """

    value: float
    rate: float
    supported: float
    extrapolated: bool


def scan_threshold(scores: Sequence[float], rate: float) -> Threshold:
    """The score that an anomaly-free scan exceeds with a probability of at most `rate`.

    Parameters
    ----------
    scores
        Of m >= 3 anomaly-free scans that nothing was trained on, above 0.
    rate
        In (0, 1).

    Returns
    -------
    Threshold

    Raises
    ------
    ValueError
        If there are too few scores, one is not above 0, or `rate` is out of its range.

    Notes
    -----
    If rate >= 1 / (m + 1): the ceil((m + 1)(1 - rate))-th smallest score, which a new exchangeable scan exceeds with
    probability `rate` at most, whatever the scores' distribution (split conformal prediction; Vovk et al., "Algorithmic
    Learning in a Random World", 2005). Else no score of the m does; then it is the upper prediction limit of a normal
    distribution of log scores (Student's t with m - 1 degrees of freedom), and the largest score at least.

    Examples
    --------
    >>> scan_threshold([1.0, 2.0, 3.0, 4.0], 0.4).value
    3.0
    """
    values = np.sort(np.asarray(scores, np.float64))
    m = len(values)
    if not 0 < rate < 1:
        raise ValueError(f"false alarm rate: expected a number above 0 and below 1, found {rate:g}")
    if m < LEAST:
        raise ValueError(f"expected {LEAST} or more anomaly-free scans to calibrate on, found {m}")
    if not (np.isfinite(values).all() and values[0] > 0):
        raise ValueError(f"expected finite scores above 0, found {values[0]:g} to {values[-1]:g}")
    rank = math.ceil((m + 1) * (1 - rate) - 1e-9)  # 1e-9: 20 * (1 - 0.05) is a little more than 19
    if rank <= m:
        return Threshold(float(values[rank - 1]), rate, 1 / (m + 1), False)
    from scipy.stats import t

    logs = np.log(values)
    limit = logs.mean() + t.ppf(1 - rate, m - 1) * logs.std(ddof=1) * math.sqrt(1 + 1 / m)
    return Threshold(max(float(values[-1]), math.exp(limit)), rate, 1 / (m + 1), True)


class PixelThreshold(NamedTuple):
    """A threshold of pixels, or points of a cloud.

    Attributes
    ----------
    value
        A pixel's score above it counts as anomalous.
    rate
        Share of anomaly-free pixels above it, over the calibration scans.
    mean_share, largest_share
        Share of a scan's pixels above the threshold that the others give: mean and largest over the scans.
    """

    value: float
    rate: float
    mean_share: float
    largest_share: float


def pixel_threshold(maps: Sequence[NDArray], rate: float) -> PixelThreshold:
    """The score that a share `rate` of anomaly-free scans' pixels exceeds.

    Parameters
    ----------
    maps
        Scores of m >= 3 anomaly-free scans that nothing was trained on, any shape; every scan counts alike.
    rate
        In (0, 1).

    Returns
    -------
    PixelThreshold

    Raises
    ------
    ValueError
        If there are too few maps, or `rate` is out of its range.
    """
    if not 0 < rate < 1:
        raise ValueError(f"pixel false alarm rate: expected a number above 0 and below 1, found {rate:g}")
    if len(maps) < LEAST:
        raise ValueError(f"expected {LEAST} or more anomaly-free scans to calibrate on, found {len(maps)}")
    ordered = [np.sort(np.ravel(each)) for each in maps]
    left_out = [
        _share_above(ordered[out], _pooled_quantile(ordered[:out] + ordered[out + 1 :], rate))
        for out in range(len(ordered))
    ]
    return PixelThreshold(_pooled_quantile(ordered, rate), rate, float(np.mean(left_out)), float(np.max(left_out)))


def _share_above(ordered: NDArray, value: float) -> float:
    return 1 - float(np.searchsorted(ordered, value, side="right")) / len(ordered)


def _pooled_quantile(ordered: Sequence[NDArray], rate: float) -> float:
    """The least score of any scan that a mean share `rate` or less of the scans' scores exceeds; by bisection."""

    def share(value: float) -> float:
        return sum(_share_above(each, value) for each in ordered) / len(ordered)

    low, high = min(float(each[0]) for each in ordered), max(float(each[-1]) for each in ordered)
    if share(low) <= rate:
        return low
    for _ in range(60):  # share(low) > rate >= share(high)
        middle = (low + high) / 2
        low, high = (low, middle) if share(middle) <= rate else (middle, high)
    return high
