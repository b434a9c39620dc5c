"""What the paper measures on a GPU: inference, a training step, its memory, and the fill; no rows without a GPU."""

import time
from collections.abc import Iterator
from statistics import median

import numpy as np
import torch

from benchmarks.harmonic import cases
from benchmarks.measure import Call, Row, surface
from benchmarks.network import D, K, N
from st3d import harmonic_torch, runtime
from st3d.inputs import scaled
from st3d.losses import regression
from st3d.models import Pair
from st3d.network import DescriptorNetwork
from st3d.optimizer import Adam
from st3d.points import neighbours

REPEATS = 20


def rows() -> Iterator[Row]:
    if not torch.cuda.is_available():
        return
    device = torch.device("cuda")
    points = surface(N)
    graph = scaled(points, neighbours(points, K), 1.0, device)
    teacher, student = (DescriptorNetwork(D).to(device) for _ in range(2))
    pair = Pair(teacher, student, torch.zeros(D, device=device), torch.ones(D, device=device), 1.0, N, K, 0)
    size = f"n {N:,} k {K} d {D}"
    seconds, memory = measured(lambda: pair.scores(graph))
    yield Row("GPU: student and teacher inference", size, seconds, "<= 3 ms on an H200", memory_mb=memory)

    optimizer = Adam(student.parameters(), 1e-3, 1e-5)
    target = torch.zeros(N, D, device=device)

    def step() -> None:
        optimizer.zero_grad()
        regression(student.describe(graph), target).backward()
        optimizer.step()

    seconds, memory = measured(step)
    wanted = "<= 5 ms and 600 MB on an H200 (paper: 5,890 MB)"
    yield Row("GPU: student training step", size, seconds, wanted, memory_mb=memory)
    for name, values, known in cases():
        on_gpu = [torch.from_numpy(np.ascontiguousarray(each)).to(device) for each in (values, known)]
        seconds, memory = measured(lambda given=on_gpu: harmonic_torch.fill(*given))
        yield Row(f"GPU: harmonic fill, {name}", "800 x 800", seconds, "<= 15 ms on an H200", memory_mb=memory)


def measured(call: Call) -> tuple[float, float]:
    """Median seconds, and MB at the peak of the second call (the first one compiles)."""
    call()
    memory = runtime.PeakMemory(torch.device("cuda"))
    call()
    torch.cuda.synchronize()
    grown = memory.grown_gb() * 1000
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return median(seconds), grown
