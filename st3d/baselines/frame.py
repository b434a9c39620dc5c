"""Stage `frame`: a category's bounding box, background plane and camera, for the baselines."""

import logging
from pathlib import Path

import numpy as np

from st3d.baselines.category_frame import Frame
from st3d.formats.atomic import write_json
from st3d.formats.cameras import read_camera
from st3d.formats.errors import sides_text
from st3d.formats.provenance import provenance
from st3d.formats.scans import Invalid, list_samples, read_scan
from st3d.kernels.geometry.plane import border_points, fit_plane

log = logging.getLogger("st3d")
POINTS = 2000  # of each scan, at most, that plane and camera are fitted to
WITHIN, GROSS = 0.5, 1.0  # pixels off: more than that for one point in a hundred is a warning, for half an error
FAR = 0.05  # of the mean distance: a camera with a larger shift is refused


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
    dataset
        Folder in MVTec 3D-AD's layout, with <category>/calibration/camera_parameters.json.
    category
        Name of a folder in it.
    border
        Fraction of the image's sides, at its border, where the background plane is looked for, in (0, 0.5].
    plane_distance
        How near to the background plane its points lie, metres.
    seed
        Seed of the search for the plane.
    invalid
        What to do with coordinates that are NaN or infinite: refuse the scan, or drop the pixel.
    output
        JSON to write: corners of the bounding box, plane (metres), camera.
    code
        Fingerprint of the code, kept with the result.

    Raises
    ------
    ValueError
        If the camera's parameters are missing, are of another size than the scans or do not send the points to their
        pixels, or a scan has no valid pixel.
    """
    settings = {"category": category, "border": border, "plane_distance": plane_distance, "seed": seed}
    path = Path(dataset) / category / "calibration" / "camera_parameters.json"
    camera = read_camera(path)
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    behind, points, pixels = [], [], []
    for index, sample in enumerate(list_samples(dataset, category, "train")):
        scan = read_scan(sample.scan, invalid)
        if scan.shape[:2] != (camera.height, camera.width):
            raise ValueError(
                f"{path}: expected the size of the scans, {sides_text(scan.shape[:2])} pixels, found"
                f" {sides_text((camera.height, camera.width))}"
            )
        seen = np.argwhere((scan != 0).any(axis=2))
        if not len(seen):
            raise ValueError(f"{sample.scan}: expected valid pixels in the scan, found none")
        valid = scan[tuple(seen.T)]
        low, high = np.minimum(low, valid.min(axis=0)), np.maximum(high, valid.max(axis=0))
        behind.append(_some(border_points(scan, border), [seed, index, 0]))
        points.append(_some(valid, [seed, index, 1]))
        pixels.append(_some(seen, [seed, index, 1]))
    camera = camera.fitted(np.concatenate(points), np.concatenate(pixels))
    error = np.abs(camera.project(np.concatenate(points)) - np.concatenate(pixels)).max(axis=1)
    median, most = np.quantile(error, [0.5, 0.99])
    moved = float(np.linalg.norm(camera.shift))
    if not (median < GROSS and moved < FAR * np.linalg.norm(np.concatenate(points), axis=1).mean()):
        raise ValueError(
            f"{path}: expected a camera that sends the scans' points to their own pixels, found half of them"
            f" {median:.1f} pixels off or more once it is moved by {1000 * moved:.1f} mm"
        )
    if most > WITHIN:
        log.warning("%s: one point in a hundred is %.1f pixels or more off its own", path, most)
    plane = fit_plane(np.concatenate(behind), plane_distance, seed)
    log.info("%s: camera moved by %s mm, 99 %% within %.2f pixels", category, 1000 * np.array(camera.shift), most)
    found = Frame(tuple(low.tolist()), tuple(high.tolist()), plane, camera)
    write_json(output, provenance(settings, code) | found.content())


def _some(rows: np.ndarray, stream: list[int]) -> np.ndarray:
    """POINTS of the rows, or all if there are fewer, chosen by default_rng(stream), in their order."""
    chosen = np.random.default_rng(stream).permutation(len(rows))[:POINTS]
    return rows[np.sort(chosen)]
