"""One file: read, judged, its map, picture and cloud written, its row for the table made."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from st3d.detector import Detector, Result, UnlikeTraining
from st3d.formats.ply_write import write_coloured_cloud
from st3d.formats.scans import write_map
from st3d.formats.sensor_files.read import read_sensor_scan
from st3d.formats.sensor_files.scan import Reading, Unit, is_valid
from st3d.inspection.pictures import colours_of, save_picture
from st3d.inspection.places import refuse_other_unit, without
from st3d.inspection.results import printable

SUFFIXES = (".tiff", ".png", ".ply")  # of what is written for a scan
LONGEST = 40  # letters of a name in a picture


@dataclass
class Judge:
    """Judges files one after the other.

    Attributes
    ----------
    detector
        A fitted one.
    reading
        How files are read.
    output
        Folder for what is written.
    accept_unlike
        Whether a scan that is unlike the training scans is scored.
    unit
        Of the scans so far; one in another is refused.
    """

    detector: Detector
    reading: Reading
    output: Path
    accept_unlike: bool = False
    unit: Unit | None = None

    def row(self, path: Path, name: str) -> dict[str, Any]:
        """Judge a file; what it is refused for is in its row."""
        started, stat = time.monotonic(), _stat(path)
        row: dict[str, Any] = {"file": printable(path), "name": name}
        if stat:
            row |= {"bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}
        for suffix in SUFFIXES:  # of an earlier verdict
            _with(self.output / name, suffix).unlink(missing_ok=True)
        try:
            row |= self._judged(path, name)
        except UnlikeTraining as error:
            row |= {"verdict": "unlike", "message": without(error, "scan: ")}
        except ValueError as error:
            row |= {"verdict": "error", "message": without(error, f"{path}: ", "scan: ")}
        return row | {"seconds": f"{time.monotonic() - started:.2f}"}

    def _judged(self, path: Path, name: str) -> dict[str, Any]:
        scan = read_sensor_scan(path, self.reading)
        refuse_other_unit(path, scan.unit, self.unit)
        result = self.detector.predict(scan, accept_unlike=self.accept_unlike)
        self.unit = scan.unit  # not that of a wrong part
        verdict = "fail" if result.is_anomalous else "pass"
        place = self.output / name
        if result.map.ndim == 2:
            write_map(_with(place, ".tiff"), result.map)
        title = f"{_short(name)}: {verdict.upper()}   score {result.score:.3g}, threshold {result.threshold:.3g}"
        save_picture(_with(place, ".png"), scan.points, result, title)
        write_coloured_cloud(_with(place, ".ply"), scan.points, result.map, colours_of(result))
        return {"verdict": verdict, "unit": scan.unit} | _numbers(scan.points, result)


def _numbers(points: np.ndarray, result: Result) -> dict[str, Any]:
    """The columns of a result; the highest score's place is that of a valid point."""
    valid = is_valid(points)
    place = np.unravel_index(int(np.where(valid, result.map, -np.inf).argmax()), valid.shape)
    x, y, z = (f"{float(each):.6g}" for each in points[place])
    row, column = place if points.ndim == 3 else ("", "")
    return {
        "score": f"{result.score:.6g}", "threshold": f"{result.threshold:.6g}",
        "anomalous_share": f"{float(result.mask[valid].mean()):.6g}",
        "highest_score": f"{float(result.map[place]):.6g}",
        "row": row, "column": column, "x": x, "y": y, "z": z, "points": np.count_nonzero(valid),
    }  # fmt: skip


def _short(name: str) -> str:
    """A name's end: the verdict behind it has to be in the picture too."""
    return name if len(name) <= LONGEST else f"\u2026{name[1 - LONGEST :]}"


def _with(place: Path, suffix: str) -> Path:
    return place.with_name(place.name + suffix)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
