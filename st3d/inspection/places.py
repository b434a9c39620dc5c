"""What a command is given: where its scans are, and how they are read."""

import contextlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from st3d.formats.sensor_files.find import find_scans
from st3d.formats.sensor_files.scan import NAMES, Reading, Unit
from st3d.formats.sensor_files.sensor import read_sensor_file

log = logging.getLogger("st3d")
TABLE = "results.csv"  # of a folder of results


def found(places: list[Path], output: Path | None = None) -> list[Path]:
    """The scans in some places; what is skipped is logged.

    Parameters
    ----------
    places
        Folders, files or patterns.
    output
        Folder of results; what lies in it is no scan.

    Returns
    -------
    Files, sorted

    Raises
    ------
    ValueError
        If a place does not exist, or there is no scan.
    """
    scans = find_scans(places)
    results = [] if output is None else [path for path in scans.files if is_inside(path, output)]
    if len(results) == len(scans.files):
        raise ValueError(
            f"{' '.join(map(str, places))}: expected scans, found none but in the results' folder {output}"
        )
    by_reason: dict[str, list[Path]] = {}
    for path, reason in [*scans.skipped, *((path, "in the folder of results") for path in results)]:
        by_reason.setdefault(reason, []).append(path)
    for reason, paths in by_reason.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        log.info("skipped, %s: %s%s", reason, paths[0], more)
    return sorted(set(scans.files) - set(results))


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or lies in it, whatever links lead there."""
    return path.resolve().is_relative_to(folder.resolve())


def refuse_as_output(output: Path, places: list[Path]) -> None:
    """Refuse a folder of results in which scans lie: a map would replace the scan of its name.

    Parameters
    ----------
    output
        The folder.
    places
        Of the scans; one may hold the folder of results.

    Raises
    ------
    ValueError
        If a place lies in the folder, or it has scans and no table of results, or it is none.
    """
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output}: expected a folder for the results, found a file")
    if output.is_dir() and not (output / TABLE).is_file():
        with contextlib.suppress(ValueError):  # no scan there
            first = find_scans([output]).files[0]
            places = [*places, first]  # it may be the user's, and no result
    for place in places:
        if is_inside(place, output):
            raise ValueError(
                f"{output}: expected a folder for the results alone, found the scans {place} in it; name another"
                f" (--output {output / 'results'})"
            )


@dataclass(frozen=True, kw_only=True)
class ReadingSettings:
    """How files are read, where that is not found in them, or kept in a model.

    Parameters
    ----------
    unit
        Length unit of the files: m, mm, um, or auto: found. Without: as a model was fitted to, and found in a fit.
    invalid
        Values of z that mean that the sensor saw nothing, beside those that are found. Without: those of the model.
    sensor
        YAML or JSON with the intrinsics of depth images, or the pixel pitch of height maps. Without: the model's.
    """

    unit: Literal["auto", "m", "mm", "um"] | None = None
    invalid: list[float] | None = None
    sensor: Path | None = None

    def over(self, reading: Reading) -> Reading:
        """A reading in which what is given here replaces what was there; a ValueError if the sensor file is none."""
        if self.unit is not None:
            reading = replace(reading, unit=self.unit)
        if self.invalid is not None:
            reading = replace(reading, invalid=tuple(self.invalid))
        if self.sensor is not None:
            reading = replace(reading, sensor=read_sensor_file(self.sensor))
        return reading


AS_FOUND = ReadingSettings()


def refuse_other_unit(path: Path, unit: Unit, first: Unit | None) -> None:
    """Refuse a scan in another unit than the first: one of the two is probably wrong.

    Parameters
    ----------
    path
        The scan's file.
    unit
        Its unit.
    first
        That of the first scan; None: this is the first.

    Raises
    ------
    ValueError
        If they differ.
    """
    if first is not None and unit != first:
        raise ValueError(
            f"{path}: expected {NAMES[first]} like the scans before, found {NAMES[unit]}; if all have one unit, declare"
            " it (--unit)"
        )


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
