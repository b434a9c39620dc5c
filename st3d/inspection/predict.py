"""Command `predict`: pass or fail for each scan, its map, a picture, and a coloured cloud."""

import contextlib
import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from st3d.detector import Detector
from st3d.inspection.judged import Judge
from st3d.inspection.places import AS_FOUND, ReadingSettings, found, is_inside, refuse_as_output
from st3d.inspection.results import Names, Results, base_of
from st3d.inspection.watch import whole_files
from st3d.training.device import Device

log = logging.getLogger("st3d")


def predict(
    scans: list[Path],
    /,
    *,
    model: Path,
    output: Path,
    watch: bool = False,
    settle: float = 1.0,
    idle: float = 0.0,
    accept_unlike: bool = False,
    reading: ReadingSettings = AS_FOUND,
    device: Device = "auto",
    threads: int = 0,
) -> int:
    """Judge scans: a score, pass or fail, a map, a picture and a coloured point cloud for each, and a table of all.

    The exit code is 0 if all pass, 2 if some fail, and 1 if one could not be judged: a damaged file, or a scan unlike
    all that the model was fitted to.

    Parameters
    ----------
    scans
        Folders, files or patterns; with --watch one folder.
    model
        What `fit` wrote.
    output
        Folder for results.csv and the files of each scan: SCAN.tiff (map, of an image), SCAN.png, SCAN.ply; one
        without scans.
    watch
        Take every file that is written into the folder once it is whole, until Ctrl-C; what results.csv has is not done
        again.
    settle
        Seconds without a change after which a file counts as whole.
    idle
        Seconds without a new file after which watching ends; 0: never.
    accept_unlike
        Judge scans that are unlike all that the model was fitted to.
    device
        auto, cpu or cuda.
    threads
        CPU threads; 0: all cores.

    Raises
    ------
    ValueError
        One line: the model is none, there is no scan, or a number is out of its range.
    """
    if settle <= 0 or idle < 0:
        raise ValueError(f"expected --settle above 0 and --idle of 0 or more, found {settle:g} and {idle:g}")
    if watch and not (len(scans) == 1 and scans[0].is_dir()):
        raise ValueError(f"--watch: expected one folder, found {' '.join(map(str, scans)) or 'none'}")
    refuse_as_output(output, scans)
    files = [] if watch else found(scans, output)
    detector = Detector.load(model, device=device, threads=threads)
    judge = Judge(detector, reading.over(detector.reading), output, accept_unlike)
    results = Results(output, keep=watch)
    names = Names(base_of(scans, files), results.names)
    if watch:
        with contextlib.suppress(KeyboardInterrupt), _ended_by_sigterm():
            _watch(scans[0], judge, results, names, settle, idle)
    else:
        for path in files:
            _tell(judge.row(path, names.of(path)), results)
    sys.stdout.write(f"{results.summary()}\n")
    return results.exit_code


def _watch(folder: Path, judge: Judge, results: Results, names: Names, settle: float, idle: float) -> None:
    log.info("watching %s; Ctrl-C ends it", folder)

    def is_done(path: Path, stat: Any) -> bool:
        return results.is_done(path, stat) or is_inside(path, judge.output)  # links are resolved of new files alone

    for path, as_it_is in whole_files(folder, settle, idle, is_done):
        row = judge.row(path, names.of(path))
        if row["verdict"] != "error" or as_it_is:  # else it may not be whole yet
            _tell(row, results)


def _tell(row: dict[str, Any], results: Results) -> None:
    """Say what a scan is, and put it into the table."""
    results.add(row)
    verdict = row["verdict"].upper()
    if row.get("message"):
        sys.stderr.write(f"st3d predict: {row['file']}: {row['message']}\n")
    numbers = f" score {row['score']} threshold {row['threshold']}" if "score" in row else ""
    sys.stdout.write(f"{row['file']} {verdict}{numbers}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end what is inside as Ctrl-C does; in the main thread alone, where signals arrive."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
