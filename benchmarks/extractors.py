"""Other feature extractors at the paper's sizes: PPF-FoldNet's features and network, FCGF, FPFH."""

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.measure import Call, Row, alternating, peak_mb
from benchmarks.network import graph
from st3d.extractors.fcgf.network import CHANNELS, FCGF
from st3d.extractors.point_features import fpfh, normals
from st3d.extractors.ppf_foldnet.network import PPFFoldNet, patch_features
from st3d.kernels.graph import Graph

N, K = 64_000, 32
PATCHES, M = 1000, 1024
REPEATS = 3


def rows() -> Iterator[Row]:
    seconds = alternating({"features": features()}, REPEATS)["features"]
    yield Row(
        "point pair features", f"{PATCHES} patches of {M} points, n {N:,}", seconds, "<= 5 s",
        memory_mb=peak_mb(features, 3000), floor_bytes=12 * N + 16 * PATCHES * M, remark="with normals and search",
    )  # fmt: skip
    seconds = alternating({"foldnet": foldnet()}, 1)["foldnet"]
    # 448 inputs of fc1 alone: what all points of a patch share is multiplied once
    products = 4 * 64 + 64 * 128 + 128 * 256 + 448 * 1024 + 1024 * 512
    yield Row(
        "PPF-FoldNet", f"{PATCHES} patches of {M} points, n {N:,}", seconds, "-", memory_mb=peak_mb(foldnet, 3000),
        floor_bytes=12 * N + 16 * PATCHES * M, floor_operations=2 * PATCHES * M * products,
        remark="features and network",
    )  # fmt: skip
    for name, call in (("n voxels", one_each), ("an eighth as many voxels", eight_each)):
        seconds = alternating({"fcgf": call()}, REPEATS)["fcgf"]
        yield Row(
            "FCGF", f"n {N:,} in {name}", seconds, "<= 20 s, <= 4,000 MB", memory_mb=peak_mb(call, 3000),
            floor_bytes=4 * (3 + CHANNELS[0]) * N,
        )  # fmt: skip
    seconds = alternating({"fpfh": histograms()}, 1)["fpfh"]
    yield Row(
        "FPFH", f"n {N:,}, 100 neighbours", seconds, "-", floor_bytes=4 * (3 + 33) * N, remark="by Open3D, all cores"
    )


def cloud(n: int) -> Graph:
    return graph(n, K)


def features(n: int = N) -> Call:
    """Of the first points, with their normals and the search for neighbours."""
    whole, chosen = cloud(n), np.arange(min(PATCHES, n // 3))
    points, near = whole.points.numpy(), whole.neighbours.numpy()
    return lambda: patch_features(points, near, chosen, M)


def foldnet(n: int = N) -> Call:
    whole, network = cloud(n), PPFFoldNet(M, PATCHES).eval()
    return lambda: network.extract(whole, np.arange(min(PATCHES, n // 30)))


def one_each(n: int = N) -> Call:
    """Every point in a voxel of its own, on a wavy surface."""
    side = int(n**0.5) + 1
    row, column = np.divmod(np.arange(n), side)
    height = np.floor(side / 20 * np.sin(9 * row / side) * np.cos(7 * column / side))
    return fcgf_call(np.column_stack([row, column, height]) + 0.5, 1.0)


def eight_each(n: int = N) -> Call:
    """Eight points or so to a voxel."""
    return fcgf_call(cloud(n).points.numpy(), 8**0.5)


def fcgf_call(points: np.ndarray, voxel: float) -> Call:
    network = FCGF(voxel, 32, 7).eval()
    tensor = torch.from_numpy(points.astype(np.float32))
    return torch.no_grad()(lambda: network(tensor))


def histograms(n: int = N) -> Call:
    whole = cloud(n)
    points, near = whole.points.numpy(), whole.neighbours.numpy()
    return lambda: fpfh(points, 100, normals(points, near))
