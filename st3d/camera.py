"""The scanner's camera: HALCON's `area_scan_division`, between points in metres and pixels.

Pixel centres lie on whole numbers, row 0 and column 0 at the upper left; x points along the columns, y along the rows,
z away from the camera. Letters: n points, h rows, w columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

# MVTec 3D-AD's xyz do not start in the projection centre of the calibration that lies beside them: points have to be
# shifted by this much (metres) first. Fitted to 62 scans of cable_gland; without it pixels are off by up to 1.5.
MVTEC_SHIFT = (0.000134, 0.000263, 0.000880)
_KEYS = ("focus", "kappa", "sx", "sy", "cx", "cy")  # in the order of the fields


@dataclass(frozen=True)
class Camera:
    """Intrinsic parameters of one camera.

    Attributes
    ----------
    focus : principal distance, metres
    kappa : division model's distortion, 1 / metres squared
    sx, sy : width and height of a pixel, metres
    cx, cy : column and row of the principal point, pixels
    width, height : size of the image, pixels
    shift : what is added to points before they are projected, metres
    """

    focus: float
    kappa: float
    sx: float
    sy: float
    cx: float
    cy: float
    width: int
    height: int
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], source: str = "camera parameters") -> "Camera":
        """The camera of a `camera_parameters.json`; `source` names the file in errors."""
        kind = parameters.get("camera_type")
        if kind != "area_scan_division":
            raise ValueError(f"{source}: expected camera_type area_scan_division, found {kind}")
        missing = sorted({*_KEYS, "image_width", "image_height"} - set(parameters))
        if missing:
            raise ValueError(f"{source}: expected {', '.join(missing)}, found {', '.join(sorted(parameters))}")
        width, height = int(parameters["image_width"]), int(parameters["image_height"])
        focus, kappa, sx, sy, cx, cy = (float(parameters[name]) for name in _KEYS)
        return cls(focus, kappa, sx, sy, cx, cy, width, height)

    def parameters(self) -> dict[str, Any]:
        """What `camera_parameters.json` holds."""
        numbers = {name: getattr(self, name) for name in _KEYS}
        return {"camera_type": "area_scan_division", **numbers, "image_width": self.width, "image_height": self.height}

    def resized(self, resolution: float) -> "Camera":
        """The same view with `resolution` times the pixels in each direction."""
        return replace(
            self,
            sx=self.sx / resolution,
            sy=self.sy / resolution,
            cx=(self.cx + 0.5) * resolution - 0.5,  # the image's border, half a pixel off the centre, stays where it is
            cy=(self.cy + 0.5) * resolution - 0.5,
            width=max(1, round(self.width * resolution)),
            height=max(1, round(self.height * resolution)),
        )

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels that see `points`.

        Parameters
        ----------
        points : (n, 3) float array, metres, z > 0

        Returns
        -------
        (n, 2) float64 array: row and column, pixels; whole numbers are pixel centres

        Notes
        -----
        HALCON's division model: the undistorted u in the image plane is the distorted one over 1 + kappa r^2, so that
        the distorted one is 2 u / (1 + sqrt(1 - 4 kappa (u^2 + v^2))).
        """
        x, y, z = (np.asarray(points, np.float64) + self.shift).T
        u, v = self.focus * x / z, self.focus * y / z  # metres in the image plane
        stretch = 2 / (1 + np.sqrt(1 - 4 * self.kappa * (u * u + v * v)))
        return np.stack([v * stretch / self.sy + self.cy, u * stretch / self.sx + self.cx], axis=1)

    def unproject(self, pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Points that `pixels` see, the inverse of `project`.

        Parameters
        ----------
        pixels : (n, 2) float array, row and column
        depth : (n,) float array, the points' z, metres

        Returns
        -------
        (n, 3) float64 array, metres
        """
        row, column = np.asarray(pixels, np.float64).T
        u, v = (column - self.cx) * self.sx, (row - self.cy) * self.sy
        undistort = 1 / (1 + self.kappa * (u * u + v * v))
        along = (np.asarray(depth, np.float64) + self.shift[2]) / self.focus
        points = np.stack([u * undistort * along, v * undistort * along, np.asarray(depth, np.float64)], axis=1)
        return points - np.array([self.shift[0], self.shift[1], 0.0])

    def rays(self) -> np.ndarray:
        """(h, w, 3) float64: the point at z = 1 that each pixel sees; only for a camera without shift."""
        pixels = np.moveaxis(np.mgrid[: self.height, : self.width], 0, -1).reshape(-1, 2)
        return self.unproject(pixels, np.ones(len(pixels))).reshape(self.height, self.width, 3)
