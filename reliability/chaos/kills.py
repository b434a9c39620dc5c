"""kill -9 at random moments of random jobs, of their server and of snakemake; then the same command."""

import logging
import random
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from reliability.chaos.study import Study, kill, parent_of, processes_in

log = logging.getLogger("reliability")
VICTIMS = {"a job": 5, "snakemake": 3, "the job server": 1, "all of them": 1}  # and how often each
KILLS_OF_A_STUDY = 8  # spread over all of its work; many more in a few seconds would never let it leave its first jobs
TENTHS = 10  # of the study's files, by which the kills are counted


def kills(folder: Path, count: int, seed: int, targets: Sequence[str] = ()) -> str:
    """Kill until `count` kills are done, study after study.

    Parameters
    ----------
    folder
        Where the studies lie.
    count
        Kills, all studies together.
    seed
        Of the moments and the victims.
    targets
        As for `Study`.

    Returns
    -------
    The figures, in a line

    Raises
    ------
    AssertionError
        If a study ends with other tables than an undisturbed one, or leaves something behind.
    """
    random_moment = random.Random(seed)
    calm = Study(folder / "calm", targets)
    timeline = _timeline(calm)
    length, files = timeline[-1]
    log.info("undisturbed: %d files, %d of them compared, %.0f s", files, len(calm.tables()), length)
    done: Counter[str] = Counter()
    tenths: Counter[int] = Counter()
    studies = runs = 0
    while done.total() < count:
        study = Study(folder / f"killed_{studies}", targets)
        studies += 1
        planned = min(KILLS_OF_A_STUDY, count - done.total())
        moments = sorted(random_moment.uniform(0, length) for _ in range(planned))
        victims = random_moment.choices(list(VICTIMS), list(VICTIMS.values()), k=planned)
        plan = [(*_reached(timeline, moment), victim) for moment, victim in zip(moments, victims, strict=True)]
        ended = False
        while not ended:
            runs += 1
            ended, killed = _disturbed(study, random_moment, plan)
            done.update(victim for victim, _ in killed)
            tenths.update(min(TENTHS * made // files, TENTHS - 1) for _, made in killed)
        _compare(calm, study)
        log.info("study %d: as undisturbed after %d kills in all (%s)", studies, done.total(), _counts(done))
        shutil.rmtree(study.folder)
    spread = ", ".join(str(tenths[tenth]) for tenth in range(TENTHS))
    return (
        f"{done.total()} kills ({_counts(done)}; by tenths of the study's files: {spread}) in {studies} studies,"
        f" {runs} runs: tables as undisturbed, nothing left"
    )


def _timeline(study: Study) -> list[tuple[float, int]]:
    """Run a study undisturbed; seconds since its start and files made, at each of their changes and at the end."""
    running, started, timeline = study.start(), time.monotonic(), [(0.0, 0)]
    while running.poll() is None:
        time.sleep(0.02)
        made = study.made()
        if made > timeline[-1][1]:
            timeline.append((time.monotonic() - started, made))
    assert running.returncode == 0, study.said()
    return [*timeline, (time.monotonic() - started, study.made())]


def _reached(timeline: Sequence[tuple[float, int]], moment: float) -> tuple[int, float]:
    """A moment of the undisturbed study as files that are made by then, and seconds since the last of them."""
    seconds, made = [entry for entry in timeline if entry[0] <= moment][-1]
    return made, moment - seconds


def _disturbed(
    study: Study, moment: random.Random, plan: list[tuple[int, float, str]]
) -> tuple[bool, list[tuple[str, int]]]:
    """One run, and the kills of `plan` that are due in it, taken off it.

    A kill is due once as many files are made, and so many seconds later. A victim that is not there yet is waited for.

    Returns
    -------
    ended
        Whether the run came to its end.
    killed
        Victims, and how many files were made by then.
    """
    running, killed, since = study.start(), [], None
    while running.poll() is None:
        time.sleep(0.02)
        if not plan:
            continue
        files, seconds, victim = plan[0]
        made = study.made()
        if since is None and made >= files:
            since = time.monotonic()
        if since is not None and time.monotonic() - since >= seconds and _kill(study, running.pid, victim, moment):
            killed.append((victim, made))
            plan.pop(0)
            since = None
    study.wait_for_orphans()
    code = running.returncode
    assert code in (0, 1, -9), study.said()
    if code == 1:  # a job was killed: the run ends with a word of it, and nothing that the user need mend
        said = study.said()
        assert "Traceback" not in said, said
    return code == 0, killed


def _kill(study: Study, snakemake: int, victim: str, moment: random.Random) -> int:
    """Kill a victim; how many processes were there to kill: 1 or 0."""
    here = processes_in(study.folder)
    forks = [pid for pid, command in here.items() if "st3d.workflow.server" in command]
    servers = [pid for pid in forks if parent_of(pid) == snakemake]  # its jobs are forks of it, and have its name
    jobs = sorted({*forks} - {*servers})
    jobs += [pid for pid, command in here.items() if " -m st3d " in command and "bash" not in command]
    if victim == "all of them":
        return int(sum(kill(pid) for pid in sorted(here, reverse=True)) > 0)
    if victim == "snakemake":
        return int(kill(snakemake))
    among = jobs if victim == "a job" else servers[:1]
    return int(kill(moment.choice(sorted(among)))) if among else 0


def _compare(calm: Study, study: Study) -> None:
    expected, found = calm.tables(), study.tables()
    different = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    assert not different, f"{study.folder}: unlike the undisturbed study: {', '.join(different)}"
    left = study.left()
    assert not left, f"{study.folder}: left behind: {', '.join(left)}"


def _counts(done: "Counter[str]") -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(done.items(), key=lambda item: -item[1]))
