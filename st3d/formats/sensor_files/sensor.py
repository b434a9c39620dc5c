"""Sensor files: the intrinsics of depth images, or the pixel pitch of height maps; and what they make of an image."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from st3d.formats.errors import one_line, refuse_devices, sides_text
from st3d.formats.sensor_files.scan import PER_METRE, Numbers, Reading, Unit

COUNTS = 1000.0  # of depth per metre: millimetres
LIMITS = {"uint16": [65535], "int16": [-32768]}  # counts that no sensor measures: over the range, or nothing seen
WANTED = "intrinsics (fx, fy, cx, cy) of depth images, or the pitch of height maps"


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; focal lengths and centre in pixels."""

    fx: float
    fy: float
    cx: float
    cy: float
    per_metre: float | None  # counts of depth
    size: tuple[int, int] | None  # rows, columns
    distorted: bool


@dataclass(frozen=True)
class Pitch:
    """The grid of a height map."""

    x: float  # from column to column, in heights' numbers
    y: float  # from row to row
    per_metre: float  # of heights' numbers
    unit: Unit


def read_sensor_file(path: Path) -> dict[str, Any]:
    """Read a sensor file.

    Parameters
    ----------
    path
        YAML or JSON, or the text of a 3 x 3 camera matrix (.txt). Of depth images: fx, fy, and ppx, ppy (RealSense)
        or cx, cy (TUM); `intrinsic_matrix`, column by column (Open3D, Kinect); K, or camera_matrix.data, row by row
        (ROS camera_info). `depth_scale` is metres per count if below 1 (RealSense), else counts per metre (TUM,
        Open3D); without it, 1000 counts are a metre. Of height maps: `pitch`, or `pitch_x` and `pitch_y`, in
        `pitch_unit`; `height_unit` (um, mm or m; pitch_unit's default); `height_scale`, height_unit per count.

    Returns
    -------
    Its content, checked; what JSON can hold

    Raises
    ------
    ValueError
        One line with the file and its fault.
    """
    path = Path(path)
    refuse_devices(path, f"{path}: expected a sensor file, YAML or JSON")
    with one_line(f"{path}: expected a sensor file, YAML or JSON"):
        if path.is_symlink() and not path.exists():
            raise ValueError("a link to nowhere")
        content = _content(path)
    try:
        sensor_of(Reading(sensor=content))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return content


def _content(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".json":
        content = json.loads(text)
    elif path.suffix.lower() == ".txt":
        matrix = np.array([[float(word) for word in line.split()] for line in text.splitlines() if line.strip()])
        if matrix.shape != (3, 3):
            raise ValueError(f"a matrix of {sides_text(matrix.shape)} instead of 3 x 3")
        content = {"camera_matrix": {"rows": 3, "cols": 3, "data": matrix.ravel().tolist()}}
    else:
        import yaml

        # OpenCV writes a directive and a tag that YAML's own readers refuse
        lines = [line.replace("!!opencv-matrix", "") for line in text.splitlines() if not line.startswith("%YAML:")]
        content = yaml.safe_load("\n".join(lines))
    if not isinstance(content, dict):
        raise ValueError(f"{type(content).__name__} instead of names and values")
    return json.loads(json.dumps(content, default=str))


def sensor_of(reading: Reading) -> Camera | Pitch | None:
    """The sensor that a reading names.

    Parameters
    ----------
    reading
        `sensor` is looked at, and `unit` for heights without one.

    Returns
    -------
    None if it names none

    Raises
    ------
    ValueError
        One line if it is neither intrinsics nor a pitch.
    """
    if reading.sensor is None:
        return None
    named = {str(name).lower(): value for name, value in reading.sensor.items()}
    for inner in ("depth_intrinsics", "intrinsics", "depth"):
        if isinstance(named.get(inner), Mapping):
            named |= {str(name).lower(): value for name, value in named[inner].items()}
    if {"pitch", "pitch_x", "pitch_y"} & set(named):
        return _pitch(named, reading)
    return _camera(named)


def _pitch(named: Mapping[str, Any], reading: Reading) -> Pitch:
    given = reading.unit if reading.unit != "auto" else None
    unit = _ascii(named.get("height_unit", given or named.get("pitch_unit")))
    pitch_unit = _ascii(named.get("pitch_unit", unit))
    if unit not in PER_METRE or pitch_unit not in PER_METRE:
        raise ValueError(f"expected height_unit and pitch_unit of um, mm or m, found {unit} and {pitch_unit}")
    scale = _number(named, "height_scale", 1.0)
    lengths = [_number(named, f"pitch_{axis}", named.get("pitch")) for axis in "xy"]
    x, y = (length / PER_METRE[pitch_unit] * PER_METRE[unit] / scale for length in lengths)
    return Pitch(x, y, PER_METRE[unit] / scale, unit)


def _ascii(unit: Any) -> Any:
    """A unit with its micro sign, of which Unicode has two, as u; of what is no text, the text."""
    return str(unit).replace("\u00b5", "u").replace("\u03bc", "u")[:60]


def _camera(named: Mapping[str, Any]) -> Camera:
    matrix = _matrix(named)
    if matrix is not None:
        (fx, fy), (cx, cy) = np.diag(matrix)[:2], matrix[:2, 2]
    else:
        x, y = ("ppx", "ppy") if "ppx" in named else ("cx", "cy")
        if not {"fx", "fy", x, y} <= set(named):
            raise ValueError(f"expected {WANTED}, found {', '.join(named) or 'nothing'}")
        fx, fy = _number(named, "fx"), _number(named, "fy")
        cx, cy = (_number(named, name, zero=True) for name in (x, y))
    if not (fx > 0 and fy > 0):
        raise ValueError(f"expected focal lengths above 0, found {fx:g} and {fy:g}")
    scale = _number(named, "depth_scale") if named.get("depth_scale") is not None else None
    per_metre = 1 / scale if scale is not None and scale < 1 else scale
    if per_metre is not None and abs(per_metre - round(per_metre)) < 1e-6 * per_metre:
        per_metre = float(round(per_metre))  # RealSense's 0.001 is a float32
    sides = [named.get(name, named.get(f"image_{name}")) for name in ("height", "width")]
    size = (int(sides[0]), int(sides[1])) if all(isinstance(side, int) and side > 0 for side in sides) else None
    return Camera(float(fx), float(fy), float(cx), float(cy), per_metre, size, _distorted(named))


def _matrix(named: Mapping[str, Any]) -> np.ndarray | None:
    """The camera matrix (3, 3), if it is given as one."""
    key = next((key for key in ("intrinsic_matrix", "camera_matrix", "k") if named.get(key) is not None), None)
    if key is None:
        return None
    value = named[key]
    value = value.get("data") if isinstance(value, Mapping) else value
    with one_line(f"expected 9 numbers as {key}"):
        matrix = np.array(value, float).reshape(3, 3)
        if not np.isfinite(matrix).all():
            raise ValueError("NaN or infinity")
    return matrix.T if matrix[2, :2].any() and not matrix[:2, 2].any() else matrix  # Open3D's is column by column


def _distorted(named: Mapping[str, Any]) -> bool:
    names = ("d", "coeffs", "distortion_coefficients")
    given = [value.get("data") if isinstance(value, Mapping) else value for value in map(named.get, names) if value]
    return any(isinstance(one, list) and any(isinstance(each, int | float) and each for each in one) for one in given)


def _number(named: Mapping[str, Any], name: str, default: Any = None, zero: bool = False) -> float:
    """A finite number above 0, or any with `zero`."""
    value = named.get(name, default)
    with one_line(f"expected a number as {name}"):
        number = float(value)
        if not np.isfinite(number) or (number <= 0 and not zero):
            raise ValueError(str(value))
    return number


def image_points(image: np.ndarray, sensor: Camera | Pitch | None, reading: Reading) -> Numbers:
    """Points of a depth image or a height map.

    Parameters
    ----------
    image
        (h, w) integers or floats: depth along the optical axis, or heights.
    sensor
        The camera or the pitch.
    reading
        `unit` is looked at, of depth images of floats.

    Returns
    -------
    Numbers (h, w, 3): of a camera, x to the right, y down, z away; of a height map, x to the right, y up, z to the
    viewer, pixels' centres beside 0

    Raises
    ------
    ValueError
        One line if there is no sensor, or one of another image size.
    """
    rows, columns = image.shape
    z = image.astype(np.float64)
    if sensor is None:
        raise ValueError(
            f"expected points (x, y, z), found an image of 1 channel, {sides_text(image.shape)}; give --sensor FILE "
            "with the intrinsics of a depth image, or with the pixel pitch of a height map"
        )
    if isinstance(sensor, Pitch):
        x, y = (np.arange(columns) + 0.5) * sensor.x, (rows - np.arange(rows) - 0.5) * sensor.y
        points = np.stack(np.broadcast_arrays(x, y[:, None], z), axis=-1)
        seen = ~np.isin(image, LIMITS.get(image.dtype.name, []))
        return Numbers(points, ["a height map"], sensor.per_metre, sensor.unit, seen, "the type's limit")
    if sensor.size not in (None, image.shape):
        wanted = sides_text(sensor.size or ())
        raise ValueError(f"expected a depth image of {wanted} as the sensor file says, found {sides_text(image.shape)}")
    counted = image.dtype.kind in "iu"
    per_metre, unit = _depth_scale(sensor, reading) if counted else (None, None)  # floats: as any coordinates
    x = (np.arange(columns) - sensor.cx) / sensor.fx
    y = (np.arange(rows) - sensor.cy) / sensor.fy
    with np.errstate(invalid="ignore", over="ignore"):  # an infinite depth is invalid anyway
        points = np.stack([x * z, y[:, None] * z, z], axis=-1)
    seen = (z > 0) & ~np.isin(image, LIMITS.get(image.dtype.name, []))
    notes = ["a depth image" if per_metre is None else f"a depth image, {per_metre:g} counts a metre"]
    if sensor.distorted:
        notes.append("lens distortion of the sensor file is not corrected")
    return Numbers(points, notes, per_metre, unit, seen, "depth 0 or the type's limit")


def _depth_scale(camera: Camera, reading: Reading) -> tuple[float, Unit]:
    """Counts of depth per metre, and their unit."""
    if camera.per_metre is not None:
        return camera.per_metre, "mm" if camera.per_metre == COUNTS else "m"
    unit = "mm" if reading.unit == "auto" else reading.unit
    return PER_METRE[unit], unit
