"""Rotation matrices by scipy, which is imported where one is made: 0.3 s that most jobs need not spend."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def euler_rotation(axes: str, angles: ArrayLike) -> NDArray[np.float64]:
    """Rotation about fixed axes, one after the other.

    Parameters
    ----------
    axes
        One letter per rotation: "z", or "xyz" for x first.
    angles
        (len(axes),) float, radians; a number for one axis.

    Returns
    -------
    (3, 3) float64
    """
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler(axes, angles).as_matrix()


def axis_rotation(axis: ArrayLike, degrees: float) -> NDArray[np.float64]:
    """Rotation about an axis through the origin.

    Parameters
    ----------
    axis
        (3,) float, unit vector.
    degrees
        Angle, degrees, counterclockwise as seen from the axis' tip.

    Returns
    -------
    (3, 3) float64; exactly the identity for 0 degrees
    """
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(degrees * np.asarray(axis, np.float64), degrees=True).as_matrix()


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """A random rotation, uniform over all rotations.

    Parameters
    ----------
    rng
        Random stream.

    Returns
    -------
    (3, 3) float64
    """
    from scipy.spatial.transform import Rotation

    return Rotation.random(rng=rng).as_matrix()
