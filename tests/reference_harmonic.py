"""Reference implementation of harmonic interpolation: the sparse equations, solved directly in float64."""

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import spsolve


def neighbours_of(y, x, shape):
    return [
        (y + dy, x + dx)
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))
        if 0 <= y + dy < shape[0] and 0 <= x + dx < shape[1]
    ]


def fill(values, known):
    number = {(int(y), int(x)): i for i, (y, x) in enumerate(np.argwhere(~known))}
    result = np.where(known, values, 0).astype(np.float64)
    if not number:
        return result
    rows, columns, entries, right = [], [], [], np.zeros(len(number))
    for (y, x), i in number.items():
        beside = neighbours_of(y, x, known.shape)
        rows, columns, entries = [*rows, i], [*columns, i], [*entries, len(beside)]
        for place in beside:
            if place in number:
                rows, columns, entries = [*rows, i], [*columns, number[place]], [*entries, -1]
            else:
                right[i] += values[place]
    solution = spsolve(csc_matrix((entries, (rows, columns)), shape=(len(number),) * 2), right)
    for (y, x), i in number.items():
        result[y, x] = np.atleast_1d(solution)[i]
    return result


def deviation(image, known):
    """Largest deviation of an unknown pixel from its neighbours' mean, float64, whole image at once."""
    padded = np.pad(image.astype(np.float64), 1)
    ones = np.pad(np.ones(image.shape), 1)
    total, count = (a[2:, 1:-1] + a[:-2, 1:-1] + a[1:-1, 2:] + a[1:-1, :-2] for a in (padded, ones))
    away = np.abs(np.divide(total, count, out=np.zeros_like(total), where=count > 0) - image)
    return float(away[~known].max(initial=0))
