"""The part of a scan around its object, for pictures: most of a scan shows what the object lies on.

h, w rows and columns of the scan, an xyz image in metres, in the camera's frame (z points away from the camera).
"""

import numpy as np
from scipy import ndimage

BORDER = 0.08  # of each side: where the background is looked for
ABOVE = 0.003  # metres above the background from where a pixel belongs to the object
MARGIN = 0.15  # of the object's sides, around it
LEAST, MOST = 0.01, 0.8  # of the valid pixels; with fewer or more the whole scan is shown
ROUNDS = 8  # of the plane's fit, each without the points far from the last plane


def cutout(scan: np.ndarray, mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns around the largest thing above the background, the ground truth included.

    Parameters
    ----------
    scan
        (h, w, 3) float, metres; an invalid pixel is (0, 0, 0).
    mask
        (h, w) bool, the ground truth.

    Returns
    -------
    Slices of rows and of columns; the whole scan where no plane is behind the object
    """
    h, w = mask.shape
    inside = _object(scan)
    share = inside.sum() / max((scan != 0).any(axis=2).sum(), 1)
    if not LEAST < share < MOST:
        return slice(0, h), slice(0, w)
    found = []
    for axis, side in ((1, h), (0, w)):
        places = np.flatnonzero((inside | mask).any(axis=axis))
        margin = int(MARGIN * (places[-1] - places[0] + 1)) + 2
        found.append(slice(max(places[0] - margin, 0), min(places[-1] + margin + 1, side)))
    return found[0], found[1]


def _object(scan: np.ndarray) -> np.ndarray:
    """(h, w) bool: the largest region above the plane through the scan's border."""
    valid = (scan != 0).any(axis=2)
    rows, columns = (max(1, round(BORDER * side)) for side in valid.shape)
    border = valid.copy()
    border[rows:-rows, columns:-columns] = False
    if border.sum() < 10:
        return np.zeros_like(valid)
    above = valid & (_height(scan, scan[border]) > ABOVE)
    # gaps of invalid pixels do not part an object
    regions, count = ndimage.label(ndimage.binary_dilation(above, iterations=2), np.ones((3, 3)))
    sizes = np.bincount(regions[above], minlength=count + 1)
    return above & (regions == sizes.argmax()) if count else above


def _height(scan: np.ndarray, background: np.ndarray) -> np.ndarray:
    """(h, w), metres towards the camera from the plane that fits most of the background."""
    chosen = background.astype(np.float64)
    for _ in range(ROUNDS):
        plane = np.linalg.lstsq(np.c_[chosen[:, :2], np.ones(len(chosen))], chosen[:, 2], rcond=None)[0]
        distance = np.abs(chosen[:, 2] - chosen[:, :2] @ plane[:2] - plane[2])
        chosen = chosen[distance <= max(2.5 * np.median(distance), 1e-6)]
    return scan[..., :2] @ plane[:2] + plane[2] - scan[..., 2]
