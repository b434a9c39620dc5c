"""What a run shows: progress, warnings, failures, and at the end what to open; all else stays in Snakemake's log file.

The console is a handler of Python's `logging` in the place of Snakemake's own: a record with an `event` is one of its
jobs', the others are text. It cannot be one of Snakemake's logger plugins, which are not found where they are installed
in place (pip's --editable), and it needs nothing of Snakemake but the records.
"""

import importlib.util
import logging
import re
import sys
from collections.abc import Callable, Sequence

from st3d.workflow.failures import Failures, Job
from st3d.workflow.live_bar import Lines, LiveBar
from st3d.workflow.run_progress import RunProgress, counts_text

PLAIN = "DefaultStreamHandler"  # Snakemake's name of the handler that prints everything
WHOLE = "DefaultLogFileHandler"  # and of the one that writes the log file; by default it leaves the commands out
KEPT = (  # texts to show
    "Nothing to be done",
    "Trying to restart job",
    "Terminating processes",
    "Will exit after",
    "cluster job",
    "the cluster refused",
)
SAID = ("At least one job did not complete", "Exiting because a job execution failed")  # texts that `_end` replaces
HARMLESS = ("No SLURM account given", "No account was given", "Unable to guess SLURM account")  # Slurm's default serves
MOST_WARNINGS = 5  # different ones; the log has all


def use_console(logger: logging.Logger, to_open: Callable[[], Sequence[str]]) -> None:
    """Replace the handler of Snakemake's that prints everything; a user's own (--logger) stays.

    Parameters
    ----------
    logger
        Snakemake's.
    to_open
        Called at the end of a run that succeeded: the files to look at.
    """
    for handler in list(logger.handlers):
        if handler.name == PLAIN and isinstance(handler, logging.StreamHandler):
            logger.removeHandler(handler)
            logger.addHandler(Console(handler, to_open))
    for handler in logger.handlers:
        if handler.name == WHOLE:
            for each in handler.filters:
                each.printshellcmds = True  # type: ignore[union-attr]
            handler.handleError = unwritten_log()  # type: ignore[assignment,method-assign]


def unwritten_log() -> Callable[[logging.LogRecord], None]:
    """What to do where the log file cannot be written: say it once; logging itself prints a traceback each time."""
    said: list[str] = []

    def handle(record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not said:
            said.append(str(error))
            sys.stderr.write(f"Snakemake's log file is not complete: {str(error).lower()}\n")

    return handle


class Console(logging.Handler):
    """Shows a run; before it starts, and for what is no run (--lint, --list, --report), all goes to `plain`.

    Parameters
    ----------
    plain
        The handler that prints everything.
    to_open
        As for `use_console`.
    """

    def __init__(self, plain: logging.StreamHandler, to_open: Callable[[], Sequence[str]]) -> None:
        super().__init__(logging.INFO)
        self._plain, self._to_open = plain, to_open
        self._running = False
        self._cores = 0
        self._said: set[str] = set()  # texts of warnings and errors
        self._erred = False
        self._progress = RunProgress()
        self._failures = Failures()
        bar = (
            plain.stream.isatty() and importlib.util.find_spec("rich") is not None
        )  # a snakemake of one's own may lack it
        self._view = LiveBar(plain.stream) if bar else Lines(self._print)
        self._handlers: dict[str, Callable[[logging.LogRecord], None]] = {
            "resources_info": self._resources,
            "run_info": self._start,
            "job_info": self._job_starts,
            "job_finished": self._job_ends,
            "progress": self._show_progress,
            "job_error": self._job_fails,
        }

    def emit(self, record: logging.LogRecord) -> None:
        """Show what a record says, if it is of interest."""
        event = getattr(record, "event", None)
        try:
            if event == "workflow_started":
                self._running = True
            elif not self._running:
                self._plain.handle(record)
            elif event in self._handlers:
                self._handlers[event](record)
            elif event in (None, "error"):
                self._text(record)
        except Exception:  # as every handler of logging does: a fault in showing must not end the run
            self.handleError(record)

    def close(self) -> None:
        """End the bar, if there is one."""
        self._view.close()
        self._plain.close()
        super().close()

    def _print(self, text: str) -> None:
        self._view.print(text) if isinstance(self._view, LiveBar) else self._write(text)

    def _write(self, text: str) -> None:
        self._plain.stream.write(f"{text}\n")
        self._plain.flush()

    def _resources(self, record: logging.LogRecord) -> None:
        self._cores = getattr(record, "cores", self._cores)

    def _start(self, record: logging.LogRecord) -> None:
        """Say what will run; from the job counts that Snakemake prints as a table."""
        counts = {name: count for name, count in record.stats.items() if name != "total"}  # type: ignore[attr-defined]
        self._progress.start(counts)
        total = sum(counts.values())
        where = f" on {self._cores} core{'s' if self._cores > 1 else ''}" if self._cores else ""
        self._print(f"{total} job{'s' if total > 1 else ''}{where}: {counts_text(counts)}")
        self._view.update(self._progress)

    def _job_starts(self, record: logging.LogRecord) -> None:
        job = Job(record.rule_name, {**record.wildcards})  # type: ignore[attr-defined]
        self._progress.job_starts(record.jobid, job.rule)  # type: ignore[attr-defined]
        self._failures.job_starts(record.jobid, job)  # type: ignore[attr-defined]

    def _job_ends(self, record: logging.LogRecord) -> None:
        self._progress.job_ends(record.job_id)  # type: ignore[attr-defined]
        self._failures.job_ends(record.job_id)  # type: ignore[attr-defined]

    def _show_progress(self, record: logging.LogRecord) -> None:
        self._progress.total = record.total  # type: ignore[attr-defined]
        self._view.update(self._progress)

    def _job_fails(self, record: logging.LogRecord) -> None:
        self._progress.job_fails(record.jobid)  # type: ignore[attr-defined]
        shown = self._failures.job_fails(record.jobid, record.rule_name, record.log, record.shellcmd, record.conda_env)  # type: ignore[attr-defined]
        if shown:
            self._print(shown)

    def _text(self, record: logging.LogRecord) -> None:
        """A record of text alone."""
        text = str(record.getMessage())
        if text.startswith("Complete log"):
            self._end(text.partition(": ")[2])
        elif record.levelno >= logging.ERROR:
            killed = None
            if "CalledProcessError" in text:  # the record of the job's failure says more, but for the signal
                killed = re.search(r"died with .*\d+|exit status (?:129|1[3-9]\d)\b", text)
                text = f"a job was killed, maybe for its memory: {killed[0]}" if killed else ""
            if text and text not in self._said and not any(said in text for said in SAID):
                self._erred = self._erred or killed is None
                self._said.add(text)
                self._print(text)
        elif record.levelno >= logging.WARNING:
            if text.startswith(HARMLESS):
                return
            if text not in self._said and len(self._said) < MOST_WARNINGS:
                self._print(f"warning: {text}")
            self._said.add(text)
        elif text.startswith(KEPT):
            self._print(text)
            if text.startswith("Nothing"):
                self._say_what_to_open()

    def _end(self, log: str) -> None:
        """The last lines of a run."""
        self._view.close()
        done, total, elapsed = self._progress.done, self._progress.total, self._progress.elapsed_text()
        if self._failures:
            self._print(f"failed: {counts_text(self._failures.counts())}; {done} of {total} jobs done in {elapsed}")
        elif self._erred:
            self._print(f"failed: {done} of {total} jobs done in {elapsed}")
        elif done < total:
            self._print(f"stopped: {done} of {total} jobs done in {elapsed}; the same command goes on from there")
        else:
            self._print(f"{done} job{'s' if done > 1 else ''} done in {elapsed}")
        self._print(f"every job and its command: {log}")
        if done >= total and not self._erred:
            self._say_what_to_open()

    def _say_what_to_open(self) -> None:
        for path in self._to_open():
            self._print(f"open {path}")
