"""Invalid pixels: which points of a scan stand for "nothing seen", in the forms that sensors have for it."""

import numpy as np

from st3d.formats.sensor_files.scan import Numbers, Reading

# constants that programs write for "nothing": from a single pixel on
USUAL = (0, -999, -9999, 9999, -99999, 99999, -32768, 32767, 65535, -1e9, 1e9, -1e10, 1e10, -1e38, 1e38)
SHARE = 1e-4  # of the points, 3 at least, that have another constant
FEW = 10  # fewer different values of z than this are steps of a drawn part, not a surface with a sentinel
LARGEST = 1e30  # coordinates above it are infinite to float32's arithmetic
NEAR_ZERO = 0.1  # of the range of z: a surface that comes closer to z = 0 may reach it


def valid_points(numbers: Numbers, reading: Reading) -> tuple[np.ndarray, list[str]]:
    """Find the valid points.

    Parameters
    ----------
    numbers
        n points.
    reading
        `invalid` is looked at.

    Returns
    -------
    valid
        bool, of the points' shape without the last axis.
    forms
        The forms of invalid points that there are, such as "NaN" or "z = -9999".
    """
    points = numbers.points
    forms = []
    with np.errstate(invalid="ignore"):
        valid = (np.abs(points) < LARGEST).all(axis=-1)
    if not valid.all():
        forms.append("NaN" if np.isnan(points[~valid]).any() else "infinite")
    origin = (points == 0).all(axis=-1) if numbers.seen is None else ~numbers.seen
    if (origin & valid).any():
        forms.append(numbers.unseen)
    valid &= ~origin
    z = points[..., 2]
    for value in reading.invalid:
        named = valid & np.isclose(z, value, rtol=1e-6, atol=0)  # as text rounds it
        if named.any():
            forms.append(f"z = {value:g} (named)")
        valid &= ~named
    while (apart := _sentinel(points[valid])) is not None:
        forms.append(f"z = {apart:g} (detected)")
        valid &= z != apart
    return valid, forms


def _sentinel(points: np.ndarray) -> float | None:
    """A value of z that stands for "nothing seen" among the points (n, 3), if there is one."""
    if len(points) < 2:
        return None
    z = points[:, 2]
    if (z == 0).any() and _zero_is_apart(z):
        return 0.0
    ends = sorted({float(z.min()), float(z.max())}, key=abs, reverse=True)
    if len(ends) < 2:
        return None
    inner = (z != ends[0]) & (z != ends[1])
    for value, others in ((ends[0], z != ends[0]), (ends[1], z != ends[1]), (ends[0], inner)):
        if others.any() and _is_apart(value, points, others):
            return value
    return None


def _zero_is_apart(z: np.ndarray) -> bool:
    """Whether nearly all z other than 0 lie on one side of it, and not next to it."""
    others = z[z != 0]
    if others.size == 0:
        return False
    low, high = np.quantile(others, [0.005, 0.995])
    near = low if low > 0 else -high
    few = len(z) - others.size < max(3, SHARE * len(z))  # then it must be farther off
    return bool(near > (high - low if few else NEAR_ZERO * (high - low)))


def _is_apart(value: float, points: np.ndarray, others: np.ndarray) -> bool:
    """Whether no surface reaches from the other points to those of this z."""
    z = points[others, 2]
    low, high = z.min(), z.max()
    gap = max(low - value, value - high)
    if gap <= high - low:
        return False
    if value in USUAL:
        return True
    shared = np.count_nonzero(points[:, 2] == value) >= max(3, SHARE * len(points))
    steps = len(np.unique(z[:10_000])) < FEW
    if not shared or steps:
        return False
    sides = points[others, :2]
    return bool(gap > (sides.max(axis=0) - sides.min(axis=0)).max())  # a defect is never higher than a scan is wide
