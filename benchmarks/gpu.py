"""What the paper measures on a GPU: inference, training steps, and their memory; no rows without a GPU."""

import time
from collections.abc import Iterator
from statistics import median

import numpy as np
import torch

from benchmarks.measure import Call, Row, surface
from benchmarks.network import D, K, N
from benchmarks.teacher import DECODED, FIELDS
from st3d.evaluation.peak_memory import PeakMemory
from st3d.kernels.points import neighbours
from st3d.student_teacher.losses import regression
from st3d.student_teacher.network import Decoder, DescriptorNetwork
from st3d.student_teacher.pair import Pair
from st3d.student_teacher.teacher import draw_task, reconstruction_loss
from st3d.training.inputs import scaled
from st3d.training.optimizer import Adam

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
        regression(student.extract(graph), target).backward()
        optimizer.step()

    seconds, memory = measured(step)
    wanted = "<= 5 ms and 600 MB on an H200 (paper: 5,890 MB)"
    yield Row("GPU: student training step", size, seconds, wanted, memory_mb=memory)

    decoder = Decoder(D, DECODED).to(device)
    both = Adam([*student.parameters(), *decoder.parameters()], 1e-3, 1e-6)

    def teacher_step() -> None:
        both.zero_grad()
        task = draw_task(graph, student.hops, FIELDS, np.random.default_rng(0))
        reconstruction_loss(student, decoder, task).backward()
        both.step()

    seconds, memory = measured(teacher_step)
    yield Row(f"GPU: teacher step, {FIELDS} receptive fields drawn", size, seconds, "-", memory_mb=memory)


def measured(call: Call) -> tuple[float, float]:
    """Median seconds, and MB at the peak of the second call (the first one compiles)."""
    call()
    memory = PeakMemory(torch.device("cuda"))
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
