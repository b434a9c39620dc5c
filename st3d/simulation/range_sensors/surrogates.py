"""Stage `surrogates`: simulated clouds of three sensors, so that the workflow can pretrain on their kinds of data."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from st3d.formats import folders
from st3d.formats.atomic import write_json
from st3d.formats.provenance import provenance
from st3d.simulation.range_sensors.room import room, walk
from st3d.simulation.range_sensors.sensors import Caster, depth_view, fused, lidar, stripes
from st3d.simulation.range_sensors.street import street
from st3d.simulation.range_sensors.workpieces import sensor, workpieces

log = logging.getLogger("st3d")

Source = Literal["simulated_kitti", "simulated_3dmatch", "simulated_itodd"]

RESOLUTIONS = (0.05, 1.0)
FRAGMENTS = 5  # of one room
FRAMES = 6  # fused into a fragment
VOXEL = 0.006  # of a fragment at resolution 1, metres, as in 3DMatch's
WORLD, SENSOR, ROOM = 0, 1, 2  # random streams


def surrogates(*, source: Source, output: Path, clouds: int, resolution: float, seed: int, code: str) -> None:
    """Simulate the clouds of one sensor, in the layout and format of the data set that it stands in for.

    Parameters
    ----------
    source : simulated_kitti (a spinning LiDAR in streets; sequences/00/velodyne/000000.bin, float32 x, y, z,
        reflectance), simulated_3dmatch (a depth camera in rooms; room_00/cloud_bin_0.ply) or simulated_itodd (stripe
        projection over machine parts; scene_000.ply); all in metres, in the sensor's frame
    output : folder of this source; an earlier one is replaced
    clouds : clouds to make
    resolution : share of the real sensor's steps along a side, 0.05 to 1: of the azimuths, of the image's sides
    seed : of the random streams; cloud 37 is the same whatever the number of clouds
    code : fingerprint of this stage's source, kept in complete.json
    """
    output = Path(output)
    if clouds < 1:
        raise ValueError(f"{output}: expected clouds of at least 1, found {clouds}")
    if seed < 0:
        raise ValueError(f"{output}: expected seed of at least 0, found {seed}")
    if not RESOLUTIONS[0] <= resolution <= RESOLUTIONS[1]:
        raise ValueError(f"{output}: expected a resolution from 0.05 to 1, found {resolution}")
    made = {"simulated_kitti": turns, "simulated_3dmatch": fragments, "simulated_itodd": heaps}[source]
    files, points = [], 0
    with folders.replaced(output) as partial:
        for name, cloud in made(clouds, resolution, seed):
            target = partial / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.suffix == ".bin":
                target.write_bytes(cloud.astype("<f4").tobytes())
            else:
                write_ply(target, cloud)
            files.append(name)
            points += len(cloud)
    log.info("%s: %d clouds, %d points each on average", output, len(files), points // len(files))
    settings = {"source": source, "clouds": clouds, "resolution": resolution, "seed": seed}
    about = {
        "simulated": f"ray-cast in made-up scenes by st3d; {source} is not a real data set",
        "files": sorted(files),
    }
    write_json(output / "complete.json", {**provenance(settings, code), **about})


def turns(clouds: int, resolution: float, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Names and points (n, 4) of a LiDAR's turns, each in a street of its own."""
    for index in range(clouds):
        caster = Caster(street(np.random.default_rng([seed, WORLD, index])))
        cloud = lidar(caster, resolution, np.random.default_rng([seed, SENSOR, index]))
        yield f"sequences/00/velodyne/{index:06d}.bin", cloud


def fragments(clouds: int, resolution: float, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Names and points (n, 3) of fragments, FRAGMENTS of each room, in the frame of their first view."""
    for index in range(clouds):
        number, fragment = divmod(index, FRAGMENTS)
        if fragment == 0:
            place = room(np.random.default_rng([seed, ROOM, number]))
            caster = Caster(place.world)
        poses = walk(np.random.default_rng([seed, WORLD, index]), place, FRAMES)
        rng = np.random.default_rng([seed, SENSOR, index])
        seen = np.concatenate([depth_view(caster, pose, resolution, rng) for pose in poses])
        axes, eye = poses[0]
        yield f"room_{number:02d}/cloud_bin_{fragment}.ply", fused((seen - eye) @ axes, VOXEL / resolution)


def heaps(clouds: int, resolution: float, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Names and points (n, 3) of an industrial sensor's scenes, in the camera's frame."""
    for index in range(clouds):
        rng = np.random.default_rng([seed, WORLD, index])
        caster = Caster(workpieces(rng))
        cloud = stripes(caster, sensor(rng), resolution, np.random.default_rng([seed, SENSOR, index]))
        yield f"scene_{index:03d}.ply", cloud


def write_ply(path: Path, points: np.ndarray) -> None:
    """A binary PLY of points (n, 3) as little-endian float32, with the header of 3DMatch's fragments."""
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n"
    header += "".join(f"property float {axis}\n" for axis in "xyz") + "end_header\n"
    path.write_bytes(header.encode() + points.astype("<f4").tobytes())
