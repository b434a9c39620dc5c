"""Depth images: how far from the camera each pixel's point is, and images at other sizes."""

import numpy as np
from PIL import Image

from st3d.kernels.geometry.camera import Camera


def distance(scan: np.ndarray, camera: Camera) -> np.ndarray:
    """Euclidean distance of each point to the camera's centre.

    Parameters
    ----------
    scan
        (h, w, 3) float32, metres; invalid pixels are (0, 0, 0).
    camera
        Its shift moves points so that its centre is the origin.

    Returns
    -------
    (h, w) float32, metres; 0 where invalid
    """
    far = np.linalg.norm(scan.astype(np.float64) + camera.shift, axis=2)
    return np.where((scan != 0).any(axis=2), far, 0).astype(np.float32)


def resized(image: np.ndarray, size: tuple[int, int], smooth: bool) -> np.ndarray:
    """An image at another size.

    Parameters
    ----------
    image
        (h, w) float32.
    size
        Rows and columns of the result.
    smooth
        Bilinear as PIL does it: where the image shrinks, all pixels that fall into a new one count. Else the nearest
        pixel.

    Returns
    -------
    (rows, columns) float32
    """
    how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((size[1], size[0]), how))
