"""The device and the threads of a job."""

import fcntl
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

log = logging.getLogger("st3d")

Device = Literal["auto", "cpu", "cuda"]
_held: list[IO[str]] = []  # locks that last as long as the process


def choose_device(choice: Device, *, alone: bool = True) -> "torch.device":
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

    from st3d.kernels import native

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
