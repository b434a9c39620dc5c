"""AUROC: how well scores find anomalous images."""

import numpy as np
from numpy.typing import ArrayLike


def auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    """The fraction of (anomalous, normal) pairs in which the anomalous one scores higher; ties count half.

    Parameters
    ----------
    scores
        (i,) floats, finite.
    labels
        (i,) True where anomalous.

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    ValueError
        If one of the two classes is missing or a score is not finite.

    Examples
    --------
    >>> auroc([0.1, 0.4, 0.4, 0.8], [False, True, False, True])
    0.875
    """
    values, anomalous = np.asarray(scores, np.float64), np.asarray(labels, bool)
    if values.shape != anomalous.shape or values.ndim != 1:
        raise ValueError(f"auroc: expected one label a score, found {values.shape} and {anomalous.shape}")
    if not np.isfinite(values).all():
        raise ValueError("auroc: expected finite scores, found NaN or infinity")
    normal, found = np.sort(values[~anomalous]), values[anomalous]
    if not len(normal) or not len(found):
        raise ValueError(f"auroc: expected both classes, found {len(found)} anomalous and {len(normal)} normal")
    lower, upper = np.searchsorted(normal, found, "left"), np.searchsorted(normal, found, "right")
    return float((lower + upper).sum() / (2 * len(normal) * len(found)))
