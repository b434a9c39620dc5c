"""Memory banks: nearest rows and coreset beside matrix products and plain steps, the largest part beside Open3D."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from benchmarks.measure import THREADS, Call, Row, alternating, peak_mb, surface
from st3d.extractors.point_features import fpfh, normals
from st3d.kernels.coreset import coreset
from st3d.kernels.geometry.parts import largest_part
from st3d.kernels.nearest_rows import NearestRows, nearest_rows
from st3d.kernels.open3d_library import open3d_module
from st3d.kernels.points import neighbours

ROWS, QUERIES, NUMBERS = 100_000, 64_000, 33
CLOUD = 50_000  # points of a cloud that descriptors are of
CHOSEN = 2_000
BLOCK = 64  # queries whose products with the bank are kept at once: 25 MB


def descriptors(count: int, seed: int) -> Tensor:
    """`count` fast point feature histograms of rough surfaces: they vary along few directions, as those of scans do."""
    found = []
    for cloud in range(-(-count // CLOUD)):
        points = surface(CLOUD, 100 * seed + cloud).astype(np.float64)
        points[:, 2] += 0.1 * np.random.default_rng(seed).standard_normal(len(points))
        found.append(fpfh(points, 60, normals(points, neighbours(points, 16))))
    return torch.from_numpy(np.concatenate(found)[:count])


def by_products(queries: Tensor, bank: Tensor) -> tuple[Tensor, Tensor]:
    """Distances and rows of the nearest: matrix products in blocks, and the least of each line."""
    squared = bank.square().sum(dim=1)
    row = np.concatenate([(squared - 2 * block @ bank.T).numpy().argmin(axis=1) for block in queries.split(BLOCK)])
    nearest = torch.from_numpy(row)
    return torch.linalg.vector_norm(queries - bank[nearest], dim=1), nearest


def by_steps(rows: Tensor, count: int) -> Tensor:
    """The greedy coreset: all distances to each new row."""
    chosen, least = [0], torch.full((len(rows),), torch.inf)
    while len(chosen) < count:
        least = torch.minimum(least, (rows - rows[chosen[-1]]).square().sum(dim=1))
        chosen.append(int(least.argmax()))
    return torch.tensor(chosen)


def by_open3d(points: np.ndarray, radius: float, least: int) -> np.ndarray:
    """Which points are in the largest cluster."""
    open3d = open3d_module()
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))
    labels = np.asarray(cloud.cluster_dbscan(radius, least))
    return labels == np.bincount(labels[labels >= 0]).argmax()


def part(count: int = 23_000) -> tuple[np.ndarray, float, int]:
    """A cloud as dense as an object of a real scan: a thousand neighbours within the radius."""
    return surface(count).astype(np.float64), 18.0, 30


def search(rows: int = ROWS, queries: int = QUERIES) -> Call:
    bank, own = descriptors(rows, 1), descriptors(queries, 2)
    return lambda: nearest_rows(own, bank)


def plain_search(rows: int = ROWS, queries: int = QUERIES) -> Call:
    bank, own = descriptors(rows, 1), descriptors(queries, 2)
    return lambda: by_products(own, bank)


def rows() -> Iterator[Row]:
    bank, own = descriptors(ROWS, 1), descriptors(QUERIES, 2)
    prepared = NearestRows(bank)
    calls = {"ours": lambda: prepared(own), "reference": lambda: by_products(own, bank)}
    off = float((calls["ours"]().distance[:, 0] - calls["reference"]()[0]).max())
    seconds = alternating(calls, 3)
    yield Row(
        "nearest rows of a bank",
        f"{QUERIES:,} queries, {ROWS:,} x {NUMBERS}",
        seconds["ours"],
        "<= 1 s on two cores",
        f"matrix products of {BLOCK} queries, torch",
        seconds["reference"],
        peak_mb(search, 2000, 100),
        peak_mb(plain_search, 2000, 100),
        floor_bytes=(ROWS + QUERIES) * NUMBERS * 4,
        remark=f"bank prepared before; never farther than the reference's by more than {max(off, 0):.0e}",
    )
    calls = {"ours": lambda: coreset(bank, CHOSEN), "reference": lambda: by_steps(bank, CHOSEN)}
    seconds = alternating(calls, 1)
    yield Row(
        "coreset",
        f"{CHOSEN:,} of {ROWS:,} x {NUMBERS}",
        seconds["ours"],
        "5 x faster",
        "all distances at each step, torch",
        seconds["reference"],
        floor_bytes=ROWS * NUMBERS * 4,
        remark=f"on one core; the reference on {THREADS}",
    )
    points, radius, least = part()
    calls = {"ours": lambda: largest_part(points, radius, least), "reference": lambda: by_open3d(points, radius, least)}
    seconds = alternating(calls, 3)
    yield Row(
        "largest part of a cloud",
        f"{len(points):,} points, about 1,000 neighbours",
        seconds["ours"],
        "10 x faster",
        "Open3D cluster_dbscan",
        seconds["reference"],
        floor_bytes=len(points) * 24,
    )
