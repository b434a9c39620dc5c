"""Pictures of a judged scan: its relief, and beside it the map over the relief with the threshold's contour."""

import io
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from st3d.detector import Result
from st3d.formats.atomic import atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap

SIDE = 760  # pixels of a panel's longer side, at least
NARROWEST = 4.25  # inches of a panel: the picture is 1,000 pixels wide or more
GREY = 205  # of the points of a coloured cloud that are not anomalous
BACKGROUND = "#f4f4f2"  # of pixels without a point
CONTOUR = "#0072b2"
CLEAR, FULL = 0.45, 1.1  # times the pixel threshold: from where on a score is coloured, and fully so
TOP = 2.0  # times the pixel threshold: the last colour
MOST = 700  # pixels of the longer side of a cloud's picture
GAP = 1.5  # pixels without a point that are closed
CALM = 1.2  # pixels, standard deviation of the smoothing
OBLIQUE = 0.5  # cosine between sensor axis and surface below which a cloud is looked at along its own axis
LIGHT = np.array([-0.45, -0.45, 0.77])  # from the left and above, before the surface


def save_picture(path: Path, points: np.ndarray, result: Result, title: str) -> None:
    """Write a picture as PNG, atomically. Its colours depend on the model's threshold alone, not on the scan.

    Parameters
    ----------
    path
        The file.
    points
        (h, w, 3) float32, metres, (0, 0, 0) where invalid; or (n, 3), a cloud, which is projected.
    result
        What the detector said of it.
    title
        Text above the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scores = result.map
    if points.ndim == 2:
        points, scores = projected(points, scores)
    points = _closed(points)
    valid = np.asarray(points.any(axis=2))
    height, width = valid.shape
    scale = SIDE / max(height, width) / 100  # inches of a pixel
    wide, high = max(width * scale, NARROWEST), max(height * scale, 2.0)
    figure = Figure(figsize=(2 * wide + 1.5, high + 0.7), dpi=100)
    FigureCanvasAgg(figure)
    verdict = "#b00020" if result.is_anomalous else "#1a7f37"
    figure.suptitle(
        title, x=0.02, ha="left", y=1 - 0.12 / (high + 0.7), va="top", size=13, weight="bold", color=verdict,
        parse_math=False,
    )  # fmt: skip
    total_wide, total_high = 2 * wide + 1.5, high + 0.7
    axes = [
        figure.add_axes((left / total_wide, 0.12 / total_high, wide / total_wide, high / total_high))
        for left in (0.12, wide + 0.24)
    ]
    grey = relief(points)
    grey[~valid] = [int(BACKGROUND[at : at + 2], 16) for at in (1, 3, 5)]
    for each in axes:
        each.imshow(grey, interpolation="nearest")
        each.axis("off")
    at = ((2 * wide + 0.4) / total_wide, 0.12 / total_high, 0.2 / total_wide, high / total_high)
    _draw_scores(axes[1], figure.add_axes(at), scores, valid, result.pixel_threshold)
    memory = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a name in letters that the font lacks; the table has it
        figure.savefig(memory, format="png", metadata={"Software": None})
    with atomic(path) as partial:
        partial.write_bytes(memory.getvalue())


def _draw_scores(panel: "Axes", bar: "Axes", scores: np.ndarray, valid: np.ndarray, threshold: float) -> None:
    """A map over what a panel shows, the threshold's contour, and the colours' bar."""
    shown = np.ma.masked_array(scores, ~valid)
    image = panel.imshow(shown, cmap=colours(), vmin=0, vmax=TOP * threshold, interpolation="nearest")
    if min(valid.shape) > 1 and (scores[valid] > threshold).any():
        panel.contour(np.where(valid, scores, 0), [threshold], colors=CONTOUR, linewidths=1.1)
    panel.figure.colorbar(image, cax=bar, extend="max")
    bar.axhline(threshold, color=CONTOUR, linewidth=2)
    bar.set_ylabel("score of a point (line: threshold)")


@cache
def colours() -> "ListedColormap":
    """From clear to dark red, over 0 to `TOP` times the pixel threshold."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    ratio = np.linspace(0, TOP, 256)
    table = colormaps["YlOrRd"](np.clip((ratio - CLEAR) / (TOP - CLEAR), 0, 1))
    table[:, 3] = 0.9 * np.clip((ratio - CLEAR) / (FULL - CLEAR), 0, 1)
    return ListedColormap(table)


def colours_of(result: Result) -> np.ndarray:
    """A colour for each pixel or point, by the same scale over a light grey.

    Parameters
    ----------
    result
        What the detector said of a scan.

    Returns
    -------
    (h, w, 3) or (n, 3) uint8 RGB
    """
    rgba = colours()(np.clip(result.map / (TOP * result.pixel_threshold), 0, 1))
    blended = rgba[..., 3:] * rgba[..., :3] + (1 - rgba[..., 3:]) * GREY / 255
    return (255 * blended).astype(np.uint8)


def projected(points: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A cloud as an image, seen by an orthographic camera along z; along its flattest axis if z lies in its surface.

    The camera is on the side of the coordinates' origin, where most sensors have theirs.

    Parameters
    ----------
    points
        (n, 3) float32, metres.
    scores
        (n,) float32.

    Returns
    -------
    points
        (h, w, 3) float32, in the camera's axes, the nearest point of each pixel; gaps closed, (0, 0, 0) elsewhere.
    scores
        (h, w) float32.
    """
    middle = points.mean(axis=0, dtype=np.float64)
    exact = points - middle
    seen = exact @ _frame(exact, middle)
    low, extent = seen.min(axis=0), np.ptp(seen, axis=0)
    spacing = np.sqrt(max(extent[0] * extent[1], 1e-18) / len(points))
    pixel = max(1.5 * spacing, extent[:2].max() / MOST, 1e-12)
    column, row = (((seen[:, axis] - low[axis]) / pixel).astype(int) for axis in (0, 1))
    size = int(row.max()) + 1, int(column.max()) + 1
    order = np.argsort(-seen[:, 2], kind="stable")  # the nearest is written last
    image, values, known = np.zeros((*size, 3), np.float32), np.zeros(size, np.float32), np.zeros(size, bool)
    shifted = seen - low + pixel  # no valid point is (0, 0, 0)
    image[row[order], column[order]] = shifted[order]
    values[row[order], column[order]] = scores[order]
    known[row, column] = True
    gaps, nearest = _gaps(known)
    image[gaps], values[gaps] = image[nearest], values[nearest]
    return image, values


def _frame(centred: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Columns right, down, away: a rotation, so that no picture is mirrored."""
    _, axes = np.linalg.eigh(np.cov(centred.T))
    upright = abs(axes[2, 0]) < OBLIQUE
    right, away = (axes[:, 2], axes[:, 0]) if upright else np.eye(3)[[0, 2]]
    right = right * np.sign(right[np.abs(right).argmax()])
    away = away if away @ middle >= 0 else -away
    return np.stack([right, np.cross(away, right), away], axis=1)


def _closed(points: np.ndarray) -> np.ndarray:
    """An image with the drop-outs of single pixels closed, for display."""
    gaps, nearest = _gaps(np.asarray(points.any(axis=2)))
    points = points.copy()
    points[gaps] = points[nearest]
    return points


def _gaps(known: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Pixels without a point that have one beside them (h, w), and the indices of the nearest known one of each."""
    from scipy.ndimage import distance_transform_edt

    distance, nearest = distance_transform_edt(~known, return_indices=True)
    gaps = ~known & (distance <= GAP)
    return gaps, tuple(nearest[:, gaps])


def relief(scan: np.ndarray) -> np.ndarray:
    """A scan's surface, calmed, and lit from the upper left of the image, whatever axes its sensor has.

    Parameters
    ----------
    scan
        (h, w, 3) float, metres; an invalid pixel is (0, 0, 0).

    Returns
    -------
    (h, w, 3) uint8 RGB image, invalid pixels black.
    """
    known = np.asarray(scan.any(axis=2))
    # slopes in metres per metre, so that the image does not depend on the resolution
    (right, down), away = _axes(scan, known)
    depth = _calm(scan @ away, known)
    normal = np.stack([np.gradient(depth, axis=1) / right, np.gradient(depth, axis=0) / down, np.ones_like(depth)], 2)
    light = (normal @ LIGHT) / np.linalg.norm(normal, axis=2)
    shade = 40 + 200 * np.clip(np.nan_to_num(light, nan=0.75), 0, 1)
    return np.repeat(np.where(known, shade, 0).astype(np.uint8)[..., None], 3, axis=2)


def _axes(scan: np.ndarray, known: np.ndarray) -> tuple[tuple[float, float], np.ndarray]:
    """Width and height of a pixel, in metres, and the direction away from the viewer.

    Depth images have z away and y down, height maps z to the viewer and y up, robots any axes: the way from a pixel to
    the next says it for all of them.
    """
    steps = []
    for axis in (1, 0):
        both = np.logical_and(*(np.moveaxis(known, axis, 0)[each] for each in (slice(1, None), slice(-1))))
        step = np.moveaxis(np.diff(scan, axis=axis), axis, 0)[both]
        steps.append(np.median(step.astype(np.float64), axis=0) if len(step) else np.zeros(3))
    right, down = steps
    away = np.cross(right, down)
    length = np.linalg.norm(away)
    if length == 0:  # a line of points, or none beside another
        return (1.0, 1.0), np.array([0.0, 0.0, 1.0])
    width = float(np.linalg.norm(right))
    return (width, float(length) / width), away / length


def _calm(depth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Depths smoothed among known pixels, NaN elsewhere: the sensor's noise hides a surface."""
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(known.astype(np.float64), CALM)
    smooth = gaussian_filter(np.where(known, depth, 0), CALM) / np.maximum(weight, 1e-6)
    return np.where(known, smooth, np.nan)
