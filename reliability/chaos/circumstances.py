"""Circumstances of a tiny study that are not its own fault; each function returns its figures in a line.

What are made are two scales, the end of a dozen jobs: meshes, scenes, scans, graphs. AssertionError says what was lost,
left behind or ended without a word. What this machine cannot do is said, not passed over.
"""

import contextlib
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from reliability.chaos.study import Study, is_locked

SCALES = ("{}/scale/base/scenes.json", "{}/scale/base/dowel.json")
DISK = 100  # MB that a study of scales and its temporary files never fill by themselves
LINES = 25  # of a run that ends because of its surroundings, at most


def study_of_scales(folder: Path, results: str = "results") -> Study:
    """A study that makes scales alone."""
    return Study(folder, [each.format(results) for each in SCALES], results)


def calm_scales(folder: Path) -> dict[str, bytes]:
    """What an undisturbed study makes; found again where it has been made."""
    calm = study_of_scales(folder.parent / "calm_scales")
    made = calm.tables()
    if len(made) < len(SCALES):
        assert calm.run() == 0, calm.said()
        made = calm.tables()
    return made


def ended_in_words(study: Study, words: str) -> None:
    """The last run said `words`, in few lines and without a traceback."""
    said = study.said()
    assert words in said.lower(), f"expected {words!r}, found: {said}"
    assert "Traceback" not in said, said
    assert len(said.splitlines()) <= LINES, said


def full_disk(folder: Path, seed: int, times: int = 4) -> str:
    """The disk is full at random moments of studies, then has room again: one line each, nothing lost."""
    expected = calm_scales(folder)
    files = study_of_scales(folder.parent / "calm_scales").made()
    moment = random.Random(seed)
    full = studies = 0
    with small_disk(folder, DISK) as mounted:
        if not mounted:
            return "not run: mounting a small disk needs root"
        while full < times:
            assert studies < 4 * times, f"only {full} of {studies} runs met a full disk: too few to say anything"
            study = study_of_scales(folder / f"study_{studies}")
            studies += 1
            full += _filled_up(study, folder / "ballast", moment, moment.randrange(files))
            assert study.run() == 0, study.said()
            _same(expected, study)
            shutil.rmtree(study.folder)
    return (
        f"{full} of {studies} runs met a full disk, each ended in words;"
        " then the same command went on to the same result"
    )


def _filled_up(study: Study, ballast: Path, moment: random.Random, files: int) -> bool:
    """A run whose disk is full up to a second after it has made `files` files; whether it ended because of that."""
    running = study.start()
    while running.poll() is None and study.made() < files:
        time.sleep(0.02)
    time.sleep(moment.random())
    if running.poll() is None:
        _fill(ballast, leave=moment.choice([0, 4096, 100_000]))
        try:
            if running.wait(600):
                ended_in_words(study, "no space left")
        finally:
            ballast.unlink()
    return running.returncode != 0


def clock(folder: Path, seed: int) -> str:
    """The clock jumps during a run; it is ahead or behind while the first half is made, and then right."""
    expected = calm_scales(folder)
    shim = _built(folder, "clock_jumps")
    if shim is None:
        return "not run: there is no C compiler for the shim"
    study = study_of_scales(folder / "jumps")
    assert study.run({"LD_PRELOAD": str(shim), "JUMPS_FROM": str(int(time.time()))}) == 0, study.said()
    assert study.run() == 0, study.said()
    _same(expected, study)
    assert "Nothing to be done" in study.said(), f"a second run has work again: {study.said()}"
    for name, days in (("ahead", 2), ("behind", -365)):
        study = study_of_scales(folder / name)
        half = Study(folder / name, ["results/scale/base/scenes.json"])
        assert half.run() == 0, half.said()
        _shift(half, 86400 * days)
        assert study.run() == 0, study.said()
        _same(expected, study)
        assert study.run() == 0, study.said()
        assert "Nothing to be done" in study.said(), f"a second run has work again: {study.said()}"
    return (
        "jumps by two days and back during a run, or half of it made two days ahead, or a year behind: the same result,"
        " a second run has nothing to do"
    )


def _shift(study: Study, seconds: int) -> None:
    """Give all that was made the times that a wrong clock would have given it."""
    for top in (study.results, study.folder / "data"):
        for path in top.rglob("*"):
            found = path.stat()
            os.utime(path, (found.st_atime + seconds, found.st_mtime + seconds))


def read_only(folder: Path, seed: int) -> str:
    """The results can no longer be written: what is there is used, what is not is refused in words."""
    with small_disk(folder / "results", 50) as mounted:
        if not mounted:
            return "not run: mounting a disk that cannot be written needs root"
        study = study_of_scales(folder)
        assert study.run() == 0, study.said()
        before = study.tables()
        _remount(folder / "results", "ro")
        assert study.run() == 0, study.said()
        assert "Nothing to be done" in study.said(), study.said()
        more = Study(folder, ["results/graph/near_half/scenes/train_0.h5"])
        assert more.run() == 1, more.said()
        ended_in_words(more, "read-only file system")
        assert study.tables() == before
        _remount(folder / "results", "rw")
        assert more.run() == 0, more.said()
    return "a finished study has nothing to do, another is refused in words; with the right to write it goes on"


def odd_path(folder: Path, seed: int) -> str:
    """The results' folder has spaces, brackets and letters beyond ASCII in its path."""
    expected = calm_scales(folder)
    study = study_of_scales(folder / "Prüfung (für Bö)", "Ergebnisse 3D – ä")
    assert study.run() == 0, study.said()
    _same(expected, study)
    return "spaces, brackets and letters beyond ASCII: the same result"


def second_run(folder: Path, seed: int) -> str:
    """A second snakemake at once in the same results: refused in words, the first goes on."""
    expected = calm_scales(folder)
    first, second = Study(folder / "study", ["variant_base"]), study_of_scales(folder / "study")
    running = first.start()
    lock = first.results / ".st3d.lock"
    while running.poll() is None and not (lock.exists() and is_locked(lock)):
        time.sleep(0.05)
    assert second.run() == 1, second.said()
    ended_in_words(second, "another snakemake is at work in")
    assert running.wait(600) == 0, first.said()
    made, left = first.tables(), first.left()
    assert {name: made[name] for name in expected} == expected and not left, left
    return "the second is refused in words, the first goes on to the same result"


def no_flock(folder: Path, seed: int) -> str:
    """File systems without locks: as on Lustre without flock, NFS without lockd, some FUSE."""
    expected = calm_scales(folder)
    shim = _built(folder, "no_flock")
    if shim is None:
        return "not run: there is no C compiler for the shim"
    for number in ("38", "37", "95"):
        study = study_of_scales(folder / number)
        assert study.run({"LD_PRELOAD": str(shim), "NO_FLOCK": number}) == 0, study.said()
        _same(expected, study)
    return "errors 38, 37 and 95: the same result"


CIRCUMSTANCES: dict[str, Callable[[Path, int], str]] = {
    "full_disk": full_disk,
    "clock": clock,
    "read_only": read_only,
    "odd_path": odd_path,
    "second_run": second_run,
    "no_flock": no_flock,
}


def _built(folder: Path, name: str) -> Path | None:
    """A library to be loaded before all others; None if there is no C compiler."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    shim = folder / f"{name}.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, Path(__file__).with_name(f"{name}.c")], check=True)
    return shim


def _same(expected: dict[str, bytes], study: Study) -> None:
    assert study.tables() == expected, f"{study.folder}: unlike the undisturbed study"
    left = study.left()
    assert not left, f"left behind: {', '.join(left)}"


def _fill(ballast: Path, leave: int) -> None:
    """Write until the disk of `ballast` has only `leave` bytes left."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
    size = ballast.stat().st_size
    os.truncate(ballast, max(size - leave, 0))


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """A disk of its own at `folder`; whether it could be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}M", "tmpfs", str(folder)]
    mounted = shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def _remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)
