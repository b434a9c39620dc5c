"""Whole stages at the paper's sizes: a scene, a scan to its shard, a scan to its map. No reference implementations."""

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
import torch

from benchmarks.measure import THREADS, Call, Row, alternating
from st3d.formats.scans import read_scan
from st3d.kernels.false_alarms import PixelThreshold, Threshold
from st3d.kernels.points import downsample_scan, mean_neighbour_distance
from st3d.simulation.furniture.furniture import furniture
from st3d.student_teacher.calibration import Model
from st3d.student_teacher.downsampling import downsampling
from st3d.student_teacher.graph import graph
from st3d.student_teacher.judging import judge
from st3d.student_teacher.likeness import Likeness
from st3d.student_teacher.network import DescriptorNetwork
from st3d.student_teacher.pair import Pair
from st3d.student_teacher.scenes import scenes
from st3d.training.device import set_threads

N, K, D, REPEATS = 64_000, 32, 64, 3


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        set_threads(1)
        seconds = alternating({"ours": scene(folder)}, REPEATS)["ours"]
        yield Row(
            "scene synthesis", f"10 meshes, dense, downsampled to n {N:,}, graph k {K}", seconds, "<= 8 s on one core",
            floor_bytes=4 * N * 24 + N * (12 + 2 * K), threads=1,
        )  # fmt: skip
        write_scan(folder / "part" / "train/good/xyz/000.tiff", 800)
        seconds = alternating({"ours": scan_to_shard(folder)}, REPEATS)["ours"]
        yield Row(
            "scan to shard", f"800 x 800: read, sample n {N:,}, graph k {K}, write", seconds, "<= 5 s on one core",
            floor_bytes=800 * 800 * 12 + N * (12 + 2 * K), threads=1,
        )  # fmt: skip
        set_threads(THREADS)
        write_scan(folder / "small.tiff", 400)
        seconds = alternating({"ours": inspection(folder / "small.tiff")}, REPEATS)["ours"]
        yield Row(
            "one scan judged, after start-up", f"400 x 400 scan to its map, n {N:,} k {K} d {D}", seconds, "< 4 s",
            floor_bytes=400 * 400 * 12,
        )  # fmt: skip


def write_scan(path: Path, side: int) -> None:
    """A bumpy plate, every pixel valid, in metres."""
    y, x = np.mgrid[:side, :side] / side
    height = 0.4 + 0.004 * np.sin(25 * x) * np.cos(18 * y) + np.random.default_rng(0).normal(0, 1e-5, (side, side))
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.stack([0.1 * x, 0.1 * y, height], axis=2).astype(np.float32))


def scene(folder: Path) -> Call:
    with contextlib.redirect_stderr(io.StringIO()):
        furniture(output=folder / "furniture", training=4, test=1, seed=1, code="")
    settings = {"split": "train", "part": 0, "parts": 1, "clouds": 1, "objects": 10, "half_width": 3.0, "points": N}
    settings |= {"dense_factor": 4.0, "validation_share": 0.1, "seed": 1, "code": ""}

    def call() -> None:
        scenes(origin="", source=[folder / "furniture"], output=folder / "scene.h5", **settings)
        graph(input=folder / "scene.h5", points=N, neighbours=K, output=folder / "scene_graph.h5", code="")

    return call


def scan_to_shard(folder: Path) -> Call:
    settings = {"category": "part", "split": "train", "part": 0, "parts": 1, "points": N}
    settings |= {"invalid": "refuse", "seed": 1, "code": ""}

    def call() -> None:
        downsampling(dataset=folder, output=folder / "downsampling.h5", **settings)
        graph(input=folder / "downsampling.h5", points=N, neighbours=K, output=folder / "graph.h5", code="")

    return call


def inspection(path: Path) -> Call:
    """Random weights cost what trained ones do."""
    networks = [DescriptorNetwork(D).requires_grad_(False) for _ in range(2)]
    scale = mean_neighbour_distance(downsample_scan(read_scan(path), N, 0)[0], K)
    pair = Pair(*networks, torch.zeros(D), torch.ones(D), scale, N, K, 0)
    pixel, likeness = PixelThreshold(1, 0.5, 0.5, 0.5), Likeness(np.zeros((2, 2 * D)), np.zeros((2, 3)), 0.0)
    model = Model(pair, "maximum", Threshold(1, 0.5, 0.5, False), pixel, likeness, ())
    return lambda: judge(model, read_scan(path), accept_unlike=True)
