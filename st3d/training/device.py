"""The device, the threads and the arithmetic of a job."""

import fcntl
import logging
import os
import stat
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from st3d.kernels import native

if TYPE_CHECKING:
    import torch

log = logging.getLogger("st3d")

Device = Literal["auto", "cpu", "cuda"]
WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_locks: dict[Path, int] = {}  # of the GPUs that this process has, open as long as it runs


def choose_device(choice: Device, *, alone: bool = True) -> "torch.device":
    """The device of a job.

    Parameters
    ----------
    choice
        cpu, cuda, or auto: a GPU if there is one.
    alone
        Lock a GPU for this process, and wait until one is free; one that it has locked before serves again. In a job of
        Slurm that sees a single one nothing is locked: who else may use it, or a part of it, is for Slurm to say.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If `choice` is cuda and there is no GPU.
    """
    import torch

    if choice == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: expected a CUDA device, found none; choose auto or cpu (--device, or runtime.device)")
    if choice == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    if not alone or (torch.cuda.device_count() == 1 and "SLURM_JOB_ID" in os.environ):  # Slurm has handed it out
        return torch.device("cuda")
    # by UUID: a job of a cluster may see its own GPU alone, as number 0
    names = [str(torch.cuda.get_device_properties(number).uuid) for number in range(torch.cuda.device_count())]
    return torch.device("cuda", free_gpu(names, lock_folder()))


def lock_folder(parent: Path | None = None) -> Path:
    """This user's folder for locks, made if missing.

    Parameters
    ----------
    parent
        Where it lies; None: the system's folder for temporary files.

    Returns
    -------
    The folder

    Raises
    ------
    OSError
        If another user made it, or could write into it.
    """
    folder = (parent or Path(tempfile.gettempdir())) / f"st3d-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise OSError(f"{folder}: expected a folder that only you can write to, found another; remove it or set TMPDIR")
    return folder


def free_gpu(names: Sequence[str], folder: Path) -> int:
    """Lock one of the GPUs until this process ends, waiting while all are locked.

    Snakemake counts GPU jobs but does not assign GPUs, and runs in other folders use the same GPUs.

    Parameters
    ----------
    names
        What tells the GPUs apart on this machine: UUIDs.
    folder
        Where the locks are; of this user alone.

    Returns
    -------
    int
        The place in `names` of the GPU that is now locked.
    """
    waiting = False
    while True:
        for number, name in enumerate(names):
            path = folder / f"gpu-{name}.lock"
            if path in _locks:  # by an earlier job of this process
                return number
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            _locks[path] = lock
            return number
        if not waiting:
            log.info("all %d GPUs are in use by other jobs; waiting for one", len(names))
        waiting = True
        time.sleep(1)


def cores() -> int:
    """CPU cores that this process may use.

    Returns
    -------
    int, 1 or more
    """
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def set_threads(count: int) -> None:
    """Fix the number of CPU threads and the order of every sum in this process, so that equal inputs give equal bits.

    For jobs of the command line, which own their process; a library uses `reproducible`.

    Parameters
    ----------
    count
        CPU threads, 1 or more.

    Raises
    ------
    ValueError
        If it is less.
    """
    if not _lent:
        native.keep_memory()
    _fix_arithmetic(count)


_one_at_a_time = threading.RLock()  # of `reproducible`: these settings belong to the process
_lent = False  # whether a user's program has lent its process to a stage, which then leaves its memory allocator alone


@contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """The arithmetic of `set_threads` inside a `with` block; afterwards all is as it was, random numbers included.

    Blocks in several threads of one process run one after the other.

    Parameters
    ----------
    threads
        CPU threads, 1 or more.

    Raises
    ------
    ValueError
        If `threads` is less.
    """
    import torch

    global _lent
    with _one_at_a_time, _fixed_arithmetic(threads), torch.random.fork_rng(devices=[]):
        before, _lent = _lent, True
        try:
            yield
        finally:
            _lent = before


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one CPU thread inside a `with` block, for what is small and would add up in another order with more.

    Products of a few rows and convolutions are split among threads within a sum; products of many rows are not.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _fixed_arithmetic(threads: int) -> Iterator[None]:
    """`_fix_arithmetic` inside a `with` block."""
    import torch

    workspace, mode = os.environ.get(WORKSPACE), torch.get_deterministic_debug_mode()
    counts = native.threads(), torch.get_num_threads()
    tf32, fills = torch.backends.cudnn.allow_tf32, torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    try:
        _fix_arithmetic(threads)
        yield
    finally:
        if workspace is None:
            os.environ.pop(WORKSPACE, None)
        native.set_threads(counts[0])
        torch.set_num_threads(counts[1])
        torch.backends.cudnn.allow_tf32 = tf32
        torch.set_deterministic_debug_mode(mode)
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]


def _fix_arithmetic(threads: int) -> None:
    """Deterministic operations without TF32, on `threads` CPU threads."""
    import torch

    os.environ.setdefault(WORKSPACE, ":4096:8")  # cuBLAS is deterministic only with a fixed workspace
    native.set_threads(threads)
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False  # TF32 keeps 10 mantissa bits: 1 mm at 1 m
    # use_deterministic_algorithms does the same, but imports a compiler, 1.5 s
    torch.set_deterministic_debug_mode("error")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # every kernel fills its outputs
