"""Progress to look at: a bar on a terminal, elsewhere a line now and then."""

from collections.abc import Callable
from typing import Any, TextIO

from st3d.workflow.run_progress import RunProgress

STEP = 5  # percent between two lines


class Lines:
    """A line whenever another twentieth of the jobs is done.

    Parameters
    ----------
    write
        Takes a line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write, self._shown = write, 0

    def update(self, progress: RunProgress) -> None:
        """Print the line if it is time to."""
        percent = 100 * progress.done // max(progress.total, 1)
        if percent // STEP > self._shown // STEP and progress.done < progress.total:
            self._shown = percent
            count = f"{progress.done:>{len(str(progress.total))}} of {progress.total}"
            parts = [f"{percent:3d} %", f"{count} jobs", progress.elapsed_text(), progress.left_text()]
            running = progress.running_text()
            self._write("  ".join([*filter(None, parts), *([f"now {running}"] if running else [])]))

    def close(self) -> None:
        """Nothing: each line is complete."""


class LiveBar:
    """A bar with jobs done, time, time left and the rules at work; what is printed goes above it.

    Parameters
    ----------
    stream
        The terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: Any = None
        self._task: Any = None

    def update(self, progress: RunProgress) -> None:
        """Draw the bar anew; time and what is at work are looked up whenever it is drawn."""
        if self._bar is None:
            self._open(progress)
        self._bar.update(self._task, completed=progress.done, total=progress.total)

    def print(self, text: str) -> None:
        """Print above the bar."""
        if self._bar is None:
            self._stream.write(f"{text}\n")
            self._stream.flush()
        else:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _open(self, progress: RunProgress) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, RenderableColumn

        class Now(RenderableColumn):
            """The times, and the rules at work."""

            def render(self, _: Any) -> str:
                return "  ".join(filter(None, (progress.elapsed_text(), progress.left_text(), progress.running_text())))

        columns = BarColumn(), MofNCompleteColumn(), Now()
        self._bar = Progress(*columns, console=Console(file=self._stream), transient=True, refresh_per_second=2)
        self._task = self._bar.add_task("", total=progress.total)
        self._bar.start()
