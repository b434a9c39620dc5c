"""What every stage needs of the machine: device, threads, atomic writes, locks, provenance."""

import contextlib
import csv
import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from st3d import __version__

if TYPE_CHECKING:
    import torch

log = logging.getLogger("st3d")

FORMAT = 1  # raised whenever an artefact's layout changes
Device = Literal["auto", "cpu", "cuda"]
_held: list[IO[str]] = []  # locks that last as long as the process
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no space, quota used up, file larger than allowed


def device(choice: Device, *, alone: bool = True) -> "torch.device":
    """The device that `choice` names; `auto` is a GPU if there is one, `alone` waits until no other job has it."""
    import torch

    if choice == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: expected a CUDA device, found none; set runtime.device to auto or cpu")
    if choice == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    if not alone:
        return torch.device("cuda")
    return torch.device("cuda", free_gpu(torch.cuda.device_count(), Path(tempfile.gettempdir())))


def free_gpu(count: int, folder: Path) -> int:
    """Lock one of `count` GPUs, waiting while all are taken, and give its number.

    Snakemake counts GPU jobs but does not hand out GPUs, and two runs in two folders do not know of each other.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = visible.split(",") if visible else [str(number) for number in range(count)]
    waiting = False
    while True:
        for number, name in enumerate(names[:count]):
            file = (folder / f"st3d-{os.getuid()}-gpu-{name.strip().replace('/', '-')}.lock").open("w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            _held.append(file)  # closed, and so unlocked, by the end of the process
            return number
        if not waiting:
            log.info("all %d GPUs are at work for others; waiting for one", count)
        waiting = True
        time.sleep(1)


def set_threads(count: int) -> None:
    """Fix the number of CPU threads and the order of every sum, so that equal inputs give equal bits."""
    import torch

    from st3d import native

    # cuBLAS is deterministic only with a fixed workspace; it reads this when it starts
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    native.set_threads(count)
    native.keep_memory()
    torch.set_num_threads(count)
    torch.backends.cudnn.allow_tf32 = False  # ten bits of a metre are a millimetre, and defects are no larger
    torch.set_deterministic_debug_mode(
        "error"
    )  # use_deterministic_algorithms is the same, but imports a compiler, 1.5 s
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # every kernel writes all that it allocates


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name on success and vanishes on an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp's 0600 would hide a result from the user's group
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in FULL:  # the system does not say which file
            raise OSError(f"{path}: not written, {os.strerror(error.errno).lower()}") from None
        raise


@contextlib.contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of all of `path` on success and vanishes on an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(Path(path).read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: expected JSON, found {error}; delete it and run again") from None


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    with atomic(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(content: Mapping[str, Any]) -> str:
    """A hash of settings: the same for equal content, whatever its order."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def provenance(settings: Mapping[str, Any], code: str) -> dict[str, Any]:
    """How an artefact was made: the version, the fingerprint of the code, the settings."""
    return {"st3d": __version__, "code": code, "format": FORMAT, "settings": dict(settings)}


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`: an orphaned job and its successor must not train the same model together."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("%s: another process is at work on this; waiting for it to end", path)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # the kernel drops the lock when the process ends, however it ends


def steps(items: Iterable[Any], what: str, total: int | None = None) -> Iterable[Any]:
    """`items`, `total` of them, with a progress bar where somebody watches a terminal."""
    from tqdm import tqdm

    return tqdm(items, desc=what, total=total, leave=False, disable=None)


class PeakMemory:
    """How far memory has grown at its peak since this object was made: of the GPU, or of this process."""

    def __init__(self, device: "torch.device") -> None:
        import torch

        from st3d import native

        self._cuda = torch.cuda if device.type == "cuda" else None
        if self._cuda:
            self._device = device
            self._cuda.reset_peak_memory_stats(device)
            self._before = self._cuda.memory_allocated(device)
        else:
            native.release_memory()  # what an earlier computation left would hide what this one takes
            Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak so far
            self._before = self._resident("VmRSS")

    def grown_gb(self) -> float:
        """Growth at the peak, in GB (1e9 bytes)."""
        peak = self._cuda.max_memory_allocated(self._device) if self._cuda else self._resident("VmHWM")
        return (peak - self._before) / 1e9

    @staticmethod
    def _resident(field: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))
