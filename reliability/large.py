"""`python -m reliability large`: a category larger than memory, through downsampling, graph and a training epoch.

The scans are links to a few files that are made here; each link is read by itself. A job's peak of memory stands in the
last line of its log.
"""

import argparse
import logging
import os
import re
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

from reliability.chaos.study import Study

log = logging.getLogger("reliability")
LIMIT = 6000  # MB
FILES = 4  # that the links point to
STAGES = ("downsampling", "graph", "scale", "student")


def main(arguments: list[str]) -> int:
    """Run it; 1 if a stage needs more memory than there may be."""
    parser = argparse.ArgumentParser(prog="python -m reliability large")
    parser.add_argument("--scans", type=int, default=2000, help="training scans of the category")
    parser.add_argument("--side", type=int, default=800, help="of a scan, pixels")
    parser.add_argument("--points", type=int, default=1000, help="kept of a scan; the paper's are 64000")
    parser.add_argument("--folder", type=Path, help="where the study lies; without, a temporary one")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="st3d-large-", ignore_cleanup_errors=True) as temporary:
        folder = (chosen.folder or Path(temporary)).resolve()
        size = linked_category(folder / "scans" / "part", chosen.scans, chosen.side)
        log.info("%d scans of %d x %d, %.1f GB as they are read", chosen.scans, chosen.side, chosen.side, size / 1e9)
        peaks, seconds = peaks_of_stages(folder, chosen.points)
    for stage, peak in peaks.items():
        log.info("%s: %d MB at the peak of its largest job", stage, peak)
    log.info("one epoch of %d steps, all in %.0f s", chosen.scans, seconds)
    return int(max(peaks.values()) > LIMIT)


def linked_category(category: Path, scans: int, side: int) -> int:
    """A category of `scans` training scans and two for validation, as links to a few files; bytes that are read."""
    rng = np.random.default_rng(0)
    (category.parent / "files").mkdir(parents=True, exist_ok=True)
    files = []
    for number in range(FILES):
        path = category.parent / "files" / f"{number}.tiff"
        tifffile.imwrite(path, scan(rng, side), photometric="rgb")
        files.append(path)
    for split, count in (("train", scans), ("validation", 2)):
        folder = category / split / "good" / "xyz"
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            link = folder / f"{number:05d}.tiff"
            if not link.is_symlink():
                link.symlink_to(os.path.relpath(files[number % FILES], folder))
    return scans * files[0].stat().st_size


def scan(rng: np.random.Generator, side: int) -> np.ndarray:
    """A wavy plane 0.5 m away with noise and missing pixels: (side, side, 3) float32, metres."""
    row, column = np.mgrid[:side, :side] / side
    height = 0.5 + 0.01 * np.sin(9 * row + rng.uniform(0, 6)) * np.cos(7 * column + rng.uniform(0, 6))
    xyz = np.stack([0.1 * (column - 0.5), 0.1 * (row - 0.5), height + rng.normal(0, 1e-5, row.shape)], axis=2)
    xyz[rng.random(row.shape) < 0.1] = 0
    return xyz.astype(np.float32)


def peaks_of_stages(folder: Path, points: int) -> tuple[dict[str, int], float]:
    """MB at the peak of each stage's largest job, and the seconds of all."""
    config = [
        f"dataset={folder / 'scans'}",
        "categories=[part]",
        f"scenes={{points: {points}}}",
        f"downsampling={{points: {points}}}",
        f"graph={{points: {points}, neighbours: 32}}",
        "teacher={weights: pretrained}",
        "network={width: 64, blocks: 4}",
        "student={epochs: 1}",
        "run_variants=[base]",
    ]
    study = Study(folder, ["results/student/base/part/student.pt"], config=config)
    started = time.monotonic()
    if study.run(seconds=100_000):
        raise SystemExit(study.said())
    seconds = time.monotonic() - started
    peaks = {}
    for stage in STAGES:
        words = [path.read_text() for path in (study.results / stage).rglob("*.log")]
        found = [int(size) for text in words for size in re.findall(r"of CPU, (\d+) MB", text)]
        peaks[stage] = max(found, default=0)
    return peaks, seconds
