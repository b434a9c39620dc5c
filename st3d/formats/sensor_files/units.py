"""Units: from the numbers of a file to float32 metres."""

import numpy as np

from st3d.formats.sensor_files.invalid import valid_points
from st3d.formats.sensor_files.scan import NAMES, PER_METRE, Numbers, Reading, SensorScan, Unit

FINEST, MILLIMETRES, COARSEST = 1e-5, 1e-2, 10.0  # distance of neighbouring points: metres, from there on millimetres
QUERIES = 10_000  # points of a cloud whose nearest neighbour is looked for
FAR = 100  # longest sides from the origin: farther scans lose digits as float32
NEXT_TO_NOTHING = 1e-9  # m; z of a valid pixel that would be (0, 0, 0)


def in_metres(numbers: Numbers, reading: Reading) -> SensorScan:
    """Find unit and invalid pixels of a file's numbers.

    Parameters
    ----------
    numbers
        What the file holds.
    reading
        How it is to be read.

    Returns
    -------
    SensorScan, computed in float64 and rounded at the end

    Raises
    ------
    ValueError
        One line: no valid point, or no unit that explains the distances.
    """
    with np.errstate(invalid="ignore"):  # a damaged float may be a signalling NaN
        points = np.asarray(numbers.points, np.float64)
    numbers.points = points
    notes = list(numbers.notes)
    valid, forms = valid_points(numbers, reading)
    if not valid.any():
        found = f"none of {valid.size}: {'; '.join(forms)}" if forms else "none"
        raise ValueError(f"expected valid points, found {found}")
    if forms:
        what = "pixels invalid" if valid.ndim == 2 else "points invalid and dropped"
        notes.append(f"{100 * np.count_nonzero(~valid) / valid.size:.3g} % of the {what}: {'; '.join(forms)}")
    per_metre, unit, note = _unit(numbers, valid, reading)
    notes.append(note)
    kept = points[valid] - _far_middle(points[valid], notes)
    rounded = as_millimetres(kept * (1e3 / per_metre))
    if valid.ndim == 1:
        return SensorScan(np.ascontiguousarray(rounded), unit, tuple(notes))
    rounded[(rounded == 0).all(axis=1), 2] = NEXT_TO_NOTHING
    image = np.zeros(points.shape, np.float32)
    image[valid] = rounded
    return SensorScan(image, unit, tuple(notes))


def as_millimetres(millimetres: np.ndarray) -> np.ndarray:
    """Round coordinates to float32 millimetres, and these to float32 metres.

    A scan's float32 numbers in millimetres and in metres differ in the last bit of some coordinates, and farthest point
    sampling follows such differences to another sample. So all scans take the way over millimetres, which the one in
    millimetres has behind it.

    Parameters
    ----------
    millimetres
        Any shape, float64.

    Returns
    -------
    float32, metres; within a unit in the last place of `millimetres` / 1000
    """
    return (millimetres.astype(np.float32).astype(np.float64) / 1e3).astype(np.float32)


def _unit(numbers: Numbers, valid: np.ndarray, reading: Reading) -> tuple[float, Unit, str]:
    """What a metre is in the numbers, the unit, and a note of it."""
    if numbers.per_metre is not None and numbers.unit is not None:
        return numbers.per_metre, numbers.unit, f"unit: {NAMES[numbers.unit]} (as the header or the sensor file says)"
    if reading.unit != "auto":
        return PER_METRE[reading.unit], reading.unit, f"unit: {NAMES[reading.unit]} (as given)"
    apart = _spacing(numbers.points, valid)
    if apart is None:
        raise ValueError("expected two or more points, to see the unit by, found one place; give --unit m, mm or um")
    if not FINEST <= apart <= COARSEST:
        wanted = f"{FINEST:g} to {MILLIMETRES:g} (metres) or to {COARSEST:g} (millimetres) apart"
        raise ValueError(f"expected points {wanted}, found {apart:.3g}; give --unit m, mm or um")
    unit: Unit = "m" if apart < MILLIMETRES else "mm"
    return PER_METRE[unit], unit, f"unit: {NAMES[unit]} (points {apart:.3g} apart)"


def _spacing(points: np.ndarray, valid: np.ndarray) -> float | None:
    """Median distance of adjacent valid pixels, or of nearest neighbours; None if all points coincide."""
    if valid.ndim == 2:
        down, right = valid[1:] & valid[:-1], valid[:, 1:] & valid[:, :-1]
        steps = [points[1:][down] - points[:-1][down], points[:, 1:][right] - points[:, :-1][right]]
        apart = np.linalg.norm(np.concatenate(steps), axis=1)
    else:
        apart = np.empty(0)
    if not (apart > 0).any():
        from scipy.spatial import cKDTree  # 0.2 s

        cloud = points[valid]
        apart = cKDTree(cloud).query(cloud[:: -(-len(cloud) // QUERIES)], 2)[0][:, 1]
        if not (apart > 0).any():  # each point is there twice
            cloud = np.unique(cloud, axis=0)
            if len(cloud) < 2:
                return None
            apart = cKDTree(cloud).query(cloud[:: -(-len(cloud) // QUERIES)], 2)[0][:, 1]
    return float(np.median(apart[apart > 0]))


def _far_middle(points: np.ndarray, notes: list[str]) -> np.ndarray:
    """The middle of a scan that lies far from the origin, to be moved there; else zeros."""
    low, high = points.min(axis=0), points.max(axis=0)
    if not np.abs([low, high]).max() > FAR * (high - low).max() > 0:
        return np.zeros(3)
    middle = (low + high) / 2
    notes.append(f"moved to the origin by {', '.join(f'{-side:.6g}' for side in middle)} in the file's unit")
    return middle
