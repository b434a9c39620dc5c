"""The peak of the memory that a computation takes."""

from pathlib import Path

import torch

from st3d.kernels import native


class PeakMemory:
    """How far memory has grown at its peak since this object was made: of the GPU, or of this process."""

    def __init__(self, device: torch.device) -> None:
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
