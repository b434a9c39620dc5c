"""What an xyz image in metres can be: coordinates in their order, of a sensor's scale, invalid only at (0, 0, 0)."""

from pathlib import Path

import numpy as np

from st3d.formats.sensor_files.invalid import valid_points
from st3d.formats.sensor_files.scan import Numbers, Reading

STRAIGHT = 0.99  # correlation of a coordinate with the pixel's column or row, above which it is along it
ACROSS = 0.9  # and below which it is not
LOOKED_AT = 96  # rows and columns of a scan that are looked at
FINEST, COARSEST = 1e-5, 0.1  # m, distance of neighbouring pixels
SMALLEST, LARGEST = 1e-4, 50.0  # m, longest side of a scan's bounding box
OTHER_UNIT = 100  # times as large as another scan of the same category
SURFACE = 10  # distances of neighbours that a surface is longer than
METRES = "coordinates are in metres: write it again, divided by 1000 if it is in millimetres"


def refuse_implausible(path: Path, scan: np.ndarray) -> None:
    """Refuse an xyz image whose coordinates are in another order, or not in metres.

    Parameters
    ----------
    path
        Its file, for the error.
    scan
        (h, w, 3) finite, metres, invalid pixels (0, 0, 0); a part of its pixels is looked at.

    Raises
    ------
    ValueError
        One line with the likely cause and how to mend it.
    """
    rows, columns = (max(1, side // LOOKED_AT) for side in scan.shape[:2])
    if is_reversed(scan[::rows, ::columns]):
        raise ValueError(
            f"{path}: expected the channels x, y, z, found z, y, x, as OpenCV writes them;"
            " write it with tifffile, image[..., ::-1] if it was read with tifffile"
        )
    lines = scan[::rows].astype(np.float64)
    valid = np.asarray(lines.any(axis=2))
    points = lines[valid]
    if len(points) < 2:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        longest = float((points.max(axis=0) - points.min(axis=0)).max())
        steps = np.linalg.norm(np.diff(lines, axis=1)[valid[:, 1:] & valid[:, :-1]], axis=1)
    apart = float(np.median(steps[steps > 0])) if (steps > 0).any() else None
    if longest > 0 and not SMALLEST <= longest <= LARGEST:
        wanted = f"a longest side from {SMALLEST:g} to {LARGEST:g} m"
        raise ValueError(f"{path}: expected {wanted}, found {longest:.3g}; {METRES}")
    if apart is not None and (apart < FINEST or (apart > COARSEST and longest > SURFACE * apart)):
        wanted = f"pixels from {FINEST:g} to {COARSEST:g} m apart"
        raise ValueError(f"{path}: expected {wanted}, found {apart:.3g}; {METRES}")


def is_reversed(image: np.ndarray) -> bool:
    """Whether an xyz image has its channels in the order z, y, x, which OpenCV writes.

    Parameters
    ----------
    image
        (h, w, 3) floats; pixels that are (0, 0, 0) or not finite are passed over.

    Returns
    -------
    True if the last channel, not the first, runs along the columns, and the second along the rows
    """
    seen = np.isfinite(image).all(axis=-1) & (image != 0).any(axis=-1)
    rows, columns = np.nonzero(seen)
    if len(rows) < 3:
        return False
    first, second, last = image[seen].astype(np.float64).T
    with np.errstate(all="ignore"):
        along = [abs(np.corrcoef(a, b)[0, 1]) for a, b in ((last, columns), (second, rows), (first, columns))]
    return bool(along[0] > STRAIGHT and along[1] > STRAIGHT and along[2] < ACROSS)


def sentinel_pixels(scan: np.ndarray) -> tuple[np.ndarray, str] | None:
    """Find the pixels whose z is a constant that stands for "nothing seen", such as 0 or -9999.

    Parameters
    ----------
    scan
        (h, w, 3) finite, invalid pixels perhaps (0, 0, 0).

    Returns
    -------
    None if there are none; or (h, w) bool, True where z is the constant but x, y and z are not all 0, and its name,
    such as "z = 0"
    """
    if not _may_have_sentinels(scan):
        return None
    numbers = Numbers(scan, [])
    with np.errstate(over="ignore"):
        valid, forms = valid_points(numbers, Reading())
    pixels = ~valid & (scan != 0).any(axis=2)
    names = [form.removesuffix(" (detected)") for form in forms if form != numbers.unseen]
    return (pixels, ", ".join(names)) if names and pixels.any() else None


def drop_sentinels(path: Path, scan: np.ndarray, refuse: bool) -> None:
    """Set pixels whose z stands for "nothing seen" to (0, 0, 0), in place.

    Parameters
    ----------
    path
        Of the scan, for the error.
    scan
        (h, w, 3) float32, finite.
    refuse
        Refuse a scan that has such pixels.

    Raises
    ------
    ValueError
        If there are any, and `refuse`.
    """
    found = sentinel_pixels(scan)
    if found is None:
        return
    pixels, name = found
    if refuse:
        raise ValueError(
            f"{path}: expected (0, 0, 0) as invalid pixels, found {pixels.sum()} pixels with {name}, far"
            " from all others; set downsampling.invalid to drop, or to keep if these are points"
        )
    scan[pixels] = 0


def _may_have_sentinels(scan: np.ndarray) -> bool:
    """Whether an end of z is farther from a sample of the others than these lie apart; fast, never wrongly False."""
    z = np.ascontiguousarray(scan[..., 2])
    unseen = np.flatnonzero(z == 0)
    others = z.ravel()
    ends = {0.0} if len(unseen) and scan.reshape(-1, 3)[unseen, :2].any() else set()
    if len(unseen):
        others = others[others != 0]
    if others.size == 0:
        return False
    ends |= {float(others.min()), float(others.max())}
    sample = others[:: max(1, others.size // LOOKED_AT**2)].astype(np.float64)
    sample = sample[~np.isin(sample, [*ends])]
    if sample.size == 0:
        return len(ends) > 1
    low, high = sample.min(), sample.max()
    return any(max(low - end, end - high) > high - low for end in ends)


def longest_side(scan: np.ndarray) -> float:
    """The longest side of the bounding box of some rows of an xyz image.

    Parameters
    ----------
    scan
        (h, w, 3), invalid pixels (0, 0, 0).

    Returns
    -------
    Length in the scan's unit, 0 without valid pixels
    """
    points = scan[:: max(1, scan.shape[0] // LOOKED_AT)].reshape(-1, 3)
    points = points[points.any(axis=1)].astype(np.float64)
    return float((points.max(axis=0) - points.min(axis=0)).max()) if len(points) else 0.0


def refuse_other_unit(path: Path, scan: np.ndarray, side: float, other: Path) -> None:
    """Refuse a scan that is a hundred times as large or as small as another of its category.

    Parameters
    ----------
    path
        Its file, for the error.
    scan
        As for `refuse_implausible`.
    side
        `longest_side` of the other.
    other
        The file of the other.

    Raises
    ------
    ValueError
        One line with both.
    """
    own = longest_side(scan)
    if min(own, side) > 0 and max(own, side) > OTHER_UNIT * min(own, side):
        raise ValueError(
            f"{path}: expected a scan as large as {other} ({side:.3g} m), found a longest side of {own:.3g}; all"
            " coordinates are in metres: write the one in another unit again"
        )
