"""Shape and colour in one map: their scores are brought to one scale, then the larger one counts (Shape-Guided).

Letters: s rows and columns of an object image, c of cells. A score that is not there is NaN.
"""

from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np
import torch

from st3d.memory_banks.bank_scores import blurred, enlarged


class Alignment(NamedTuple):
    """What brings colour scores to the scale of shape scores.

    Attributes
    ----------
    factor, shift
        A colour score x is factor x + shift there.
    """

    factor: float
    shift: float

    @classmethod
    def of(cls, scans: Iterable[tuple[np.ndarray, np.ndarray]], blur: float) -> Self:
        """Scores of anomaly-free scans have the same mean and deviation in shape and colour.

        Parameters
        ----------
        scans
            Of each the scores (s, s) float32 of shape and of colour.
        blur
            Standard deviation of the blur of both, pixels.

        Returns
        -------
        Alignment; of colour scores that are all equal the factor is 0

        Raises
        ------
        ValueError
            If a kind has no score.
        """
        found: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for scan in scans:
            for values, scores in zip(found, scan, strict=True):
                there = np.isfinite(scores)
                values.append(blurred_there(scores, blur)[there].astype(np.float64))
        if not all(sum(map(len, values)) for values in found):
            raise ValueError("expected scores of shape and of colour to align, found none")
        shape, colour = (np.concatenate(values) for values in found)
        factor = float(shape.std() / colour.std()) if colour.std() > 0 else 0.0
        return cls(factor, float(shape.mean() - factor * colour.mean()))


def blurred_there(scores: np.ndarray, blur: float) -> np.ndarray:
    """A map, blurred, to which only the scores that are there contribute.

    Parameters
    ----------
    scores
        (s, s) float32.
    blur
        Standard deviation, pixels.

    Returns
    -------
    (s, s) float32, NaN where `scores` are
    """
    there = np.isfinite(scores)
    weight = blurred(there.astype(np.float64), blur)
    total = blurred(np.where(there, scores, 0).astype(np.float64), blur)
    return np.where(there, total / np.where(there, weight, 1), np.nan).astype(np.float32)


def enlarged_there(cells: np.ndarray, size: int) -> np.ndarray:
    """Scores of cells at an object image's size, interpolated between those that are there.

    Parameters
    ----------
    cells
        (c, c) float32.
    size
        s, a multiple of c.

    Returns
    -------
    (s, s) float32, NaN in the cells without a score
    """
    there = np.isfinite(cells)
    whole = np.repeat(np.repeat(there, size // len(cells), axis=0), size // len(cells), axis=1)
    weight = enlarged(torch.from_numpy(there.astype(np.float32)), size)
    total = enlarged(torch.from_numpy(np.where(there, cells, np.float32(0))), size)
    return np.where(whole, total / np.where(whole, weight, 1), np.float32(np.nan))


def fused(shape: np.ndarray, colour: np.ndarray, alignment: Alignment) -> np.ndarray:
    """The larger one of shape's and of colour's aligned score.

    Parameters
    ----------
    shape, colour
        (s, s) float32.
    alignment
        Of the colours.

    Returns
    -------
    (s, s) float32, 0 where neither is there, else 0 or more
    """
    aligned = np.where(np.isfinite(colour), alignment.factor * colour + alignment.shift, 0)
    return np.maximum(np.maximum(aligned, 0), np.where(np.isfinite(shape), shape, 0)).astype(np.float32)
