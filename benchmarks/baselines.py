"""The baselines' geometry at the paper's sizes: voxelising, projecting voxels' scores, rotation a scan."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.measure import Call, Row, alternating
from st3d.baselines.augmentation import rotate_scan
from st3d.kernels.geometry.camera import Camera
from st3d.kernels.geometry.plane import Plane
from st3d.kernels.geometry.voxel_grid import Grid, mean_colours, occupancy, to_pixels
from st3d.kernels.open3d_library import open3d_module
from st3d.training.device import set_threads

CELLS, REPEATS = 64, 5
PLANE = Plane((0.0, 0.0, -1.0), -0.65)


def rows() -> Iterator[Row]:
    set_threads(1)
    points, colours = valid_points(400)
    grid = Grid.around(points.min(axis=0), points.max(axis=0), CELLS)
    calls = {"ours": voxelised(points, colours, grid), "reference": open3d_voxels(points, colours, grid)}
    seconds = alternating(calls, REPEATS)
    yield Row(
        "voxelise a scan", f"400 x 400 with colours, {CELLS}^3", seconds["ours"], "<= 0.1 s on one core",
        reference="Open3D VoxelGrid.create_from_point_cloud", reference_seconds=seconds["reference"],
        floor_bytes=points.nbytes + colours.nbytes + 4 * 4 * CELLS**3, threads=1,
    )  # fmt: skip
    scores = np.random.default_rng(0).random((CELLS,) * 3, np.float32)
    seconds = alternating({"ours": projected(scores)}, REPEATS)
    yield Row(
        "voxels' scores to pixels", f"{CELLS}^3 to 800 x 800", seconds["ours"], "<= 1 s on one core",
        floor_bytes=scores.nbytes + 16 * (CELLS + 1) ** 3 + 4 * 800 * 800, threads=1,
    )  # fmt: skip
    yield Row(
        "rotate a scan", "800 x 800 with colours", alternating({"ours": rotation(800)}, REPEATS)["ours"], "-",
        floor_bytes=2 * 2 * 12 * 800 * 800, threads=1,
    )  # fmt: skip


def camera(side: int) -> Camera:
    """MVTec 3D-AD's, about."""
    middle = (side - 1) / 2
    return Camera(0.0103, -2205.0, 3.75e-6 * 400 / side, 3.75e-6 * 400 / side, middle, middle, side, side)


def scan(side: int) -> np.ndarray:
    """(side, side, 3) float32: a bumpy plate that fills the image, every pixel valid, metres."""
    rays = camera(side).rays()
    row, column = np.mgrid[:side, :side] / side
    return (rays * (0.65 - 0.02 * np.sin(9 * row) * np.cos(7 * column))[..., None]).astype(np.float32)


def valid_points(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and colours (n, 3)."""
    return scan(side).reshape(-1, 3), np.random.default_rng(0).random((side * side, 3), np.float32)


def voxelised(points: np.ndarray, colours: np.ndarray, grid: Grid) -> Call:
    def call() -> np.ndarray:
        return np.concatenate([occupancy(points, grid)[None], mean_colours(points, colours, grid)])

    return call


def open3d_voxels(points: np.ndarray, colours: np.ndarray, grid: Grid) -> Call:
    o3d = open3d_module()
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.astype(np.float64)))
    cloud.colors = o3d.utility.Vector3dVector(colours.astype(np.float64))

    def call() -> Any:
        return o3d.geometry.VoxelGrid.create_from_point_cloud(cloud, grid.side / grid.cells)

    return call


def projected(scores: np.ndarray) -> Call:
    """The grid fills the image, as a training set's bounding box does."""
    points, _ = valid_points(100)
    grid = Grid.around(points.min(axis=0), points.max(axis=0), CELLS)
    return lambda: to_pixels(scores, grid, camera(800))


def rotation(side: int) -> Call:
    whole, colours = scan(side), np.random.default_rng(0).random((side, side, 3), np.float32)
    return lambda: rotate_scan(whole, colours, camera(side), PLANE, np.array([0.0, 0.0, 0.65]), 5.0)
