"""Stage `surrogates`: simulated clouds of three range sensors, synthetic surrogates of data sets to pretrain on.

Each function of `SENSORS` takes the number of clouds, the fraction in [0.05, 1] of the sensor's steps along a side and
the seed; it yields a file's name and its points, metres, for one cloud after the other.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from st3d.formats import folders
from st3d.formats.atomic import write_json
from st3d.formats.ply_write import write_ply
from st3d.formats.provenance import provenance
from st3d.simulation.range_sensors.room import camera_path, room
from st3d.simulation.range_sensors.sensors import RayCaster, depth_view, lidar_scan, stripe_view, voxel_means
from st3d.simulation.range_sensors.street import street
from st3d.simulation.range_sensors.workpieces import sensor_pose, workpieces

log = logging.getLogger("st3d")

Source = Literal["simulated_kitti", "simulated_3dmatch", "simulated_itodd"]

RESOLUTIONS = (0.05, 1.0)
FRAGMENTS = 5  # of one room
FRAMES = 6  # merged into a fragment
VOXEL = 0.006  # of a fragment at resolution 1, metres, as in 3DMatch's
WORLD, SENSOR, ROOM = 0, 1, 2  # random streams


def surrogates(*, source: Source, output: Path, clouds: int, resolution: float, seed: int, code: str) -> None:
    """Simulate the clouds of one sensor, in the layout and format of the data set that they are a surrogate for.

    Parameters
    ----------
    source
        simulated_kitti (a spinning LiDAR in streets; sequences/00/velodyne/000000.bin, float32 x, y, z, reflectance),
        simulated_3dmatch (a depth camera in rooms; room_00/cloud_bin_0.ply) or simulated_itodd (stripe projection over
        machine parts; scene_000.ply); all in metres, in the sensor's frame.
    output
        Folder of this source; an earlier one is replaced.
    clouds
        Clouds to make, 1 or more.
    resolution
        Fraction of the real sensor's steps along a side, 0.05 to 1: of the azimuths, of the image's sides.
    seed
        Of the random streams; cloud 37 is the same whatever the number of clouds.
    code
        Fingerprint of this stage's source, kept in complete.json.

    Raises
    ------
    ValueError
        If a number is out of its range, or `output` holds files that st3d did not write.
    """
    output = Path(output)
    if clouds < 1:
        raise ValueError(f"{output}: expected clouds of at least 1, found {clouds}")
    if seed < 0:
        raise ValueError(f"{output}: expected seed of at least 0, found {seed}")
    if not RESOLUTIONS[0] <= resolution <= RESOLUTIONS[1]:
        raise ValueError(f"{output}: expected a resolution from 0.05 to 1, found {resolution}")
    simulate = SENSORS[source]
    files, points = [], 0
    with folders.replaced(output) as partial:
        for name, cloud in simulate(clouds, resolution, seed):
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
    simulated = f"ray-cast in synthetic scenes by st3d; {source} is not a real data set"
    about = {"simulated": simulated, "files": sorted(files)}
    write_json(output / "complete.json", provenance(settings, code) | about)


def lidar_scans(clouds: int, resolution: float, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """A LiDAR's revolutions, each in a street of its own: (n, 4) float32, see `sensors.lidar_scan`."""
    for index in range(clouds):
        ray_caster = RayCaster(street(np.random.default_rng([seed, WORLD, index])))
        cloud = lidar_scan(ray_caster, resolution, np.random.default_rng([seed, SENSOR, index]))
        yield f"sequences/00/velodyne/{index:06d}.bin", cloud


def fragments(clouds: int, resolution: float, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Fragments, FRAGMENTS of each room, in the frame of their first view: (n, 3) float64, a point per voxel."""
    for index in range(clouds):
        number, fragment = divmod(index, FRAGMENTS)
        if fragment == 0:
            place = room(np.random.default_rng([seed, ROOM, number]))
            ray_caster = RayCaster(place.world)
        poses = camera_path(np.random.default_rng([seed, WORLD, index]), place, FRAMES)
        rng = np.random.default_rng([seed, SENSOR, index])
        seen = np.concatenate([depth_view(ray_caster, pose, resolution, rng) for pose in poses])
        axes, eye = poses[0]
        yield f"room_{number:02d}/cloud_bin_{fragment}.ply", voxel_means((seen - eye) @ axes, VOXEL / resolution)


def bin_picking_scenes(clouds: int, resolution: float, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """An industrial sensor's scenes, in the camera's frame: (n, 3) float64, see `sensors.stripe_view`."""
    for index in range(clouds):
        rng = np.random.default_rng([seed, WORLD, index])
        ray_caster = RayCaster(workpieces(rng))
        cloud = stripe_view(ray_caster, sensor_pose(rng), resolution, np.random.default_rng([seed, SENSOR, index]))
        yield f"scene_{index:03d}.ply", cloud


SENSORS = {"simulated_kitti": lidar_scans, "simulated_3dmatch": fragments, "simulated_itodd": bin_picking_scenes}
