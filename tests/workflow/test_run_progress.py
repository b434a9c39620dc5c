from st3d.workflow import run_progress
from st3d.workflow.run_progress import RunProgress


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def monotonic(self):
        return self.now


def test_the_time_left_goes_by_the_jobs_of_the_same_rule(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(run_progress, "time", clock)
    progress = RunProgress()
    progress.start({"student": 3, "maps": 3, "table": 1})
    assert progress.left_text() == ""
    for number, (rule, seconds) in enumerate([("student", 60), ("maps", 10)]):
        progress.job_starts(number, rule)
        clock.now += seconds
        progress.job_ends(number)
    assert (
        progress.left_text() == "at least 2:20 left"
    )  # two of 60 s, two of 10 s, and a table of which nothing is known
    progress.job_starts(2, "table")
    clock.now += 5
    progress.job_ends(2)
    progress.job_starts(3, "student")
    clock.now += 30
    assert progress.left_text() == "about 1:50 left"
    assert (progress.done, progress.total, progress.running_text()) == (3, 7, "student 1/3")


def test_jobs_side_by_side_shorten_the_time_left(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(run_progress, "time", clock)
    progress = RunProgress()
    progress.start({"maps": 6})
    for number in (0, 1):
        progress.job_starts(number, "maps")
    clock.now += 10
    for number in (0, 1):
        progress.job_ends(number)
    assert progress.left_text() == "about 0:20 left"
