"""AU-PRO: how well maps of scores find anomalous regions.

PRO at a threshold is the mean, over all connected components of the ground truth of all images, of the fraction of the
component's pixels at or above the threshold. Its curve runs over the false positive rate, that of all non-anomalous
pixels, from (0, 0) to (1, 1). Bergmann et al., "The MVTec 3D-AD Dataset", VISAPP 2022, section 3.3; MVTec's second
evaluation code. Letters: s non-anomalous pixels, m distinct scores of anomalous pixels.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from st3d.kernels.native import declared, library

_count_float = declared(library.st3d_count_float, "f4[1] i8 f4[1] i8 i8[1] i8[1]")
_count_double = declared(library.st3d_count_double, "f8[1] i8 f8[1] i8 i8[1] i8[1]")

EIGHT = np.ones((3, 3), bool)  # components are connected over edges and corners


@dataclass(frozen=True)
class Scores:
    """The scores of a category's pixels, from which every curve is computed.

    Attributes
    ----------
    normal
        (s,) float32, or float64 if a map is not float32: all non-anomalous pixels of all images, in no order.
    components
        One ascending array of the same type per component of the ground truth.
    """

    normal: NDArray[np.floating]
    components: list[NDArray[np.floating]]

    @classmethod
    def collect(cls, maps: Iterable[NDArray], masks: Iterable[NDArray]) -> "Scores":
        """Divide the pixels of maps by their masks.

        Parameters
        ----------
        maps
            (h, w) float arrays, finite, larger where more anomalous; sizes may differ.
        masks
            (h, w) arrays, anomalous where not zero.

        Returns
        -------
        Scores

        Raises
        ------
        ValueError
            If no pixel is anomalous, none is non-anomalous, a score is not finite, or the shapes differ.
        """
        pieces, components = [], []
        for index, (scores, mask) in enumerate(zip(maps, masks, strict=True)):
            normal, found = divided(scores, mask, index)
            pieces.append(normal)
            components += found
        if not components:
            raise ValueError("no anomalous pixel in any mask: PRO is undefined")
        kind = np.result_type(*pieces)
        components = [scores.astype(kind, copy=False) for scores in components]
        normal = np.empty(sum(map(len, pieces)), kind)
        if not len(normal):
            raise ValueError("no non-anomalous pixel in any mask: the false positive rate is undefined")
        end = len(normal)
        while pieces:  # each piece is freed once it is copied, so that the pixels are in memory about once
            piece = pieces.pop()
            normal[end - len(piece) : end] = piece
            end -= len(piece)
        return cls(normal, components)

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The exact curve: every distinct score is a threshold, ties are merged.

        Returns
        -------
        fpr
            (2 m + 2,) float64, false positive rates at the curve's corners, rising from 0 to 1.
        pro
            (2 m + 2,) float64, PRO there, rising from 0 to 1.

        Notes
        -----
        PRO is constant between two anomalous scores, so that the corners are just before and at each of them; where
        non-anomalous pixels have the same score, the segment between the two is slanted.
        """
        scores = np.concatenate(self.components)
        weight = np.concatenate([np.full(len(c), 1 / (len(c) * len(self.components))) for c in self.components])
        distinct, place = np.unique(scores, return_inverse=True)
        gain = np.bincount(place, weight)[::-1]  # rise of PRO at each distinct anomalous score, from the highest down
        before = np.concatenate([[0.0], np.cumsum(gain)])
        before, distinct = before / before[-1], distinct[::-1]
        total = len(self.normal)
        between, at = counts(self.normal, np.ascontiguousarray(distinct[::-1]))
        above = np.cumsum(between[:0:-1]) + np.concatenate([[0], np.cumsum(at[:0:-1])])
        at_least = above + at[::-1]
        fpr = np.column_stack([above, at_least]).ravel() / total
        pro = np.column_stack([before[:-1], before[1:]]).ravel()
        return np.concatenate([[0.0], fpr, [1.0]]), np.concatenate([[0.0], pro, [1.0]])

    def sampled_curve(self, thresholds: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The curve of MVTec's first evaluation code: scores at evenly spaced ranks are the thresholds.

        Parameters
        ----------
        thresholds
            How many of the non-anomalous scores are thresholds, 2 or more.

        Returns
        -------
        fpr, pro
            (thresholds + 1,) float64 each, rising; the last of each is 1. A pixel counts if its score is greater than
            the threshold.

        Raises
        ------
        ValueError
            If there are fewer than 2 thresholds.
        """
        if thresholds < 2:
            raise ValueError(f"au_pro: expected 2 thresholds or more, found {thresholds}")
        ranks = np.linspace(0, len(self.normal) - 1, num=thresholds, dtype=int)[::-1]
        at_ranks = np.sort(self.normal)[ranks]
        found = [1 - np.searchsorted(c, at_ranks, "right") / len(c) for c in self.components]
        fpr, pro = 1 - (ranks + 1) / len(self.normal), np.mean(found, axis=0)
        return np.append(fpr, 1.0), np.append(pro, 1.0)


def divided(scores: NDArray, mask: NDArray, index: int) -> tuple[NDArray[np.floating], list[NDArray[np.floating]]]:
    """One image's scores, divided by its mask.

    Parameters
    ----------
    scores
        (h, w) floats, finite.
    mask
        (h, w), anomalous where not zero.
    index
        Number of the image, for the error.

    Returns
    -------
    normal
        (s,) float32, or float64 if the map is not float32: the non-anomalous pixels, in no order.
    components
        One ascending array of the same type per component; none in an image without an anomalous pixel.

    Raises
    ------
    ValueError
        If a score is not finite, or the shapes differ.
    """
    scores, mask = np.asarray(scores), np.asarray(mask) > 0
    if scores.dtype != np.float32:  # float32 would merge scores that differ
        scores = scores.astype(np.float64)
    if scores.ndim != 2 or scores.shape != mask.shape:
        raise ValueError(f"map {index}: expected the mask's shape {mask.shape}, found {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(f"map {index}: expected finite scores, found NaN or infinity")
    components = []
    for around in find_objects(mask.view(np.uint8)):  # label only where something is anomalous
        labels, _ = label(mask[around], EIGHT)
        for number, box in enumerate(find_objects(labels), start=1):
            components.append(np.sort(scores[around][box][labels[box] == number]))
    return scores[~mask], components


def counts(normal: NDArray[np.floating], events: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many scores lie between others, and how many are equal to them.

    Parameters
    ----------
    normal
        (s,) float32 or float64, in any order.
    events
        (m,) of the same type, rising, distinct.

    Returns
    -------
    (m + 1,) int64, before, between and after the events; (m,) int64, at each
    """
    between, at = np.zeros(len(events) + 1, np.int64), np.zeros(len(events), np.int64)
    count = _count_float if normal.dtype == np.float32 else _count_double
    if count(normal, len(normal), events, len(events), between, at):
        raise MemoryError("au_pro: no memory to count scores")
    return between, at


def area(fpr: NDArray[np.float64], pro: NDArray[np.float64], limit: float) -> float:
    """Area under a rising curve up to a false positive rate, divided by that rate; trapezoids, linear at the limit.

    Parameters
    ----------
    fpr, pro
        (i,) float64 each, rising.
    limit
        Largest false positive rate, in (0, 1].

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    ValueError
        If the limit is not in (0, 1].

    Examples
    --------
    >>> area(np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.5, 1.0]), limit=0.5)
    0.625
    """
    if not 0 < limit <= 1:
        raise ValueError(f"au_pro: expected a limit in (0, 1], found {limit}")
    left, right = fpr[:-1], fpr[1:]
    width = np.minimum(right, limit) - np.minimum(left, limit)
    part = np.divide(width, right - left, out=np.zeros_like(width), where=right > left)  # of each step, inside
    end = pro[:-1] + part * (pro[1:] - pro[:-1])
    return float((width * (pro[:-1] + end) / 2).sum() / limit)


def au_pro(
    maps: Iterable[NDArray], masks: Iterable[NDArray], limit: float = 0.3, thresholds: int | None = None
) -> float:
    """Area under the PRO curve up to a false positive rate, divided by that rate.

    Parameters
    ----------
    maps
        (h, w) float arrays, one per test image, larger where more anomalous; sizes may differ.
    masks
        (h, w) arrays, anomalous where not zero; all other pixels count as non-anomalous, background and invalid
        ones too.
    limit
        Largest false positive rate, in (0, 1].
    thresholds
        None for the exact curve; a number for the sampled curve of MVTec's first evaluation code (100).

    Returns
    -------
    float in [0, 1]; 1 for a perfect map, limit / 2 for a constant one

    Raises
    ------
    ValueError
        If no pixel is anomalous (PRO is undefined), none is non-anomalous, a score is not finite, the shapes differ, or
        the limit is not in (0, 1].

    Notes
    -----
    Sorts the few anomalous scores alone and counts the others between them: time O(s), memory about 5 bytes a
    non-anomalous pixel (float64 maps: 9).

    Examples
    --------
    >>> au_pro([np.array([[0.9, 0.1], [0.2, 0.3]])], [np.array([[1, 0], [0, 0]])])
    1.0
    >>> round(au_pro([np.zeros((2, 2))], [np.array([[1, 0], [0, 0]])]), 6)
    0.15
    """
    scores = Scores.collect(maps, masks)
    return area(*(scores.curve() if thresholds is None else scores.sampled_curve(thresholds)), limit)
