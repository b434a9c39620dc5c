"""Scans seen obliquely: the surface through an organised point cloud, shaded, in a parallel projection.

h, w rows and columns of the scan; H, W those of the picture.
"""

from dataclasses import dataclass

import numpy as np

from st3d.kernels.raster import splat

TILT, TURN = np.radians(-42.0), np.radians(24.0)  # of the scan about its x axis and about the sensor's axis
WIDTH = 340  # pixels of a picture
FINER = 2  # times as many pixels are drawn along each side, then averaged
BORDER = 0.02  # of the picture's width
STEEP, SAMPLES = 2.2, 800_000  # samples a pixel on a surface in view, for steep ones; most in all
LIGHT = np.array([-0.55, -0.62, -0.56])  # towards the lamp; x right, y down, z away from the viewer
JUMP = 4.0  # times the median distance of neighbours: beyond this, two pixels lie on different surfaces
DOT = 0.6  # of that distance: side of the square that a valid pixel without a surface around it is drawn as


@dataclass(frozen=True)
class View:
    """A scan in a projection, ready to be coloured.

    Attributes
    ----------
    samples
        (H, W) int64, which sample each pixel of the fine picture shows; -1 for none.
    cells
        (c, 4) int64, the four pixels of the scan, flattened, between which samples lie; four times the same for a pixel
        without a surface.
    weights
        (f * f, 4) float32, of the four pixels; sample s is number s % (f * f) of cell s // (f * f).
    shade
        (h, w) float32 in [0, 1], how bright the surface is at each pixel of the scan.
    """

    samples: np.ndarray
    cells: np.ndarray
    weights: np.ndarray
    shade: np.ndarray

    def picture(self, colours: np.ndarray) -> np.ndarray:
        """The scan in colours.

        Parameters
        ----------
        colours
            (h, w, 3) float in [0, 1], of the scan's pixels.

        Returns
        -------
        (H, W, 3) uint8 RGB image, white where no surface is
        """
        lit = colours.reshape(-1, 3) * (0.3 + 0.7 * self.shade.reshape(-1, 1))
        seen = self.samples >= 0
        sample = self.samples[seen]
        cell, part = np.divmod(sample, len(self.weights))
        image = np.ones((*self.samples.shape, 3), np.float32)
        image[seen] = np.einsum("nk,nkc->nc", self.weights[part], lit[self.cells[cell]])
        h, w = (side // FINER for side in self.samples.shape)
        small = image.reshape(h, FINER, w, FINER, 3).mean(axis=(1, 3))
        return (np.clip(small, 0, 1) * 255 + 0.5).astype(np.uint8)


def oblique(scan: np.ndarray) -> View:
    """Project a scan.

    Parameters
    ----------
    scan
        (h, w, 3) float, metres; an invalid pixel is (0, 0, 0).

    Returns
    -------
    View, WIDTH pixels wide

    Raises
    ------
    ValueError
        If no pixel is valid.
    """
    valid = (scan != 0).any(axis=2)
    if not valid.any():
        raise ValueError("expected valid pixels in the scan, found none")
    cells, step = surface_cells(scan)
    points = _turned(scan)
    inside = points[valid]
    low, high = inside[:, :2].min(axis=0), inside[:, :2].max(axis=0)
    scale = WIDTH * FINER * (1 - 2 * BORDER) / (high[0] - low[0] or 1.0)  # pixels a metre
    alone = np.setdiff1d(np.flatnonzero(valid), cells)
    square = np.array([[-1, -1, 0], [1, -1, 0], [-1, 1, 0], [1, 1, 0]]) * (DOT / 2 * step)
    dots = points.reshape(-1, 1, 3)[alone] + square
    corners = np.concatenate([points.reshape(-1, 3)[cells], dots]).astype(np.float32)
    cells = np.concatenate([cells, np.repeat(alone[:, None], 4, axis=1)])
    most = int(np.sqrt(SAMPLES / len(cells)))
    weights = _weights(int(np.clip(np.ceil(STEEP * step * scale), 1, max(most, 1))))
    samples = np.einsum("sk,ckx->csx", weights, corners).reshape(-1, 3)
    height = int(np.ceil((high[1] - low[1]) * scale / FINER + 2 * BORDER * WIDTH)) * FINER
    place = (samples[:, 1::-1] - low[::-1]) * scale + BORDER * WIDTH * FINER
    return View(splat(place, samples[:, 2], (height, WIDTH * FINER)), cells, weights, _shade(points, scan))


def surface_cells(scan: np.ndarray) -> tuple[np.ndarray, float]:
    """Where four neighbouring pixels lie on one surface.

    Parameters
    ----------
    scan
        (h, w, 3) float, metres; an invalid pixel is (0, 0, 0).

    Returns
    -------
    (c, 4) int64, the pixels, flattened: upper left, upper right, lower left, lower right; and the median distance of
    neighbours, metres
    """
    h, w = scan.shape[:2]
    number = np.arange(h * w).reshape(h, w)
    corners = np.stack([number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]], axis=2).reshape(-1, 4)
    flat = scan.reshape(-1, 3)
    corners = corners[(flat != 0).any(axis=1)[corners].all(axis=1)]
    four = flat[corners]
    spans = np.linalg.norm(four[:, [1, 2, 3]] - four[:, [0, 0, 0]], axis=2).max(axis=1, initial=0)
    step = float(np.median(spans)) if len(spans) else 0.0
    return corners[spans <= JUMP * step], step


def _turned(scan: np.ndarray) -> np.ndarray:
    """The scan about its centre, turned towards the viewer; (h, w, 3), metres."""
    centre = np.median(scan[(scan != 0).any(axis=2)], axis=0)
    c, s = np.cos(TURN), np.sin(TURN)
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    c, s = np.cos(TILT), np.sin(TILT)
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return (scan - centre) @ (about_x @ about_z).T


def _weights(finer: int) -> np.ndarray:
    """Bilinear weights of finer x finer samples between four corners."""
    t = ((np.arange(finer) + 0.5) / finer).astype(np.float32)
    y, x = (each.ravel() for each in np.meshgrid(t, t, indexing="ij"))
    return np.stack([(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x], axis=1)


def _shade(points: np.ndarray, scan: np.ndarray) -> np.ndarray:
    """Lambert's law with normals from differences over two pixels; invalid neighbours count as lit from the front."""
    valid = (scan != 0).any(axis=2)
    values = np.where(valid[..., None], points, np.nan)
    normal = np.cross(np.gradient(values, axis=1), np.gradient(values, axis=0))  # towards the viewer: -z
    normal *= -np.sign(normal[..., 2:])
    length = np.linalg.norm(normal, axis=2)
    with np.errstate(invalid="ignore"):
        light = (normal @ (LIGHT / np.linalg.norm(LIGHT))) / length
    return np.nan_to_num(np.clip(light, 0, 1), nan=0.7).astype(np.float32)
