"""Harmonic interpolation of an image between its known pixels (compiled: src/harmonic.c)."""

import numpy as np
from numpy.typing import NDArray

from st3d.kernels.native import declared, library

TOLERANCE = 1e-8  # of the error's energy norm, known values scaled to a range of 1
MOST_ITERATIONS = 500  # 10 to 20 are usual

_harmonic = declared(library.st3d_harmonic, "f4[2] ?[2] i8 i8 f4 f4 f8 i8 f4[2]")


def fill(values: NDArray, known: NDArray) -> NDArray[np.float32]:
    """The image whose known pixels are `values` and whose every other pixel is the mean of its neighbours.

    Parameters
    ----------
    values
        (h, w) float, any unit; read at known pixels only, where it must be finite.
    known
        (h, w) bool, True at one pixel or more.

    Returns
    -------
    (h, w) float32, unit of `values`; known pixels untouched, all others between the least and the largest known value

    Raises
    ------
    ValueError
        If the shapes differ, `known` is not bool or has no True, a known value is not finite, or the solver does not
        converge, which no image is known to cause.
    MemoryError
        If there is no memory for the solver's grids.

    Notes
    -----
    The discrete Laplace equation with the 4-neighbour stencil. The border is natural: a pixel there is the mean of
    the 3 (in a corner 2) neighbours that exist, as if the image were mirrored at the pixels' outer edges
    (`numpy.pad`'s "symmetric"). It minimises the sum of squared differences between neighbours. Solved by conjugate
    gradients with a multigrid V-cycle: time and memory O(h w), about 70 bytes a pixel; deterministic. A pixel differs
    from its neighbours' mean by less than 1e-7 of the known values' range, apart from float32's rounding.

    Examples
    --------
    >>> fill(np.array([[1.0, 0, 0, 4, 0]]), np.array([[True, False, False, True, False]]))
    array([[1., 2., 3., 4., 4.]], dtype=float32)
    """
    values, known = np.asarray(values), np.asarray(known)
    if values.ndim != 2 or values.shape != known.shape:
        raise ValueError(f"fill: expected values and known of one shape (h, w), found {values.shape} and {known.shape}")
    if known.dtype != bool:
        raise ValueError(f"fill: expected known of type bool, found {known.dtype}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
        values = np.ascontiguousarray(values, dtype=np.float32)
    given = values[known]
    if given.size == 0:
        raise ValueError(f"fill: expected a known pixel or more, found none in {known.size} pixels")
    low, high = given.min(), given.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("fill: expected finite values at known pixels, found NaN or infinity")
    if low == high or given.size == known.size:
        return np.where(known, values, low)
    filled, known = np.empty_like(values), np.ascontiguousarray(known)
    failed = _harmonic(values, known, *values.shape, float(low), float(high), TOLERANCE, MOST_ITERATIONS, filled)
    if failed == 1:
        raise MemoryError(f"fill: no memory for an image of shape {values.shape}")
    if failed:
        h, w = values.shape
        raise ValueError(
            f"fill: expected convergence within {MOST_ITERATIONS} iterations, found none for an image of {h} x {w}"
        )
    return filled
