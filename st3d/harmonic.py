"""Scores between the scored pixels: harmonic interpolation on the pixel grid (section 3.3)."""

import ctypes

import numpy as np
from numpy.typing import NDArray

from st3d.native import address, library

TOLERANCE = 1e-7  # largest deviation of a filled pixel from its neighbours' mean, as a share of the value range


def fill(values: NDArray, known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The image whose unknown pixels are each the mean of their neighbours.

    The discrete Laplace equation with the 4-neighbour stencil; known pixels are Dirichlet data, the border is natural
    (mirror): a pixel at the border is the mean of the two or three neighbours it has.

    Parameters
    ----------
    values : (h, w) float array; read where `known`, anything elsewhere
    known : (h, w) bool array, at least one true

    Returns
    -------
    (h, w) float32, known pixels as they were, filled ones within the range of the known ones

    Raises
    ------
    ValueError
        If the shapes differ, nothing is known, or a known value is not finite.

    Notes
    -----
    Conjugate gradients with a multigrid preconditioner, down to a deviation of 1e-7 of the value range: time and
    memory O(h w), whatever the mask. Single-threaded, hence the same bits everywhere that floats are the same.

    Examples
    --------
    >>> fill(np.array([[1.0, 0, 0, 4.0]]), np.array([[True, False, False, True]]))
    array([[1., 2., 3., 4.]], dtype=float32)
    """
    values, known = np.asarray(values), np.asarray(known)
    if values.ndim != 2 or values.shape != known.shape or known.dtype != bool:
        raise ValueError(
            f"fill: expected an image and a bool mask of one shape, found {values.shape}, {known.shape} {known.dtype}"
        )
    given = values[known].astype(np.float64)
    if not len(given):
        raise ValueError("fill: expected at least one known pixel, found none")
    if not np.isfinite(given).all():
        raise ValueError("fill: expected finite known values, found NaN or infinity")
    low, high = given.min(), given.max()
    result = np.full(values.shape, low, np.float32)
    if high > low:  # solved in units of the range, so that the tolerance is relative to it
        image = np.zeros(values.shape)
        image[known] = (given - low) / (high - low)
        steps = library.st3d_harmonic(
            address(image, np.float64),
            address(np.ascontiguousarray(known).view(np.uint8), np.uint8),
            ctypes.c_int64(values.shape[0]),
            ctypes.c_int64(values.shape[1]),
            ctypes.c_double(TOLERANCE),
        )
        if steps == -1:
            raise MemoryError(f"fill: no memory for an image of {values.shape}")
        if steps < 0:
            raise RuntimeError(f"fill: no convergence on an image of {values.shape}")
        result = (low + image * (high - low)).astype(np.float32)
    result[known] = given
    return result
