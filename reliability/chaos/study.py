"""A tiny study in a folder of its own: run, killed, and looked at afterwards."""

import csv
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEASURED = ("inference_seconds", "training_memory_gb", "inference_memory_gb")  # of Table 3; no two runs agree on them
LEFT = ("*.partial", "*.checkpoint", "*.lock", "*.tmp")  # files of a job that has not ended


class Study:
    """A copy of the workflow, to be run in.

    Parameters
    ----------
    folder
        Where; made if missing. Its data and temporary files lie in it too.
    targets
        What to make; nothing: everything.
    results
        The results' folder, from `folder`.
    config
        Settings beside those of tests/tiny.yaml, as for Snakemake's --config.
    """

    def __init__(
        self, folder: Path, targets: Sequence[str] = (), results: str = "results", config: Sequence[str] = ()
    ) -> None:
        self.folder, self.results = Path(folder), Path(folder) / results
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir(parents=True, exist_ok=True)
        self._console = self.folder / f"console_{id(self)}.txt"  # two runs at once have one each
        for name in ("Snakefile", "config.yaml", "config.schema.yaml"):
            shutil.copy(ROOT / name, self.folder)
        for name in ("rules", "envs", "profiles"):
            shutil.copytree(ROOT / name, self.folder / name, dirs_exist_ok=True)
        if not (self.folder / "st3d").exists():
            (self.folder / "st3d").symlink_to(ROOT / "st3d")
        self.command = [sys.executable, "-m", "snakemake", *targets, "--cores", "2", "--resources", "gpu=2"]
        self.command += ["--configfile", str(ROOT / "tests" / "tiny.yaml")]
        self.command += ["--config", f"results={results}", *config]

    def start(self, environment: Mapping[str, str] | None = None) -> subprocess.Popen:
        """Start the command; its messages go to a file."""
        env = {name: value for name, value in os.environ.items() if name not in ("ST3D_PARENT", "ST3D_SERVER")}
        env |= {"PYTHONPATH": str(self.folder), "TMPDIR": str(self.temporary)}
        env |= {"TORCHINDUCTOR_CACHE_DIR": str(self.folder / "torch_cache"), **(environment or {})}  # kept
        with self._console.open("wb") as console:
            return subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )

    def run(self, environment: Mapping[str, str] | None = None, seconds: float = 1800) -> int:
        """Run the command to its end; its exit code."""
        return self.start(environment).wait(seconds)

    def wait_for_orphans(self) -> None:
        """What a run leaves behind as processes, however it ended, must end by itself."""
        for _ in range(1200):
            if not processes_in(self.folder):
                return
            time.sleep(0.1)
        raise AssertionError(f"processes live on two minutes after their run: {processes_in(self.folder)}")

    def said(self) -> str:
        """What the last run printed, but for Snakemake's own head."""
        lines = self._console.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith(("Using workflow", "Config file")))

    def tables(self) -> dict[str, bytes]:
        """Every table, score and list of maps by its name, as bytes; Table 3 without what is measured."""
        found = {}
        for path in sorted(self.results.rglob("*")):
            name = path.relative_to(self.results)
            if path.suffix == ".csv" and name.parts[0] in ("tables", "variant", "maps"):
                found[str(name)] = _unmeasured(path.read_bytes())
            elif path.suffix == ".json" and name.parts[0] in ("score", "variant", "scale"):
                found[str(name)] = path.read_bytes()
        return found

    def made(self) -> int:
        """How many files the results have by now."""
        return sum(len(files) for _, _, files in os.walk(self.results))

    def left(self) -> list[str]:
        """What a run that has ended must not leave: files of unfinished jobs, temporary files, locks, processes."""
        self.wait_for_orphans()
        found = [str(path) for pattern in LEFT for path in self.folder.rglob(pattern) if ".snakemake" not in path.parts]
        found = [path for path in found if Path(path).name != ".st3d.lock" or is_locked(Path(path))]
        found += [str(path) for path in (self.folder / "data" / ".locks").glob("*") if is_locked(path)]
        found += [str(path) for path in self.temporary.iterdir()]
        found += [str(path) for path in (self.folder / ".snakemake" / "locks").glob("*")]
        return found


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock on a file; looked up, for an attempt to take it would disturb who takes it."""
    held = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any(words[1] == "FLOCK" and words[5].endswith(f":{path.stat().st_ino}") for words in held)


def processes_in(folder: Path) -> dict[int, str]:
    """Command lines of the processes that work in a folder, by number."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                if (entry / "cwd").readlink() == folder.resolve():
                    found[int(entry.name)] = (
                        (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    )
            except OSError:  # it has ended, or is another user's
                continue
    return found


def parent_of(pid: int) -> int:
    """The number of a process's parent; 0 once it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def kill(pid: int) -> bool:
    """kill -9; whether there was such a process."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _unmeasured(content: bytes) -> bytes:
    rows = list(csv.reader(io.StringIO(content.decode())))
    kept = [place for place, name in enumerate(rows[0]) if name not in MEASURED] if rows else []
    if not rows or len(kept) == len(rows[0]):
        return content
    return "\n".join(",".join(row[place] for place in kept) for row in rows).encode()
