"""How seconds and memory of a forward pass and of a training step grow with n, k and d."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks import network
from benchmarks.measure import ROOT, THREADS, alternating
from st3d.evaluation.peak_memory import PeakMemory
from st3d.training.device import set_threads

BASE = {"n": 64_000, "k": 32, "d": 64}
STEPS = {"n": (16_000, 32_000, 64_000, 128_000), "k": (8, 16, 32, 64), "d": (16, 32, 64, 128, 256)}
REPEATS = 3


def measure(what: str, n: int, k: int, d: int) -> dict[str, float]:
    """Seconds and MB of one configuration, in this process."""
    set_threads(THREADS)
    prepare = {"forward": network.forward, "step": network.step}[what]
    prepare(2000, 8, d)()  # libraries start up
    call = prepare(n, k, d)
    memory = PeakMemory(torch.device("cpu"))
    call()
    grown = memory.grown_gb() * 1000
    return {"seconds": alternating({"call": call}, REPEATS)["call"], "memory_mb": grown}


def table() -> pd.DataFrame:
    """All configurations, each in a process of its own."""
    rows = []
    for letter, values in STEPS.items():
        for value in values:
            for what in ("forward", "step"):
                sizes = BASE | {letter: value}
                command = [sys.executable, "-m", "benchmarks.growth", what, *map(str, sizes.values())]
                found = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
                rows.append({"varied": letter, "what": what} | sizes | json.loads(found))
                logging.info("growth: %s", rows[-1])
    return pd.DataFrame(rows)


def exponents(table: pd.DataFrame) -> pd.DataFrame:
    """Slopes of log seconds and log memory over the log of what is varied: 1 is linear."""
    rows = []
    for (what, letter), part in table.groupby(["what", "varied"]):
        slopes = {
            column: float(np.polyfit(np.log(part[letter]), np.log(part[column]), 1)[0])
            for column in ("seconds", "memory_mb")
        }
        rows.append({"what": what, "varied": letter, "from": part[letter].min(), "to": part[letter].max()} | slopes)
    return pd.DataFrame(rows)


def plot(table: pd.DataFrame, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure((9, 5.2), layout="constrained")
    axes = figure.subplots(2, 3, sharey="row")
    for row, (column, unit) in enumerate((("seconds", "seconds"), ("memory_mb", "memory, MB"))):
        for axis, (letter, name) in zip(axes[row], (("n", "points n"), ("k", "neighbours k"), ("d", "width d"))):
            for what, colour in (("step", "#b2482b"), ("forward", "#2b6cb2")):
                part = table[(table["varied"] == letter) & (table["what"] == what)]
                axis.loglog(part[letter], part[column], "o-", color=colour, label=what)
                linear = part[column].iloc[0] * part[letter] / part[letter].iloc[0]
                axis.loglog(part[letter], linear, ":", color=colour, linewidth=1)
            axis.set_xticks(part[letter], [f"{value:,}" for value in part[letter]], minor=False)
            axis.minorticks_off()
            axis.set_xlabel(name)
            axis.grid(alpha=0.3)
        axes[row][0].set_ylabel(unit)
    axes[0][0].legend(frameon=False)
    figure.suptitle("A forward pass and a training step; dotted: linear growth from the first point", fontsize=10)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    name, *sizes = sys.argv[1:]
    sys.stdout.write(json.dumps(measure(name, *map(int, sizes))) + "\n")
