"""Stage `scenes`: meshes placed at random and sampled on their surfaces, or point clouds, downsampled to points.

The teacher learns from these scenes.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from st3d.formats.point_clouds import random_rows, read_cloud
from st3d.formats.rgbd_fragments import read_fragment
from st3d.formats.shards import Cloud, write_shard
from st3d.kernels.geometry.rotation import euler_rotation
from st3d.kernels.geometry.surface_sampling import sample_surface
from st3d.kernels.points import farthest_points
from st3d.student_teacher.mesh_cache import MeshCache
from st3d.student_teacher.sources import Item, first_file, list_source

log = logging.getLogger("st3d")

SPLITS = {"train": 0, "validation": 1}  # number in the random streams
FILE_ORDER = 2  # number of the random stream that orders the files
CACHE_BYTES = 512 * 2**20  # of meshes kept in memory: ModelNet10's largest take 50 MB


def scenes(
    *,
    source: list[Path],
    origin: str,
    split: Literal["train", "validation"],
    part: int,
    parts: int,
    clouds: int,
    objects: int,
    half_width: float,
    points: int,
    dense_factor: float,
    validation_share: float,
    seed: int,
    output: Path,
    code: str,
) -> None:
    """Make one part of a split's scenes: several meshes placed at random, or one point cloud, downsampled to points.

    Parameters
    ----------
    source
        Folders, all with meshes (.off, .obj, .stl, .ply with faces) or all with point clouds (.bin, .npy, .pcd, .xyz,
        .ply without faces, ITODD's *_x.tif with y and z, 3DMatch's *.depth.png with poses), at any depth. Below folders
        named train and test, as in ModelNet10, training takes the first and validation the second; elsewhere see
        `validation_share`.
    origin
        Where to get what is not there; empty for a user's own folder.
    split
        Which scenes: train or validation.
    part
        Number of this part, from 0: it makes the scenes whose number is `part` modulo `parts`.
    parts
        Number of parts that the split is spread over.
    clouds
        Scenes in the whole split.
    objects
        Meshes in a scene; a scene of a point cloud is one cloud.
    half_width
        Object centres lie in [-half_width, half_width]^3; the unit is an object's longest bounding box side.
        Point clouds stay where they are, in their own unit.
    points
        Points kept of a scene by farthest point sampling; a cloud with fewer keeps all.
    dense_factor
        Points sampled on the surfaces, or at most drawn from a cloud, per point kept, 1 or more.
    validation_share
        Fraction of the files kept for validation, where a folder has no train and test folders.
    seed
        Of the random streams; scene 37 is the same in any part.
    output
        Shard (HDF5) to write.
    code
        Fingerprint of this stage's source, kept in the shard.

    Raises
    ------
    ValueError
        One line: a number is out of its range, or the folder or file at fault.
    """
    if not 0 <= part < parts:
        raise ValueError(f"part: expected a number from 0 to {parts - 1}, found {part}")
    if dense_factor < 1:
        raise ValueError(f"dense_factor: expected 1 or more, found {dense_factor}")
    kind, files = list_source(source, split, validation_share, origin)
    meshes, cache = [first_file(item) for item in files], MeshCache(CACHE_BYTES)
    order = np.random.default_rng([seed, FILE_ORDER, SPLITS[split]]).permutation(len(files))
    numbers = range(part, clouds, parts)

    def sampled(number: int) -> np.ndarray:
        rng = np.random.default_rng([seed, SPLITS[split], number])
        if kind == "clouds":
            return cloud_scene(files[order[number % len(files)]], points, dense_factor, rng)
        dense = scene(meshes, cache, objects, half_width, round(dense_factor * points), rng)
        return dense[farthest_points(dense, points)]

    def sampled_clouds() -> Iterator[Cloud]:
        for done, number in enumerate(numbers, 1):
            yield Cloud(sampled(number))
            log.info("scenes %d/%d %s", done, len(numbers), split)

    settings = {
        "split": split, "part": part, "parts": parts, "clouds": clouds, "objects": objects, "half_width": half_width,
        "points": points, "dense_factor": dense_factor, "validation_share": validation_share, "seed": seed,
        "files": len(files),
    }  # fmt: skip
    write_shard(output, sampled_clouds(), settings=settings, code=code)


def cloud_scene(item: Item, points: int, dense_factor: float, rng: np.random.Generator) -> np.ndarray:
    """A farthest point sample of one point cloud, from a random first point.

    Parameters
    ----------
    item
        The file, or the depth images of a fragment.
    points
        Points to keep; a cloud with fewer keeps all.
    dense_factor
        A cloud of more than dense_factor * points points is reduced at random to so many before.
    rng
        Random generator.

    Returns
    -------
    (p, 3) float32, in the file's unit, p <= points.
    """
    dense_count = round(dense_factor * points)
    dense = (
        read_cloud(item, dense_count, rng)
        if isinstance(item, Path)
        else random_rows(read_fragment(item), dense_count, rng)
    )
    first = int(rng.integers(len(dense)))
    return dense[farthest_points(dense, min(points, len(dense)), first)]


def scene(
    files: Sequence[Path], cache: "MeshCache", objects: int, half_width: float, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Points on the surfaces of random meshes, placed at random: uniform by area over all surfaces of the scene.

    Parameters
    ----------
    files
        Meshes to choose from.
    cache
        Through which they are read.
    objects
        Meshes to place; a mesh comes twice only where there are fewer files.
    half_width
        Their centres lie in [-half_width, half_width]^3.
    count
        Points to sample.
    rng
        Random generator.

    Returns
    -------
    (count, 3) float32; the unit is a mesh's longest bounding box side.
    """
    chosen = rng.choice(len(files), objects, replace=objects > len(files))
    corners = np.concatenate([placed(cache.corners(files[index]), half_width, rng) for index in chosen])
    points, _ = sample_surface(corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3), count, rng)
    return points.astype(np.float32)


def placed(corners: np.ndarray, half_width: float, rng: np.random.Generator) -> np.ndarray:
    """A mesh scaled to a longest bounding box side of 1, rotated about x, y and z by random angles, and moved.

    Parameters
    ----------
    corners
        (t, 3, 3) float, corners of its triangles, any one length unit.
    half_width
        Its centre goes into [-half_width, half_width]^3.
    rng
        Random generator; 6 numbers are drawn from it.

    Returns
    -------
    (t, 3, 3) float64; the unit is the mesh's longest bounding box side
    """
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    unit = (corners - (low + high) / 2) / (high - low).max()
    rotation = euler_rotation("xyz", rng.uniform(0, 2 * np.pi, 3))
    return unit @ rotation.T + rng.uniform(-half_width, half_width, 3)
