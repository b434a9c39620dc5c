"""Reference implementations of st3d.kernels.nearest_rows, coreset and cells, written from the definitions."""

import numpy as np


def nearest_rows(queries, bank, k):
    """Distances and rows from the full matrix of differences; the lowest row among equals."""
    squared = ((queries[:, None].astype(np.float64) - bank[None].astype(np.float64)) ** 2).sum(axis=2)
    row = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return np.sqrt(np.take_along_axis(squared, row, axis=1)), row


def coreset(rows, count):
    """The quadratic greedy loop: the first row, then each the farthest from all chosen, the lowest among equals."""
    rows = rows.astype(np.float64)
    chosen = [0]
    while len(chosen) < count:
        squared = ((rows[:, None] - rows[chosen][None]) ** 2).sum(axis=2).min(axis=1)
        squared[chosen] = -1
        chosen.append(int(squared.argmax()))
    return np.array(chosen)


def cell_means(image, count, window):
    """Loops over windows, then over the cells' rows and columns."""
    d, h, w = image.shape
    shape = (h - window + 1, w - window + 1)
    smooth = np.zeros((d, *shape))
    for i in range(shape[0]):
        for j in range(shape[1]):
            smooth[:, i, j] = image[:, i : i + window, j : j + window].mean(axis=(1, 2))
    rows, columns = ([(side * i // count, -(-side * (i + 1) // count)) for i in range(count)] for side in shape)
    return np.array([smooth[:, a:b, c:e].mean(axis=(1, 2)) for a, b in rows for c, e in columns])


def matching_pursuit(vector, atoms, nonzero):
    """One vector: the atom of the largest product with the residual, least squares on all taken, and again."""
    taken, fit = [], np.zeros_like(vector)
    for _ in range(min(nonzero, len(atoms))):
        product = np.abs(atoms @ (vector - fit))
        product[taken] = -1
        taken.append(int(product.argmax()))
        fit = atoms[taken].T @ np.linalg.lstsq(atoms[taken].T, vector, rcond=None)[0]
    return fit, taken
