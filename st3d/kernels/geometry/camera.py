"""The scanner's camera: HALCON's `area_scan_division`, between points in metres and pixels.

Pixel centres lie on whole numbers, row 0 and column 0 at the upper left; x points along the columns, y along the rows,
z away from the camera. Letters: n points, h rows, w columns.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

_KEYS = ("focus", "kappa", "sx", "sy", "cx", "cy")  # in the order of the fields
_OUTLIER = 0.1  # pixels beyond which an error weighs by its size, not by its square, where a shift is fitted


@dataclass(frozen=True)
class Camera:
    """Intrinsic parameters of one camera.

    Attributes
    ----------
    focus
        Principal distance, metres.
    kappa
        Division model's distortion, 1 / metres squared.
    sx, sy
        Width and height of a pixel, metres.
    cx, cy
        Column and row of the principal point, pixels.
    width, height
        Size of the image, pixels.
    shift
        What is added to points before they are projected, metres.
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
        """The camera of a `camera_parameters.json`.

        Parameters
        ----------
        parameters
            The file's content.
        source
            The file's name, for errors.

        Returns
        -------
        Camera, without shift

        Raises
        ------
        ValueError
            If it is not an area_scan_division camera, or a parameter is missing or not a number.
        """
        kind = parameters.get("camera_type")
        if kind != "area_scan_division":
            raise ValueError(f"{source}: expected camera_type area_scan_division, found {str(kind)[:60]}")
        names = (*_KEYS, "image_width", "image_height")
        missing = sorted(set(names) - set(parameters))
        if missing:
            raise ValueError(f"{source}: expected {', '.join(missing)}, found {', '.join(sorted(parameters))}")
        wrong = [name for name in names if not _is_number(parameters[name])]
        if wrong:
            raise ValueError(f"{source}: expected a number for {wrong[0]}, found {str(parameters[wrong[0]])[:60]!r}")
        width, height = int(parameters["image_width"]), int(parameters["image_height"])
        if width < 1 or height < 1:
            raise ValueError(f"{source}: expected an image of 1 x 1 pixels or more, found {width} x {height}")
        focus, kappa, sx, sy, cx, cy = (float(parameters[name]) for name in _KEYS)
        return cls(focus, kappa, sx, sy, cx, cy, width, height)

    def parameters(self) -> dict[str, Any]:
        """The content of `camera_parameters.json`."""
        numbers = {name: getattr(self, name) for name in _KEYS}
        return {"camera_type": "area_scan_division", **numbers, "image_width": self.width, "image_height": self.height}

    def resized(self, resolution: float) -> "Camera":
        """The same view in an image of another size.

        Parameters
        ----------
        resolution
            Factor of the pixels in each direction, above 0.

        Returns
        -------
        Camera, its image of 1 x 1 pixels at least
        """
        return replace(
            self,
            sx=self.sx / resolution,
            sy=self.sy / resolution,
            cx=(self.cx + 0.5) * resolution - 0.5,  # keeps the image's border, half a pixel off the outermost centres
            cy=(self.cy + 0.5) * resolution - 0.5,
            width=max(1, round(self.width * resolution)),
            height=max(1, round(self.height * resolution)),
        )

    def fitted(self, points: np.ndarray, pixels: np.ndarray) -> "Camera":
        """The camera with the `shift` that best projects `points` to `pixels`.

        MVTec 3D-AD's xyz do not start in the projection centre of the calibration that lies beside them: on
        cable_gland pixels are off by up to 1.5 without a shift of about a millimetre.

        Parameters
        ----------
        points
            (n, 3) float array, metres, n >= 3.
        pixels
            (n, 2) float array, row and column that see the points.

        Returns
        -------
        Camera, equal but for its shift

        Raises
        ------
        ValueError
            If the shapes do not fit, a number is not finite, or there are fewer than 3 points.

        Notes
        -----
        Gauss-Newton. Errors of more than 0.1 pixel have Huber's weights: scanners move points on steep edges sideways.
        """
        points, pixels = np.asarray(points, np.float64), np.asarray(pixels, np.float64)
        if points.shape[1:] != (3,) or pixels.shape != (len(points), 2) or len(points) < 3:
            raise ValueError(f"fitted: expected 3 points and pixels or more, found {points.shape} and {pixels.shape}")
        if not (np.isfinite(points).all() and np.isfinite(pixels).all()):
            raise ValueError("fitted: expected finite points and pixels, found NaN or infinity")
        step = 1e-6 * np.abs(points[:, 2]).mean()  # of central differences, metres
        camera = self
        for _ in range(30):  # 10 suffice
            error = pixels - camera.project(points)  # (n, 2)
            slope = np.stack(  # (n, 2, 3), pixels a metre
                [
                    (camera.project(points + move) - camera.project(points - move)) / (2 * step)
                    for move in np.eye(3) * step
                ],
                axis=2,
            )
            weight = np.minimum(1, _OUTLIER / np.maximum(np.linalg.norm(error, axis=1), _OUTLIER))
            weighted = (slope * weight[:, None, None]).reshape(-1, 3)
            change = np.linalg.pinv(weighted.T @ slope.reshape(-1, 3), 1e-12) @ (weighted.T @ error.reshape(-1))
            x, y, z = (np.array(camera.shift) + change).tolist()
            camera = replace(camera, shift=(x, y, z))
            if np.abs(change).max() < 1e-12:
                break
        return camera

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels that see `points`.

        Parameters
        ----------
        points
            (n, 3) float array, metres.

        Returns
        -------
        (n, 2) float64 array: row and column, pixels; whole numbers are pixel centres; NaN for points that are not in
        front of the camera

        Notes
        -----
        HALCON's division model: the undistorted u in the image plane is the distorted one over 1 + kappa r^2, so that
        the distorted one is 2 u / (1 + sqrt(1 - 4 kappa (u^2 + v^2))).
        """
        x, y, z = (np.asarray(points, np.float64) + self.shift).T
        z = np.where(z > 0, z, np.nan)
        u, v = self.focus * x / z, self.focus * y / z  # metres in the image plane
        with np.errstate(invalid="ignore"):  # with kappa > 0 the model ends where the root does
            stretch = 2 / (1 + np.sqrt(1 - 4 * self.kappa * (u * u + v * v)))
        return np.stack([v * stretch / self.sy + self.cy, u * stretch / self.sx + self.cx], axis=1)

    def unproject(self, pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Points that `pixels` see, the inverse of `project`.

        Parameters
        ----------
        pixels
            (n, 2) float array, row and column.
        depth
            (n,) float array, the points' z, metres.

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
        """Points (h, w, 3) float64, metres, that the pixels see at z = 1 m; only for a camera without shift."""
        pixels = np.moveaxis(np.mgrid[: self.height, : self.width], 0, -1).reshape(-1, 2)
        return self.unproject(pixels, np.ones(len(pixels))).reshape(self.height, self.width, 3)


def _is_number(value: Any) -> bool:
    """Whether a value of JSON is a number that a float can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
