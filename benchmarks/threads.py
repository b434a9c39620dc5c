"""Training steps with one and with two threads, on idle cores and beside one busy process per core."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

import torch

from benchmarks import network, teacher
from benchmarks.measure import ROOT, Call, Row
from st3d.training.device import set_threads
from st3d.workflow.command_line import set_environment

N, K, D = 16_000, 16, 64
STEPS, REPEATS = 4, 3
BUSY = "while True: pass"


def seconds_per_step(threads: int) -> dict[str, float]:
    """Median seconds of a teacher's and of a student's step in this process."""
    found = {}
    for name, prepare in (
        ("teacher step", lambda: teacher.ours(N, K)),
        ("student step", lambda: network.step(N, K, D)),
    ):
        torch.manual_seed(0)
        call = prepare()
        set_threads(threads)  # `prepare` takes all cores
        call()
        found[name] = median(_seconds(call) for _ in range(STEPS))
    return found


def _seconds(call: Call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def in_a_job(threads: int) -> dict[str, float]:
    """`seconds_per_step` in a process of its own, with the environment of the command line's jobs."""
    command = [sys.executable, "-m", "benchmarks.threads", str(threads)]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


def rows() -> Iterator[Row]:
    set_environment()
    for state, count in (("idle cores", 0), ("a busy process per core", os.cpu_count() or 1)):
        busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
        try:
            runs = [(in_a_job(1), in_a_job(2)) for _ in range(REPEATS)]
        finally:
            for process in busy:
                process.kill()
                process.wait()
        for name in runs[0][0]:
            one, two = (min(run[threads][name] for run in runs) for threads in (0, 1))
            remark = f"minima of {REPEATS} runs; load average {os.getloadavg()[0]:.1f}"
            wanted = "no more than 10 % slower than one thread"
            yield Row(f"{name}, 2 threads", f"{state}; n {N:,} k {K} d {D}", two, wanted, "1 thread", one,
                      threads=2, remark=remark)  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(seconds_per_step(int(sys.argv[1]))) + "\n")
