"""Seconds in alternation, peak memory in a process of its own, and what the machine could do at best."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np
import torch

from st3d.kernels import native
from st3d.training.device import set_threads

ROOT = Path(__file__).parent.parent
THREADS = os.cpu_count() or 1

Call = Callable[[], object]


@dataclass
class Row:
    """One kernel at one size. Seconds are medians, memory is the growth at the peak; None where not asked for."""

    kernel: str
    size: str
    seconds: float
    wanted: str  # the target
    reference: str = ""
    reference_seconds: float | None = None
    memory_mb: float | None = None
    reference_memory_mb: float | None = None
    floor_bytes: float | None = None  # that must be read or written at least once
    floor_operations: float | None = None  # additions and multiplications
    threads: int = THREADS
    remark: str = ""
    ratio: float | None = field(init=False, default=None)
    memory_ratio: float | None = field(init=False, default=None)
    floor_seconds: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.reference_seconds:
            self.ratio = self.reference_seconds / self.seconds
        if self.memory_mb is not None and self.reference_memory_mb:
            self.memory_ratio = self.memory_mb / self.reference_memory_mb
        if self.floor_bytes is not None:
            bandwidth, rate = machine_rates()
            used_cores = self.threads / THREADS
            self.floor_seconds = max(self.floor_bytes / bandwidth, (self.floor_operations or 0) / (rate * used_cores))

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def alternating(calls: dict[str, Call], repeats: int) -> dict[str, float]:
    """Median seconds of each call, run in turn, `repeats` times after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for round_ in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if round_:
                seconds[name].append(time.perf_counter() - start)
    return {name: median(each) for name, each in seconds.items()}


def peak_mb(function: Callable[..., Call], *small: int) -> float:
    """Growth of memory at its peak, in MB, during the call that `function()` prepares, in a new process.

    `function(*small)`, if sizes are given, is prepared and called before: the start of libraries does not count.
    """
    command = [sys.executable, "-m", "benchmarks.peak", function.__module__, function.__name__, *map(str, small)]
    found = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(found.stdout.splitlines()[-1])


@cache
def machine_rates() -> tuple[float, float]:
    """Bytes per second of a copy (read and written) and float32 operations per second of a matrix product."""
    before = native.threads()
    set_threads(THREADS)
    source, target = torch.ones(64 * 2**20), torch.empty(64 * 2**20)
    copy = alternating({"copy": lambda: target.copy_(source)}, 5)["copy"]
    square = torch.ones(2048, 2048)
    product = alternating({"product": lambda: square @ square}, 5)["product"]
    set_threads(before)
    return 2 * source.nbytes / copy, 2 * 2048**3 / product


def surface(n: int, seed: int = 0) -> np.ndarray:
    """n points (n, 3) float32 on a wavy surface of about unit spacing."""
    rng = np.random.default_rng(seed)
    side = n**0.5
    plane = rng.uniform(0, side, (n, 2))
    height = 0.05 * side * np.sin(9 * plane[:, 0] / side) * np.cos(7 * plane[:, 1] / side)
    return np.column_stack([plane, height]).astype(np.float32)
