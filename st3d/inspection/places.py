"""What a command is given: where its scans are, and how they are read."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Literal

from st3d.detector import Detector
from st3d.formats.sensor_files.find import find_scans, read_sensor_file
from st3d.formats.sensor_files.scan import Reading

log = logging.getLogger("st3d")


def found(places: list[Path]) -> list[Path]:
    """The scans in some places; what is skipped is logged.

    Parameters
    ----------
    places
        Folders, files or patterns.

    Returns
    -------
    Files, sorted

    Raises
    ------
    ValueError
        If a place does not exist, or there is no scan.
    """
    scans = find_scans(places)
    by_reason: dict[str, list[Path]] = {}
    for path, reason in scans.skipped:
        by_reason.setdefault(reason, []).append(path)
    for reason, paths in by_reason.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        log.info("skipped, %s: %s%s", reason, paths[0], more)
    return scans.files


def reading_of(
    detector: Detector, unit: Literal["auto", "m", "mm", "um"] | None, invalid: list[float] | None, sensor: Path | None
) -> Reading:
    """How scans are read: as those that a detector was fitted to, but for what is given.

    Parameters
    ----------
    detector
        A fitted one.
    unit, invalid, sensor
        As the commands' flags; None: the detector's.

    Returns
    -------
    Reading

    Raises
    ------
    ValueError
        If the sensor file is none.
    """
    reading = detector.reading
    if unit is not None:
        reading = replace(reading, unit=unit)
    if invalid is not None:
        reading = replace(reading, invalid=tuple(invalid))
    if sensor is not None:
        reading = replace(reading, sensor=read_sensor_file(sensor))
    return reading


def without(error: ValueError, *beginnings: str) -> str:
    """The line of an error, without the name of its file.

    Parameters
    ----------
    error
        What was raised.
    beginnings
        What is left out where the line begins with it.

    Returns
    -------
    One line
    """
    line = " ".join(str(error).split())
    for beginning in beginnings:
        line = line.removeprefix(beginning)
    return line
