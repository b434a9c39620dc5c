"""A scan of any sensor, and how its files are to be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Unit = Literal["m", "mm", "um"]
PER_METRE: dict[Unit, float] = {"m": 1.0, "mm": 1e3, "um": 1e6}
NAMES: dict[Unit, str] = {"m": "metres", "mm": "millimetres", "um": "micrometres"}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a sensor's files are read; `dataclasses.asdict` of it is what JSON can hold.

    Attributes
    ----------
    unit
        Length unit of the coordinates; auto: by the distance between neighbouring points.
    invalid
        Values of z, as they stand in the file, that mean "nothing seen", beside those that are detected.
    sensor
        Content of a sensor file: intrinsics of depth images, or pixel pitch of height maps.
    """

    unit: Literal["auto", "m", "mm", "um"] = "auto"
    invalid: tuple[float, ...] = ()
    sensor: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class SensorScan:
    """A scan in metres.

    Attributes
    ----------
    points
        float32 in C order. (h, w, 3): an image, whose invalid pixels are exactly (0, 0, 0) and no others. (n, 3): a
        cloud of finite, valid points.
    unit
        Unit of the numbers in the file.
    notes
        What was found and done, a line each, for a log.
    """

    points: np.ndarray
    unit: Unit
    notes: tuple[str, ...]


def is_valid(points: np.ndarray) -> np.ndarray:
    """Which points of a `SensorScan` the sensor saw.

    Parameters
    ----------
    points
        (h, w, 3), invalid where (0, 0, 0); or (n, 3), all valid.

    Returns
    -------
    (h, w) or (n,) bool
    """
    return np.asarray(points.any(axis=-1)) if points.ndim == 3 else np.ones(len(points), bool)


@dataclass
class Numbers:
    """What a file holds, before units and invalid pixels are looked at.

    Attributes
    ----------
    points
        (h, w, 3) or (n, 3) numbers, as they stand in the file.
    per_metre
        What a metre is in these numbers; None: by `Reading.unit`.
    unit
        Unit where `per_metre` is known.
    seen
        (h, w) bool, False where the file says that nothing was seen; None: a point (0, 0, 0) says so.
    unseen
        How the file says it.
    notes
        As of `SensorScan`.
    """

    points: np.ndarray
    notes: list[str]
    per_metre: float | None = None
    unit: Unit | None = None
    seen: np.ndarray | None = None
    unseen: str = "(0, 0, 0)"
