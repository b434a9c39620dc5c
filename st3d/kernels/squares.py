"""An image in a square, at another size, and the way back.

Letters: h, w rows and columns of a scan; s rows and columns of the square at its new size. A scan is padded to a
square, itself in the middle, and each new pixel is the one at the centre of its block there.
"""

import numpy as np
from PIL import Image


def padded(image: np.ndarray) -> np.ndarray:
    """An image in the middle of the smallest square that holds it, zeros around it.

    Parameters
    ----------
    image
        (h, w, ...), any type.

    Returns
    -------
    (side, side, ...), side the larger of h and w; an odd row or column of zeros comes after
    """
    height, width = image.shape[:2]
    side = max(height, width)
    top, left = _corner((height, width))
    square = np.zeros((side, side, *image.shape[2:]), image.dtype)
    square[top : top + height, left : left + width] = image
    return square


def to_square(image: np.ndarray, size: int) -> np.ndarray:
    """An image, padded to a square, at another size: the pixels at the centres of its blocks.

    Parameters
    ----------
    image
        (h, w, ...), any type.
    size
        s, rows and columns of the result.

    Returns
    -------
    (s, s, ...)

    Examples
    --------
    >>> to_square(np.arange(12).reshape(3, 4), 2)
    array([[5, 7],
           [0, 0]])
    """
    square = padded(image)
    at = (2 * np.arange(size) + 1) * len(square) // (2 * size)
    return square[at[:, None], at]


def to_scan(scores: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A square map at the scan's size, interpolated, without the padding.

    Parameters
    ----------
    scores
        (s, s) float32.
    size
        h and w of the scan.

    Returns
    -------
    (h, w) float32; bilinear, pixels' centres in register with the square's blocks
    """
    top, left = _corner(size)
    whole = _resized(scores, max(size))
    return np.ascontiguousarray(whole[top : top + size[0], left : left + size[1]])


def from_scan(scores: np.ndarray, size: int) -> np.ndarray:
    """A scan's map, padded with its least value to a square, at a new size.

    Parameters
    ----------
    scores
        (h, w) float32.
    size
        s, rows and columns of the square.

    Returns
    -------
    (s, s) float32; bilinear, and where it shrinks all pixels that fall into a new one count
    """
    least = scores.min()
    return _resized(padded(scores - least), size) + least


def _corner(size: tuple[int, int]) -> tuple[int, int]:
    """Row and column of a scan's first pixel in its square."""
    side = max(size)
    return (side - size[0]) // 2, (side - size[1]) // 2


def _resized(image: np.ndarray, side: int) -> np.ndarray:
    """A square image (float32) with `side` rows and columns, bilinear as PIL does it."""
    if len(image) == side:
        return image
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((side, side), Image.Resampling.BILINEAR))
