"""Farthest point sampling beside Open3D; neighbours beside scipy."""

import time
from collections.abc import Iterator

import numpy as np
from reference_points import farthest_points as greedy
from scipy.spatial import cKDTree

from benchmarks.measure import Row, alternating, surface
from st3d.kernels.open3d_library import open3d_module
from st3d.kernels.points import farthest_points, neighbours

DENSE, KEPT, CHECKED = 240_000, 64_000, 2_000
N, K = 64_000, 32


def rows() -> Iterator[Row]:
    yield farthest()
    points = surface(N)
    calls = {
        "ours": lambda: neighbours(points, K),
        "reference": lambda: cKDTree(points).query(points, K + 1, workers=2),
    }
    seconds = alternating(calls, 7)
    yield Row(
        "neighbours",
        f"n {N:,} k {K}",
        seconds["ours"],
        "1.0 x or better",
        "scipy cKDTree, workers=2, the point itself still in",
        seconds["reference"],
        floor_bytes=N * (12 + 8 * K),
        floor_operations=N * (K + 1) * 8,
    )


def farthest() -> Row:
    points = surface(DENSE).astype(np.float64)
    open3d = open3d_module()
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))
    seconds = alternating({"ours": lambda: farthest_points(points, KEPT)}, 3)["ours"]
    start = time.perf_counter()
    cloud.farthest_point_down_sample(KEPT)  # once: it takes minutes
    reference = time.perf_counter() - start
    same = np.array_equal(farthest_points(points, KEPT)[:CHECKED], greedy(points, CHECKED))
    return Row(
        "farthest point sampling",
        f"{DENSE:,} to {KEPT:,}",
        seconds,
        "25 x faster, the greedy order",
        "Open3D farthest_point_down_sample, once",
        reference,
        floor_bytes=DENSE * 24 + KEPT * 8,
        floor_operations=8 * DENSE * np.log2(KEPT),
        threads=1,
        remark=f"first {CHECKED:,} {'equal' if same else 'DIFFER FROM'} the greedy loop's",
    )
