"""The peak of the memory that a computation takes."""

import resource
import sys
from pathlib import Path

import torch

from st3d.kernels import native

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")  # Linux


class PeakMemory:
    """How far memory has grown at its peak since this object was made: of the GPU, or of this process.

    On Linux the process's peak is reset first. Elsewhere it is that of the process's whole life, so growth below an
    earlier peak is not seen and 0 is a lower bound.

    Parameters
    ----------
    device
        Whose memory: a GPU's, or this process's for a CPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = torch.cuda if device.type == "cuda" else None
        if self._cuda:
            self._device = device
            self._cuda.reset_peak_memory_stats(device)
            self._before = self._cuda.memory_allocated(device)
        else:
            native.release_memory()  # memory kept from before would hide a growth
            self._resets = CLEAR.exists()
            if self._resets:
                CLEAR.write_text("5")  # reset the peak
            self._before = _status("VmRSS") if self._resets else _life_peak()

    def grown_gb(self) -> float:
        """Growth at the peak since this object was made, in GB (1e9 bytes)."""
        if self._cuda:
            peak = self._cuda.max_memory_allocated(self._device)
        else:
            peak = _status("VmHWM") if self._resets else _life_peak()
        return (peak - self._before) / 1e9


def _status(field: str) -> int:
    """A field of Linux's process status, bytes."""
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def _life_peak() -> int:
    """The largest resident size of this process so far, bytes; macOS counts bytes, other systems KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
