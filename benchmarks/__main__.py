"""`python -m benchmarks [NAME ...]`: all, or some of NAMES and growth.

Writes results/benchmarks.csv and results/growth.csv (the rows that were run replace earlier ones), and draws from them
docs/performance.md's tables and docs/growth.png.
"""

import datetime
import importlib
import logging
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch

from benchmarks.measure import ROOT, THREADS, machine_rates
from st3d.formats.atomic import write_csv
from st3d.training.device import set_threads

NAMES = (
    "network",
    "teacher",
    "points",
    "harmonic",
    "pro",
    "scans",
    "baselines",
    "extractors",
    "banks",
    "threads",
    "gpu",
)
RESULTS, PAGE, PLOT = ROOT / "results", ROOT / "docs/performance.md", ROOT / "docs/growth.png"


def main(names: list[str]) -> None:
    chosen = names or [*NAMES, "growth"]
    if unknown := set(chosen) - {*NAMES, "growth"}:
        raise SystemExit(f"benchmarks: expected names among {', '.join(NAMES)}, growth; found {', '.join(unknown)}")
    RESULTS.mkdir(exist_ok=True)
    page = PAGE.read_text()
    for name in chosen:
        if name != "growth":
            set_threads(THREADS)
            rows = [row.as_dict() for row in importlib.import_module(f"benchmarks.{name}").rows()]
            for row in rows:
                logging.info("%s", row)
            kernels = merged(RESULTS / "benchmarks.csv", pd.DataFrame(rows), ["kernel", "size"])
            page = replaced(page, "kernels", f"{machine()}\n\n{readable(kernels)}")
    if "growth" in chosen:
        from benchmarks import growth

        table = growth.table()
        write_csv(RESULTS / "growth.csv", table.to_dict("records"), list(table.columns))
        growth.plot(table, PLOT)
        slopes = growth.exponents(table).round(2)
        page = replaced(page, "growth", f"{machine()}\n\n{slopes.to_markdown(index=False)}")
    PAGE.write_text(page)


def merged(path: Path, new: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The table in `path` with rows of the same keys replaced; written back."""
    if path.exists() and len(new):
        old = pd.read_csv(path)
        known = set(map(tuple, new[keys].astype(str).to_numpy()))
        old = old[[tuple(row) not in known for row in old[keys].astype(str).to_numpy()]]
        new = pd.concat([old, new], ignore_index=True) if len(old) else new
    elif path.exists():
        return pd.read_csv(path)
    if len(new):
        write_csv(path, new.to_dict("records"), list(new.columns))
    return new


def machine() -> str:
    """One line: when, on what, with what."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"model name\s*: (.+)", text)
    model = found[1] if found else platform.machine()
    bandwidth, rate = machine_rates()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none available, none measured"
    return (
        f"{datetime.date.today()}, {model}, {THREADS} cores, Python {platform.python_version()},"
        f" torch {version('torch').partition('+')[0]}; a copy moves {bandwidth / 1e9:.0f} GB/s,"
        f" a float32 matrix product makes {rate / 1e9:.0f} GFLOP/s. GPU: {gpu}."
    )


def readable(table: pd.DataFrame) -> str:
    """The rows as Markdown."""

    def number(value: float, digits: int = 3) -> str:
        return "" if pd.isna(value) else f"{float(f'{value:.{digits}g}'):,g}"

    shown = pd.DataFrame(
        {
            "kernel, size": table["kernel"] + "; " + table["size"],
            "reference": table["reference"].fillna(""),
            "s": table["seconds"].map(number),
            "reference's s": table["reference_seconds"].map(number),
            "faster": table["ratio"].map(lambda value: number(value) and f"{number(value)} x"),
            "MB": table["memory_mb"].map(number),
            "reference's MB": table["reference_memory_mb"].map(number),
            "memory": table["memory_ratio"].map(lambda value: number(value, 2)),
            "wanted": table["wanted"],
            "floor, s": table["floor_seconds"].map(lambda value: number(value, 2)),
            "floor, MB moved": (table["floor_bytes"] / 1e6).map(number),
            "floor, GFLOP": (table["floor_operations"].astype(float) / 1e9).map(number),
            "remark": table["remark"].fillna(""),
        }
    )
    return shown.to_markdown(index=False, disable_numparse=True)


def replaced(page: str, name: str, text: str) -> str:
    """`page` with what stands between the marks of `name` replaced."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = page.partition(start)
    return f"{before}{start}\n{text}\n{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(sys.argv[1:])
