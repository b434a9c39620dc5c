"""AU-PRO over resampled test sets: how much of a score is owed to the choice of the scans.

A bootstrap resample draws as many scans as there are, with repetition, and keeps their maps. A scan that is drawn twice
counts twice: its non-anomalous pixels in the false positive rate, its components in PRO. Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 13 (percentile intervals). Letters: i scans, m distinct scores of
anomalous pixels, r resamples.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from st3d.kernels.pro import area, counts, divided


class ScanCounts:
    """What each scan adds to the exact PRO curve.

    Parameters
    ----------
    maps
        (h, w) float arrays, one per scan, larger where more anomalous; sizes may differ.
    masks
        (h, w) arrays, anomalous where not zero.

    Attributes
    ----------
    components
        (i,) int64, components of each scan.

    Raises
    ------
    ValueError
        If no pixel is anomalous, a scan has no non-anomalous one, a score is not finite, or the shapes differ.

    Notes
    -----
    Memory: 2 i m counts of 4 bytes, beside all scores.
    """

    def __init__(self, maps: Iterable[NDArray], masks: Iterable[NDArray]) -> None:
        scans = [divided(*each, index) for index, each in enumerate(zip(maps, masks, strict=True))]
        self.components = np.array([len(components) for _, components in scans])
        if not self.components.sum():
            raise ValueError("no anomalous pixel in any mask: PRO is undefined")
        if not all(len(normal) for normal, _ in scans):
            raise ValueError("no non-anomalous pixel in a mask: a resample may have no false positive rate")
        kind = np.result_type(*(normal for normal, _ in scans))
        events = np.unique(np.concatenate([c.astype(kind) for _, components in scans for c in components]))
        self._above = np.empty((len(scans), len(events)), np.int32)  # pixels above each event, from the highest down
        self._at_least = np.empty_like(self._above)
        self._gain: list[tuple[NDArray, NDArray]] = []  # of each scan: where PRO rises, and how much
        self._pixels = np.array([len(normal) for normal, _ in scans])
        for index, (normal, components) in enumerate(scans):
            between, at = counts(np.ascontiguousarray(normal, kind), events)
            self._above[index] = np.cumsum(between[:0:-1]) + np.concatenate([[0], np.cumsum(at[:0:-1])])
            self._at_least[index] = self._above[index] + at[::-1]
            found = np.concatenate([c.astype(kind) for c in components]) if components else np.empty(0, kind)
            weight = np.concatenate([np.full(len(c), 1 / len(c)) for c in components]) if components else np.empty(0)
            self._gain.append((len(events) - 1 - np.searchsorted(events, found), weight))

    def au_pro(self, weights: NDArray, limits: Sequence[float]) -> list[float]:
        """AU-PRO of a test set that holds each scan as often as its weight says.

        Parameters
        ----------
        weights
            (i,) integers, 0 or more; of the scans with components one at least is not 0.
        limits
            Largest false positive rates, in (0, 1].

        Returns
        -------
        One value in [0, 1] a limit

        Raises
        ------
        ValueError
            If no component is drawn, or a limit is not in (0, 1].
        """
        drawn = float(weights @ self.components)
        if not drawn:
            raise ValueError("expected a scan with an anomalous pixel among those drawn, found none")
        gain = np.zeros(self._above.shape[1])
        for weight, (place, share) in zip(weights, self._gain, strict=True):
            if weight and len(place):
                gain += weight * np.bincount(place, share, len(gain))
        before = np.concatenate([[0.0], np.cumsum(gain / drawn)])
        before /= before[-1]
        fpr = np.column_stack([weights @ self._above, weights @ self._at_least]).ravel() / float(weights @ self._pixels)
        pro = np.column_stack([before[:-1], before[1:]]).ravel()
        fpr, pro = np.concatenate([[0.0], fpr, [1.0]]), np.concatenate([[0.0], pro, [1.0]])
        return [area(fpr, pro, limit) for limit in limits]


def resamples(groups: Sequence[str], count: int, seed: int) -> NDArray[np.int64]:
    """How often each scan is drawn, from within its own group, so that no resample lacks a kind of defect.

    Parameters
    ----------
    groups
        The group of each scan, such as its kind of defect.
    count
        r, resamples.
    seed
        Of the draws.

    Returns
    -------
    (r, i) int64; over each group a row's sum is the group's size

    Examples
    --------
    >>> resamples(["good", "good", "hole"], 2, seed=0).sum(axis=1)
    array([3, 3])
    """
    rng = np.random.default_rng(seed)
    weights = np.zeros((count, len(groups)), np.int64)
    for group in dict.fromkeys(groups):
        members = np.flatnonzero(np.array(groups) == group)
        for row in weights:
            row[members] = np.bincount(rng.integers(0, len(members), len(members)), minlength=len(members))
    return weights
