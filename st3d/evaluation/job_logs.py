"""What a job took, from the last line of its log."""

import re
from pathlib import Path
from typing import NamedTuple

FINISHED = re.compile(r"finished: ([\d.]+) s, ([\d.]+) s of CPU, ([\d.]+) MB\s*$")
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
