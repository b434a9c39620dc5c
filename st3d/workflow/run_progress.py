"""How far a run is, and how long it will still take."""

import time
from collections import Counter
from collections.abc import Mapping


class RunProgress:
    """The jobs of a run that wait, run and are done.

    Attributes
    ----------
    done, total
        Jobs.
    """

    def __init__(self) -> None:
        self.done = self.total = 0
        self._started = time.monotonic()
        self._counts: Counter[str] = Counter()  # of each rule, jobs of the run
        self._done: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()  # of each rule's finished jobs together
        self._running: dict[int, tuple[str, float]] = {}  # job: its rule, when it started

    def start(self, counts: Mapping[str, int]) -> None:
        """The run starts.

        Parameters
        ----------
        counts
            Jobs of each rule.
        """
        self._started = time.monotonic()
        self._counts, self.total = Counter(counts), sum(counts.values())

    def job_starts(self, number: int, rule: str) -> None:
        """A job starts, or is handed to a cluster."""
        self._running[number] = rule, time.monotonic()

    def job_fails(self, number: int) -> None:
        """A job has failed."""
        self._running.pop(number, None)

    def job_ends(self, number: int) -> None:
        """A job has succeeded."""
        rule, started = self._running.pop(number, ("", time.monotonic()))
        self._done[rule] += 1
        self._seconds[rule] += time.monotonic() - started  # type: ignore[assignment]
        self.done += 1

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def elapsed_text(self) -> str:
        """The same, to read."""
        return time_text(self.elapsed())

    def left_text(self) -> str:
        """How long the rest will take, as the jobs of the same rules took; empty while nothing is known.

        Jobs of rules of which none has ended count as nothing: then it is "at least" so long.
        """
        busy = sum(self._seconds.values())
        if self.done == self.total or busy <= 0:
            return ""
        left = {rule: count - self._done[rule] for rule, count in self._counts.items() if count > self._done[rule]}
        seconds = sum(
            self._seconds[rule] / self._done[rule] * count for rule, count in left.items() if self._done[rule]
        )
        now = time.monotonic()
        running = list(self._running.values())  # a copy: a bar asks from a thread of its own
        ahead = busy + sum(now - started for _, started in running)
        seconds -= sum(now - started for rule, started in running if self._done[rule])
        at_once = max(ahead / max(self.elapsed(), 1e-9), 1.0)
        known = all(self._done[rule] for rule in left)
        seconds = max(seconds, 0) / at_once
        return f"{'about' if known else 'at least'} {time_text(seconds)} left" if round(seconds) else ""

    def running_text(self) -> str:
        """The rules at work, with their jobs done and in all."""
        rules = dict.fromkeys(rule for rule, _ in list(self._running.values()))
        return ", ".join(f"{rule} {self._done[rule]}/{self._counts[rule]}" for rule in rules)


def time_text(seconds: float) -> str:
    """Seconds as minutes and seconds, with hours where there are any.

    Examples
    --------
    >>> time_text(75.2), time_text(3675)
    ('1:15', '1:01:15')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def counts_text(counts: Mapping[str, int]) -> str:
    """Numbers of jobs, the largest first.

    Examples
    --------
    >>> counts_text({"teacher": 1, "maps": 26})
    'maps 26, teacher 1'
    """
    return ", ".join(f"{rule} {count}" for rule, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
