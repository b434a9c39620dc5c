"""What jobs took, from the last lines of their logs."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

FINISHED = re.compile(r"finished: ([\d.]+) s, ([\d.]+) s of CPU, ([\d.]+) MB\s*$")
TRAINS_ON = re.compile(r"trains on (.+)$", re.MULTILINE)
COSTS = ("seconds_per_scan", "memory_gb", "training_seconds", "pretraining_seconds")
TEST, AFTER = ("test", "test_"), ("score", "interval", "variant", "validation_maps")
LAST = 500  # bytes at a log's end that are looked at


class JobTime(NamedTuple):
    """What one job took.

    Attributes
    ----------
    seconds, cpu_seconds
        Wall clock and CPU.
    peak_mb
        Its largest memory, MB.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float


def job_time(log: Path) -> JobTime | None:
    """The time at the end of a log.

    Parameters
    ----------
    log
        The file.

    Returns
    -------
    JobTime; None where the file is absent or its job has not ended
    """
    if not log.is_file():
        return None
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LAST))
        line = FINISHED.search(file.read().decode(errors="replace"))
    return JobTime(*map(float, line.groups())) if line else None


def costs(folders: Sequence[Path], categories: Sequence[str]) -> dict[str, str]:
    """Seconds and memory of one variant, from the logs of its jobs.

    Parameters
    ----------
    folders
        <results>/<stage>/<variant> of each of its stages.
    categories
        That it was run on.

    Returns
    -------
    Texts by the names of `COSTS`; only those that the logs give
    """
    test, training, shared, peak, scans = 0.0, 0.0, 0.0, 0.0, 0
    for folder in folders:
        stage = folder.parent.name
        if stage in AFTER:
            continue
        for log, time in _times(folder):
            own = log.relative_to(folder).parts[0].removesuffix(".log")  # <category>/<split>.log, or <category>.log
            if own not in categories:
                shared += time.seconds  # such as the teacher's
            elif stage == "maps":
                test += time.seconds
                peak = max(peak, time.peak_mb)
                scans += _rows(log.with_name("maps.csv"))
            elif log.stem == TEST[0] or log.stem.startswith(TEST[1]):
                test += time.seconds
            else:
                training += time.seconds
    found = {}
    if scans:
        found = {"seconds_per_scan": f"{test / scans:.3g}", "memory_gb": f"{peak / 1000:.3g}"}
        found["training_seconds"] = f"{training / len(categories):.4g}"
        found["pretraining_seconds"] = f"{shared:.4g}"
    return found


def gpus(folders: Sequence[Path]) -> list[str]:
    """The GPUs that one variant was trained on.

    Parameters
    ----------
    folders
        <results>/<stage>/<variant> of each of its stages.

    Returns
    -------
    Their names, such as "NVIDIA H200", in alphabetical order; none where it was trained on a CPU
    """
    logs = [log for folder in folders for log in folder.glob("**/*.log")]
    return sorted({name for log in logs for name in TRAINS_ON.findall(log.read_text(errors="replace"))})


def _times(folder: Path) -> Iterator[tuple[Path, JobTime]]:
    for log in sorted(folder.glob("**/*.log")):
        time = job_time(log)
        if time is not None:
            yield log, time


def _rows(manifest: Path) -> int:
    if not manifest.is_file():
        return 0
    with manifest.open(newline="") as file:
        return sum(1 for _ in csv.DictReader(file))
