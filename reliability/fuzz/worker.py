"""`python -m reliability.fuzz.worker MODULE READER SEED FIRST LAST SECONDS FOLDER`: read files FIRST to LAST - 1.

MODULE has the readers, and SECONDS is what a read may take. A line of JSON per file goes to FOLDER/outcomes. A read
that hangs ends the process by its alarm, one that takes too much memory meets the limit of the process; a crash of a
library ends it too. The campaign sees at which file it ended.
"""

import importlib
import json
import logging
import os
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from reliability.fuzz.archives import MESH
from reliability.fuzz.mutations import mutated
from reliability.fuzz.originals import Files
from reliability.fuzz.readers import Check, Reader, Wrong

MODULE = "reliability.fuzz.readers"
SECONDS = 10  # after which a read counts as hanging
MEMORY = 2 * 2**30  # bytes that a read may add to the process
LONGEST = 2000  # characters of an error's line
LINKS = ("good", "nowhere", "itself", "folder", "null")
DEVICES = ("zero", "pipe")  # without an end
LINKED = 0.02  # share of the files that are links


@dataclass(frozen=True)
class Outcome:
    """What became of a file: read or refused by what it went through, or a fault."""

    index: int
    kind: str  # read, refused, or a fault: traceback, wrong, unnamed, long, memory, outside, hang, crash
    seconds: float
    what: str = ""  # of a fault: the reader's function and its error


def named(name: str, module: str = MODULE) -> Reader:
    """The reader of that name in a module's READERS; a ValueError if there is none."""
    readers: Sequence[Reader] = importlib.import_module(module).READERS
    for reader in readers:
        if reader.name == name:
            return reader
    raise ValueError(f"--reader: expected one of {', '.join(reader.name for reader in readers)}, found {name}")


def damaged(reader: Reader, files: Files, seed: int, index: int, folder: Path) -> Path:
    """Write file `index` of a reader into `folder`, the same for the same seed."""
    rng = np.random.default_rng([seed, index, *reader.name.encode()])
    chosen = int(rng.integers(len(files)))
    name, content = files[chosen]
    path = folder / name
    if rng.random() < LINKED:
        kinds = (*LINKS, *DEVICES) if reader.devices else LINKS
        _link(path, kinds[rng.integers(len(kinds))], content)
        return path
    if reader.inside and rng.random() < 0.5:
        content = reader.inside[rng.integers(len(reader.inside))](rng, content)
    else:
        others = [other for _, other in files]
        content = mutated(rng, [content, *others])
    path.write_bytes(content)
    return path


def _link(path: Path, kind: str, content: bytes) -> None:
    """A link in place of a file."""
    good = path.with_name(f"target_{path.name}")
    match kind:
        case "good":
            good.write_bytes(content)
        case "itself":
            good = path
        case "folder":
            good.mkdir()
        case "null" | "zero":
            good = Path("/dev", kind)
        case "pipe":
            os.mkfifo(good)
    path.symlink_to(good)


def outcome_of(reader: Reader, checks: dict[str, Check], path: Path, index: int, box: Path) -> Outcome:
    """Read a file by all that read its kind."""
    started = time.monotonic()
    read = False
    for name, check in checks.items():
        before = _tree(box)
        fault, done = _fault(check, path)
        if not fault and (more := sorted(_tree(box) - before)):
            fault = ("outside", f"wrote {more[:3]}")
        if not fault and (box / "outside" / "kept").read_bytes() != MESH:
            fault = ("outside", "changed a file beside the target")
        if fault:
            return Outcome(index, fault[0], time.monotonic() - started, f"{name}: {fault[1]}"[:500])
        read |= done and not name.startswith("check")  # which look at the header alone
    return Outcome(index, "read" if read else "refused", time.monotonic() - started)


def _fault(check: Check, path: Path) -> tuple[tuple[str, str] | None, bool]:
    """A reader's fault, if it has one; and whether it read the file."""
    try:
        check(path)
        return None, True
    except Wrong as error:
        return ("wrong", str(error)), False
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if os.environ.get("ST3D_TRACEBACK"):
            traceback.print_exc()
        if _out_of_memory(error):
            return ("memory", text), False
        if type(error).__name__ == "WorkflowError":  # Snakemake's own line for a file that is no YAML
            return None, False
        if not isinstance(error, ValueError | OSError):  # what the command line turns into one line
            return ("traceback", text), False
        if path.name not in str(error) and path.parent.name not in str(error) and "config" not in str(error):
            return ("unnamed", text), False
        return (("long", text) if len(str(error)) > LONGEST else None), False


def _out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it replaced, is of memory that was not to be had."""
    while error is not None:
        text = str(error).lower()
        if isinstance(error, MemoryError) or "not enough memory" in text or "can't allocate" in text:
            return True
        error = error.__cause__ or error.__context__
    return False


def emptied(box: Path) -> None:
    """Prepare the box: a folder for the file, one that a reader may fill, and one beside it with a file."""
    for kind in ("in", "out", "outside"):
        shutil.rmtree(box / kind, ignore_errors=True)
        (box / kind).mkdir()
    (box / "outside" / "kept").write_bytes(MESH)


def _tree(box: Path) -> set[str]:
    """All that lies in the box but in the reader's own folder."""
    found = set()
    for folder, below, names in os.walk(box):
        if folder == str(box):
            below[:] = [name for name in below if name != "out"]
        found |= {os.path.join(folder, name) for name in (*below, *names)}  # noqa: PTH118 thousands of times
    return found


def _limit(memory: int) -> None:
    """No more memory than now and `memory` bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def main(module: str, name: str, seed: int, first: int, last: int, seconds: int, folder: Path) -> None:
    """Read files of a reader, and write what became of them to `folder`/outcomes."""
    warnings.simplefilter("ignore")
    logging.disable()
    reader = named(name, module)
    box = folder / "box"
    shutil.rmtree(box, ignore_errors=True)
    box.mkdir()
    files, checks = reader.originals(), dict(reader.checks())
    emptied(box)
    for original, content in files:  # libraries are loaded before memory is limited
        path = box / "in" / original
        path.write_bytes(content)
        for check in checks.values():
            _fault(check, path)
    _limit(MEMORY)
    with open(folder / "outcomes", "a") as outcomes:
        for index in range(first, last):
            emptied(box)
            path = damaged(reader, files, seed, index, box / "in")
            signal.alarm(seconds)  # its default is to end the process, also in the middle of a library
            outcome = outcome_of(reader, checks, path, index, box)
            signal.alarm(0)
            outcomes.write(json.dumps(asdict(outcome)) + "\n")
            outcomes.flush()
    shutil.rmtree(box)


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:7]), Path(sys.argv[7]))  # type: ignore[call-arg, arg-type]
