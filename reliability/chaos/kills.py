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
    started = time.monotonic()
    assert calm.run() == 0, calm.said()
    length = time.monotonic() - started
    log.info("undisturbed: %d files compared, %.0f s", len(calm.tables()), length)
    done: Counter[str] = Counter()
    studies = runs = 0
    while done.total() < count:
        study = Study(folder / f"killed_{studies}", targets)
        studies += 1
        ended = False
        while not ended:
            runs += 1
            ended = _disturbed(study, random_moment, length / 8, done if done.total() < count else None)
        _compare(calm, study)
        log.info("study %d: as undisturbed after %d kills in all (%s)", studies, done.total(), _counts(done))
        shutil.rmtree(study.folder)
    return (
        f"{done.total()} kills ({_counts(done)}) in {studies} studies, {runs} runs: tables as undisturbed, nothing left"
    )


def _disturbed(study: Study, moment: random.Random, longest: float, done: "Counter[str] | None") -> bool:
    """One run, killed in if `done` is given; whether it came to its end."""
    running = study.start()
    until = time.monotonic() + 2 + moment.random() * longest
    while running.poll() is None:
        time.sleep(0.02)
        if done is not None and time.monotonic() > until:
            victim = moment.choices(list(VICTIMS), list(VICTIMS.values()))[0]
            done[victim] += _kill(study, running.pid, victim, moment)
            until = time.monotonic() + moment.random() * longest
    study.wait_for_orphans()
    code = running.returncode
    assert code in (0, 1, -9), study.said()
    if code == 1:  # a job was killed: the run ends with a word of it, and nothing that the user need mend
        said = study.said()
        assert "Traceback" not in said, said
    return code == 0


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
