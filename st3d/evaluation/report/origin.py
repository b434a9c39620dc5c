"""What was run: data, versions, settings, machine and time."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from st3d import __version__
from st3d.evaluation.job_logs import job_time
from st3d.evaluation.processor import processor

LIBRARIES = ("torch", "numpy", "scipy", "h5py", "pandas", "matplotlib", "plotly")
SIMULATED = "simulated"  # with which the names of simulated data begin
REAL = "mvtec_3d_ad"


@dataclass(frozen=True)
class Time:
    """What the jobs of one stage took.

    Attributes
    ----------
    stage
        The folder in the results, or "data".
    jobs
        How many logs end with their time.
    seconds, cpu_seconds
        Of all of them, wall clock and CPU.
    peak_mb
        The largest memory of one of them, MB.
    """

    stage: str
    jobs: int
    seconds: float
    cpu_seconds: float
    peak_mb: float


def times(logs: Sequence[Path]) -> list[Time]:
    """Times of all jobs whose logs are given, by stage.

    Parameters
    ----------
    logs
        Logs, or folders with logs (*.log) at any depth, in a folder of the stage's name; what lies in one called logs
        is of the data.

    Returns
    -------
    The stage with the longest time first; empty where no log says a time
    """
    found = []
    for given, path in [
        (each, path) for each in logs for path in ([each] if each.suffix else sorted(each.glob("**/*.log")))
    ]:
        time = job_time(path)
        if time is not None:
            found.append(Time({"logs": "data", "tables": "tables"}.get(given.name, given.parent.name), 1, *time))
    return by_stage(found)


def by_stage(times: Iterable[Time]) -> list[Time]:
    """Times summed by stage.

    Parameters
    ----------
    times
        Of one job or of several each.

    Returns
    -------
    One of each stage, that with the longest time first
    """
    found: dict[str, list[Time]] = {}
    for time in times:
        found.setdefault(time.stage, []).append(time)
    sums = [
        Time(stage, sum(each.jobs for each in same), sum(each.seconds for each in same),
             sum(each.cpu_seconds for each in same), max(each.peak_mb for each in same))
        for stage, same in found.items()
    ]  # fmt: skip
    return sorted(sums, key=lambda time: -time.seconds)


def simulated(variants: Sequence[Mapping[str, Any]]) -> list[str]:
    """What of the data is simulated, as sentences.

    Parameters
    ----------
    variants
        Contents of the variants' JSONs.

    Returns
    -------
    One sentence each on scans and on the data of the scenes; none where all is real
    """
    sentences = []
    if any(each["dataset"] == SIMULATED for each in variants):
        sentences.append(
            "The scans are simulated: shapes, defects and camera after MVTec 3D-AD, but no real scan is among them."
        )
    sources = {name for each in variants if each["pretraining"] for name in each["pretraining"].split("+")}
    made = sorted(name for name in sources if name.startswith(SIMULATED))
    if made:
        named = ", ".join("furniture meshes" if name == SIMULATED else name.replace("_", " ") for name in made)
        sentences.append(f"The data that teachers are pretrained on are simulated: {named}.")
    return sentences


def versions() -> dict[str, str]:
    """Versions of st3d, Python and the libraries that decide results and pictures, by name."""
    return {"st3d": __version__, "Python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in LIBRARIES
    }


def machine() -> str:
    """The machine that this process runs on, in a few words."""
    return f"{processor()}, {os.cpu_count()} logical cores, {platform.system()} {platform.machine()}"


def by_section(settings: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Settings as the rule gives them, by section.

    Parameters
    ----------
    settings
        Texts section.key=value.

    Returns
    -------
    Keys with their values, of each section, in their order

    Raises
    ------
    ValueError
        If a text is not of that form.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        section, dot, key = name.rpartition(".")
        if not (equals and dot):
            raise ValueError(f"--settings: expected section.key=value, found {text}")
        found.setdefault(section, []).append((key, value))
    return found
