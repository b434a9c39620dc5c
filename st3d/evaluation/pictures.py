"""Figures of scans and maps as RGB images, side by side, and PNG files of them."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image

from st3d.formats.atomic import atomic

GAP = 4  # pixels between panels


def relief(scan: np.ndarray) -> np.ndarray:
    """A scan's surface, lit from the upper left.

    Parameters
    ----------
    scan
        (h, w, 3) float, metres; an invalid pixel is (0, 0, 0).

    Returns
    -------
    (h, w, 3) uint8 RGB image, invalid pixels black.
    """
    valid = scan.any(axis=2)
    depth = np.where(valid, scan[..., 2], np.nan)
    # slopes in metres per metre of the sensor's plane, so that the image does not depend on the resolution
    step = np.nanmedian(np.abs(np.diff(np.where(valid, scan[..., 0], np.nan), axis=1))) or 1.0
    down, right = (np.gradient(depth, axis=axis) / step for axis in (0, 1))
    normal = np.stack([right, down, np.ones_like(depth)], axis=2)
    light = (normal @ np.array([0.45, 0.45, 0.77])) / np.linalg.norm(normal, axis=2)
    shade = 40 + 200 * np.clip(np.nan_to_num(light, nan=0.75), 0, 1)
    return np.repeat(np.where(valid, shade, 0).astype(np.uint8)[..., None], 3, axis=2)


def heat(scores: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scores as an RGB image.

    Parameters
    ----------
    scores
        (h, w) float.
    low, high
        Scores of the darkest and of the brightest colour; others are clipped to them.

    Returns
    -------
    (h, w, 3) uint8 RGB image
    """
    unit = (scores - low) / max(high - low, 1e-12)
    return (colormaps["inferno"](np.clip(unit, 0, 1))[..., :3] * 255).astype(np.uint8)


def figure(scan: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Relief and map side by side.

    Parameters
    ----------
    scan
        (h, w, 3) float, metres; an invalid pixel is (0, 0, 0).
    scores
        (h, w) float, the anomaly map; colours run from its 1st to its 99.9th percentile.

    Returns
    -------
    (h, 2 w + GAP, 3) uint8 RGB image.
    """
    panels = [relief(scan), heat(scores, *np.percentile(scores, [1, 99.9]))]
    gap = np.full((len(scan), GAP, 3), 255, np.uint8)
    return np.concatenate([panels[0], gap, panels[1]], axis=1)


def save_figure(path: Path, scan: np.ndarray, scores: np.ndarray) -> None:
    """Write a scan's relief and map as PNG, atomically.

    Parameters
    ----------
    path
        The file.
    scan, scores
        As `figure` takes them.
    """
    save_png(path, figure(scan, scores))


def save_png(path: Path, pixels: np.ndarray) -> None:
    """Write an image as PNG, atomically.

    Parameters
    ----------
    path
        The file.
    pixels
        (h, w, 3) uint8 RGB image.
    """
    with atomic(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")
