"""The campaign: workers read damaged files of each reader, and what became of them is counted."""

import argparse
import collections
import datetime
import json
import logging
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from reliability.fuzz.originals import ROOT
from reliability.fuzz.readers import READERS, Reader
from reliability.fuzz.worker import MODULE, SECONDS, Outcome, damaged, named

log = logging.getLogger("reliability")

FILES = 2000  # of each reader
PAGE = ROOT / "docs/reliability.md"
START = 120  # s that a worker has to load its libraries
SHOWN = 20  # faults of a reader that are named


@dataclass(frozen=True)
class Counted:
    """What became of a reader's files."""

    reader: str
    outcomes: Sequence[Outcome]
    seconds: float

    def count(self, kind: str) -> int:
        """How many ended so."""
        return sum(outcome.kind == kind for outcome in self.outcomes)

    @property
    def faults(self) -> list[Outcome]:
        """Those that were neither read nor refused."""
        return [outcome for outcome in self.outcomes if outcome.kind not in ("read", "refused")]


def run(reader: Reader, files: int, seed: int, folder: Path, module: str = MODULE, seconds: int = SECONDS) -> Counted:
    """Read `files` damaged files of a reader in a process of its own; one that ends early is followed by another.

    Parameters
    ----------
    reader
        The reader.
    files
        How many, 1 or more.
    seed
        Of the damage.
    folder
        For the workers; empty.
    module
        Where a worker finds the reader.
    seconds
        After which a read counts as hanging.

    Returns
    -------
    Counted
    """
    started = time.monotonic()
    outcomes: list[Outcome] = []
    late: set[int] = set()
    written = folder / "outcomes"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    while len(outcomes) < files:
        known = len(outcomes)
        arguments = [module, reader.name, *map(str, (seed, known, files, seconds, folder))]
        command = [sys.executable, "-m", "reliability.fuzz.worker", *arguments]
        with open(folder / "stderr", "w+b") as errors:
            limit = START + seconds * (files - known)
            done = subprocess.run(command, cwd=ROOT, env=environment, stdout=errors, stderr=errors, timeout=limit)
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip()
        lines = written.read_text().splitlines() if written.exists() else []
        outcomes = [Outcome(**json.loads(line)) for line in lines]
        if len(outcomes) < files:  # it ended in the middle of a file
            if not written.exists():
                raise SystemExit(f"reliability: the worker of {reader.name} did not start: {said[-2000:]}")
            hung = done.returncode == -signal.SIGALRM
            if hung and len(outcomes) not in late:  # once more: another program may have had the processor
                late.add(len(outcomes))
                continue
            last = re.sub(r"\s+", " ", said)[-300:]
            kind, what = ("hang", f"over {seconds} s") if hung else ("crash", f"exit code {done.returncode}: {last}")
            outcomes.append(Outcome(len(outcomes), kind, float(seconds) if hung else 0.0, what))
            with open(written, "a") as file:
                file.write(json.dumps(vars(outcomes[-1])) + "\n")
    return Counted(reader.name, outcomes, time.monotonic() - started)


def table(counts: Sequence[Counted], seed: int) -> str:
    """The figures as Markdown."""
    head = "| reader | files | read right | refused | faults | seed | seconds |\n|:--|--:|--:|--:|--:|--:|--:|\n"
    rows = [
        f"| {each.reader} | {len(each.outcomes):,} | {each.count('read'):,} | {each.count('refused'):,}"
        f" | {len(each.faults)} | {seed} | {each.seconds:.0f} |"
        for each in counts
    ]
    return head + "\n".join(rows)


def reported(page: str, name: str, text: str) -> str:
    """`page` with what stands between the marks of `name` replaced."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = page.partition(start)
    if not rest:
        raise ValueError(f"{PAGE}: expected the mark {start}, found none")
    return f"{before}{start}\n{text}\n{end}{rest.partition(end)[2]}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m reliability fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=FILES, help="of each reader; fewer than 2,000 change no document")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument("--reader", help=f"one of {', '.join(reader.name for reader in READERS)}; without, all")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes that read at once")
    parser.add_argument(
        "--keep", type=int, metavar="INDEX", help="only write this file of a reader, into a new folder here"
    )
    chosen = parser.parse_args(arguments)
    try:
        readers = [named(chosen.reader)] if chosen.reader else list(READERS)
    except ValueError as error:
        parser.error(str(error))
    if chosen.keep is not None:
        if len(readers) != 1:
            parser.error("--keep: expected --reader beside it, found none")
        folder = Path(f"{readers[0].name}-{chosen.seed}-{chosen.keep}".replace(" ", "_"))
        folder.mkdir()
        path = damaged(readers[0], readers[0].originals(), chosen.seed, chosen.keep, folder)
        log.info("%s: file %d of seed %d", path, chosen.keep, chosen.seed)
        return 0
    counts = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="st3d-fuzz-") as folder, ThreadPoolExecutor(chosen.workers) as pool:

        def one(reader: Reader) -> Counted:
            place = Path(folder, reader.name)
            place.mkdir()
            return run(reader, chosen.files, chosen.seed, place)

        for counted in pool.map(one, readers):
            counts.append(counted)
            kinds = collections.Counter(outcome.kind for outcome in counted.outcomes)
            slowest = max(outcome.seconds for outcome in counted.outcomes)
            log.info("%s: %s; %.0f s, slowest %.2f s", counted.reader, dict(kinds), counted.seconds, slowest)
            for fault in counted.faults[:SHOWN]:
                again = f"--reader '{counted.reader}' --seed {chosen.seed} --keep {fault.index}"
                log.info("  %s: %s\n    python -m reliability fuzz %s", fault.kind, fault.what, again)
    if chosen.reader is None and chosen.files >= FILES:
        minutes = (time.monotonic() - started) / 60
        machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {minutes:.0f} minutes"
        text = f"{datetime.date.today()}, processes: {chosen.workers}, {machine}.\n\n{table(counts, chosen.seed)}"
        PAGE.write_text(reported(PAGE.read_text(), "fuzzing", text))
    return int(any(counted.faults for counted in counts))
