"""Failed jobs: which, the last lines of their logs, and the commands that run them alone."""

import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

LINES = 4  # of a log
LONGEST = 500  # characters of one of them
IN_FULL = 3  # failures; of those that follow, one line each
MOST = 8  # failures that are shown at all


class Job(NamedTuple):
    """A job by its rule and wildcards."""

    rule: str
    wildcards: Mapping[str, str]

    def __str__(self) -> str:
        values = ", ".join(f"{name} {value}" for name, value in self.wildcards.items())
        return f"{self.rule} ({values})" if values else self.rule


class Failures:
    """The failed jobs of a run; true while there are any."""

    def __init__(self) -> None:
        self._jobs: dict[int, Job] = {}  # that run
        self._failed: dict[int, Job] = {}
        self._causes: set[tuple[str, str]] = set()

    def __bool__(self) -> bool:
        return bool(self._failed)

    def counts(self) -> dict[str, int]:
        """How many jobs of each rule failed."""
        return Counter(job.rule for job in self._failed.values())

    def job_starts(self, number: int, job: Job) -> None:
        """A job starts; maybe again."""
        self._jobs[number] = job

    def job_ends(self, number: int) -> None:
        """A job has succeeded, maybe at another attempt."""
        self._failed.pop(number, None)

    def job_fails(self, number: int, rule: str, logs: Sequence[str], command: str | None, conda_env: str | None) -> str:
        """A job has failed.

        Parameters
        ----------
        number
            Snakemake's, of the job.
        rule
            Its rule.
        logs
            Its log files; the first that says something counts.
        command
            Its shell command.
        conda_env
            The environment that the command needs, if any.

        Returns
        -------
        What to show: all of the first failures, a line of further ones, nothing of more or of a cause that was shown
        """
        job = self._jobs.get(number, Job(rule, {}))
        self._failed[number] = job
        log, lines = _end_of(logs)
        cause = rule, _without_names(lines[-1] if lines else "")
        if cause in self._causes or len(self._causes) >= MOST:
            return ""
        self._causes.add(cause)
        if len(self._causes) > IN_FULL:
            return f"FAILED {job}: {lines[-1] if lines else f'see {log}'}"
        shown = [f"FAILED {job}", *(f"    {line}" for line in lines)]
        shown.append(f"  log: {log}" if lines else f"  log: {log or 'none'}, which says nothing")
        if command:
            shown.append(f"  to run it alone: {alone(command, logs, conda_env)}")
        return "\n".join(shown)


def alone(command: str, logs: Sequence[str], conda_env: str | None) -> str:
    """A job's command as it can be pasted: its messages on the terminal, its `python` the one that runs the workflow.

    Parameters
    ----------
    command
        As the rule has it.
    logs
        Log files of the job.
    conda_env
        The environment that the command needs, if any; then `python` stays.

    Returns
    -------
    The command in one line
    """
    command = " ".join(command.split())
    for log in logs:
        command = command.removesuffix(f" 2> {log}")
    here = Path(sys.executable).parent
    found = shutil.which("python")
    if conda_env is None and (found is None or Path(found).parent != here) and command.startswith("python "):
        python = here / "python"
        near = os.path.relpath(python)
        command = f"{python if near.startswith('..') else near} {command.removeprefix('python ')}"
    return command


def _end_of(logs: Sequence[str]) -> tuple[str, list[str]]:
    """The last lines of the first log that has any, and its name."""
    for log in logs:
        try:
            lines = [line[:LONGEST] for line in Path(log).read_text(errors="replace").splitlines() if line.strip()]
        except OSError:
            continue
        if lines:
            return log, lines[-LINES:]
    return next(iter(logs), ""), []


def _without_names(line: str) -> str:
    """A message without numbers and paths: those of one cause are then equal."""
    return re.sub(r"\S*[/\d]\S*", "*", line)
