"""Stage `frame`: a category's bounding box, background plane and camera, for the baselines."""

import json
import logging
from pathlib import Path

import numpy as np

from st3d import runtime
from st3d.background import border_points, fit_plane
from st3d.camera import Camera
from st3d.frames import Frame
from st3d.scans import Invalid, list_samples, read_scan

log = logging.getLogger("st3d")
POINTS = 2000  # of each scan, at most, that plane and camera are fitted to
WITHIN = 0.5  # pixels within which the camera must send nearly all points back to their own


def frame(
    *,
    dataset: Path,
    category: str,
    border: float,
    plane_distance: float,
    seed: int,
    invalid: Invalid,
    output: Path,
    code: str,
) -> None:
    """Measure what all scans of a category have in common, on its training scans.

    Parameters
    ----------
    dataset : folder in MVTec 3D-AD's layout, with <category>/calibration/camera_parameters.json
    category : name of a folder in it
    border : share of the image's sides, at its border, where the background plane is looked for, in (0, 0.5]
    plane_distance : how near to the background plane its points lie, metres
    seed : of the search for the plane
    invalid : what to do with coordinates that are NaN or infinite: refuse the scan, or drop the pixel
    output : JSON to write: corners of the bounding box, plane (metres), camera
    code : fingerprint of the code, kept with the result
    """
    settings = {"category": category, "border": border, "plane_distance": plane_distance, "seed": seed}
    path = Path(dataset) / category / "calibration" / "camera_parameters.json"
    camera = _camera(path)
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    behind, points, pixels = [], [], []
    for sample in list_samples(dataset, category, "train"):
        scan = read_scan(sample.scan, invalid)
        if scan.shape[:2] != (camera.height, camera.width):
            raise ValueError(
                f"{path}: expected the size of the scans, {scan.shape[0]} x {scan.shape[1]} pixels, found"
                f" {camera.height} x {camera.width}"
            )
        seen = np.argwhere((scan != 0).any(axis=2))
        if not len(seen):
            raise ValueError(f"{sample.scan}: expected valid pixels in the scan, found none")
        valid = scan[tuple(seen.T)]
        low, high = np.minimum(low, valid.min(axis=0)), np.maximum(high, valid.max(axis=0))
        behind.append(_some(border_points(scan, border)))
        points.append(_some(valid))
        pixels.append(_some(seen))
    camera = camera.fitted(np.concatenate(points), np.concatenate(pixels))
    error = np.abs(camera.project(np.concatenate(points)) - np.concatenate(pixels)).max(axis=1)
    if (error < WITHIN).mean() < 0.99:
        raise ValueError(
            f"{path}: expected a camera that sends the scans' points to within {WITHIN} pixels of their own, found"
            f" {np.quantile(error, 0.99):.1f} pixels for one in a hundred"
        )
    plane = fit_plane(np.concatenate(behind), plane_distance, seed)
    log.info("%s: camera moved by %s mm, 99 %% within %.2f pixels", category, 1000 * np.array(camera.shift),
             np.quantile(error, 0.99))  # fmt: skip
    found = Frame(tuple(low.tolist()), tuple(high.tolist()), plane, camera)
    runtime.write_json(output, runtime.provenance(settings, code) | found.content())


def _camera(path: Path) -> Camera:
    if not path.is_file():
        raise ValueError(f"{path}: expected the camera's parameters, which the baselines need, found no such file")
    try:
        return Camera.from_parameters(json.loads(path.read_text()), str(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected JSON, found {error}") from None


def _some(rows: np.ndarray) -> np.ndarray:
    """Every so many of the rows, some POINTS of them."""
    return rows[:: max(1, len(rows) // POINTS)]
