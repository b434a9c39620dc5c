"""Three range sensors as rays and noise: a spinning LiDAR, an indoor depth camera, an industrial stripe projector.

A camera's frame has x to the right, y down and z forward. A pose is the camera's axes (3, 3; columns in the world's
frame) and its place (3,). Lengths in metres; h rows, w columns, n points.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from st3d.kernels.open3d_library import open3d_module
from st3d.simulation.range_sensors.world import Pose, World
from st3d.simulation.rays import tensor

# HDL-64E: an upper block of 32 lasers every third of a degree, a lower one every half (Velodyne's manual)
ELEVATIONS = np.concatenate([np.linspace(2, -8.33, 32), np.linspace(-8.83, -24.33, 32)])  # degrees, from the top down
AZIMUTHS = 2083  # azimuth steps of one rotation at 10 Hz, 0.1728 degrees each
LIDAR_RANGE = (0.9, 120.0)
LIDAR_NOISE = 0.02

DEPTH_SIZE = (480, 640)
DEPTH_FOCUS = 585.0  # pixels, 57.4 degrees across; what 3DMatch gives for its Kinects
DEPTH_RANGE = (0.5, 4.0)
DEPTH_NOISE = 1.425e-3  # per metre: the deviation at 1 m, growing with the square (Khoshelham and Elberink 2012)
FRAMES = 10  # a view stands for so many frames in a row, whose noise fusion averages

STRIPE_SIZE = (960, 1280)
STRIPE_FOCUS = 2400.0  # pixels, 30 degrees across
STRIPE_RANGE = (0.4, 1.2)
STRIPE_NOISE = 1e-4
BASELINE = 0.14  # the projector is so far to the camera's right
_NOTHING = 1e3  # depth where a ray hits nothing


@dataclass(frozen=True)
class Hits:
    """Where rays hit the world first; the arrays have the rays' shape.

    Attributes
    ----------
    distance
        float64, along the unit ray, metres; infinite where a ray meets nothing.
    normal
        (..., 3) float64, of the triangle, towards the sensor; 0 where a ray meets nothing.
    cosine
        float64, between the normal and the way back, 0 to 1.
    albedo
        float64, 0 where a ray meets nothing.
    """

    distance: np.ndarray
    normal: np.ndarray
    cosine: np.ndarray
    albedo: np.ndarray


class RayCaster:
    """A world that rays can be cast into."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._scene = open3d_module().t.geometry.RaycastingScene(nthreads=1)
        self._scene.add_triangles(tensor(world.vertices), tensor(world.triangles, np.uint32))

    def hits(self, place: np.ndarray, directions: np.ndarray) -> Hits:
        """Follow rays from one `place` (3,) in unit `directions` (..., 3)."""
        rays = np.concatenate([np.broadcast_to(place, directions.shape), directions], axis=-1)
        found = self._scene.cast_rays(tensor(rays), nthreads=1)
        distance = found["t_hit"].numpy().astype(np.float64)
        met = np.isfinite(distance)
        triangle = np.where(met, found["primitive_ids"].numpy(), 0)
        normal = np.where(met[..., None], found["primitive_normals"].numpy(), 0).astype(np.float64)
        cosine = -(normal * directions).sum(axis=-1)
        normal = np.where(cosine[..., None] < 0, -normal, normal)
        return Hits(distance, normal, np.abs(cosine), np.where(met, self.world.albedo[triangle], 0.0))

    def reached(self, points: np.ndarray, source: np.ndarray) -> np.ndarray:
        """(...) bool: whether light from `source` (3,) comes to `points` (..., 3), which lie a bit off the surfaces."""
        rays = np.concatenate([points, source - points], axis=-1)
        return ~self._scene.test_occlusions(tensor(rays), tnear=0.0, tfar=0.99, nthreads=1).numpy()


def lidar_scan(ray_caster: RayCaster, resolution: float, rng: np.random.Generator) -> np.ndarray:
    """One rotation of a 64-beam LiDAR in the world's origin: x forward, y left, z up.

    All lasers shine from one point at one moment: no offsets between them, and no motion within the rotation.

    Parameters
    ----------
    ray_caster
        The world in the sensor's frame.
    resolution
        Fraction of the azimuth steps, in (0, 1]; all beams stay.
    rng
        Of noise, missing pixels and the first azimuth.

    Returns
    -------
    (n, 4) float32: x, y, z in metres to the millimetre, reflectance from 0 to 0.99 in steps of 0.01. As in KITTI's
    files, beams come from the top down, and each goes counter-clockwise from x.
    """
    steps = round(AZIMUTHS * resolution)
    start = rng.uniform(0, 1, (len(ELEVATIONS), 1))
    azimuth = (np.arange(steps) + start) * (2 * np.pi / steps)
    up = np.radians(ELEVATIONS)[:, None]
    flat = np.cos(up)
    height = np.broadcast_to(np.sin(up), azimuth.shape)
    directions = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), height], axis=-1)
    hits = ray_caster.hits(np.zeros(3), directions)
    # the manual's reach: 50 m at a reflectivity of 0.1, 120 m at 0.8; grazing light is spread over a longer spot
    reach = 50 * (hits.albedo / 0.1) ** 0.42 * hits.cosine**0.2
    threshold = rng.uniform(0, 1, azimuth.shape)
    distance = hits.distance + LIDAR_NOISE * rng.standard_normal(azimuth.shape)
    seen = (hits.distance < reach * (1.15 - 0.3 * threshold)) & (rng.uniform(0, 1, azimuth.shape) > 0.01)
    seen &= (distance > LIDAR_RANGE[0]) & (distance < LIDAR_RANGE[1])
    xyz = np.round(directions[seen] * distance[seen][:, None], 3)
    back = hits.albedo[seen] * (0.4 + 0.6 * hits.cosine[seen]) + 0.03 * rng.standard_normal(len(xyz))
    return np.column_stack([xyz, np.clip(np.round(back, 2), 0, 0.99)]).astype(np.float32)


def depth_view(ray_caster: RayCaster, pose: Pose, resolution: float, rng: np.random.Generator) -> np.ndarray:
    """What an indoor depth camera sees, (n, 3) float64, metres, in the world's frame.

    Noise runs along the optical axis and its deviation is DEPTH_NOISE / sqrt(FRAMES) times the depth's square; it is
    alike among neighbouring pixels, which share the window that a depth was matched in. Pixels at outlines and at
    grazing angles see nothing.
    """
    rays = camera_rays(DEPTH_SIZE, DEPTH_FOCUS, resolution)
    directions, hits, depth = _camera_hits(ray_caster, pose, rays)
    deviation = DEPTH_NOISE / np.sqrt(FRAMES) * np.where(np.isfinite(depth), depth, 0) ** 2
    noisy = depth + deviation * _smooth(rng.standard_normal(depth.shape), 2.0 * resolution)
    seen = (noisy > DEPTH_RANGE[0]) & (noisy < DEPTH_RANGE[1])
    seen &= (hits.cosine > 0.12) & ~outlines(depth, 0.06, 1) & (rng.uniform(0, 1, depth.shape) > 0.01)
    return pose[1] + directions[seen] * (noisy / rays[..., 2])[seen][:, None]


def stripe_view(ray_caster: RayCaster, pose: Pose, resolution: float, rng: np.random.Generator) -> np.ndarray:
    """What camera and projector of an industrial sensor measure together, (n, 3) float64, metres, camera's frame.

    A point needs light from the projector, BASELINE to the camera's right, and must face both; outlines, dark
    surfaces and mirrored light drop out. Noise runs along the optical axis: STRIPE_NOISE, more on dark or inclined
    surfaces.
    """
    rays = camera_rays(STRIPE_SIZE, STRIPE_FOCUS, resolution)
    directions, hits, depth = _camera_hits(ray_caster, pose, rays)
    met = np.isfinite(depth)
    way = np.where(met, hits.distance, 0)[..., None]
    points = pose[1] + directions * way + 2e-4 * hits.normal  # off the surface, so that it does not shadow itself
    lamp = pose[1] + BASELINE * pose[0][:, 0]
    to_lamp = lamp - points
    to_lamp /= np.linalg.norm(to_lamp, axis=-1, keepdims=True)
    lighting = np.clip((hits.normal * to_lamp).sum(axis=-1), 0, 1)
    half = to_lamp - directions
    mirrored = (hits.normal * half).sum(axis=-1) / np.linalg.norm(half, axis=-1) > 0.9995
    signal = hits.albedo * lighting
    threshold = rng.uniform(0, 1, depth.shape)
    missed = np.clip(1.4 - signal / 0.06, 0.004, 1) + 0.4 * mirrored
    missed = missed + np.clip(1.2 - np.minimum(hits.cosine, lighting) / 0.2, 0, 1)
    seen = met & ray_caster.reached(points, lamp) & ~outlines(depth, 0.003, 1) & (threshold > missed)
    deviation = STRIPE_NOISE * np.clip(0.25 / np.maximum(signal, 1e-3), 1, 2.5)
    noisy = depth + deviation * rng.standard_normal(depth.shape)
    seen &= (noisy > STRIPE_RANGE[0]) & (noisy < STRIPE_RANGE[1])
    return rays[seen] * (noisy / rays[..., 2])[seen][:, None]


def voxel_means(points: np.ndarray, voxel: float) -> np.ndarray:
    """One point per voxel of side `voxel`: the mean of `points` (n, 3) in it; (m, 3) float64, voxels in order."""
    cell = np.floor(points / voxel).astype(np.int64)
    cell -= cell.min(axis=0)
    size = cell.max(axis=0) + 1
    _, place, count = np.unique((cell[:, 0] * size[1] + cell[:, 1]) * size[2] + cell[:, 2], return_inverse=True,
                                return_counts=True)  # fmt: skip
    sums = [np.bincount(place, points[:, axis], len(count)) for axis in range(3)]
    return np.stack(sums, axis=1) / count[:, None]


def camera_rays(size: tuple[int, int], focus: float, resolution: float) -> np.ndarray:
    """Unit rays (h, w, 3) of a pinhole camera of `size` and `focus` in pixels, made coarser by `resolution`."""
    h, w = (round(side * resolution) for side in size)
    y, x = np.mgrid[:h, :w].astype(float)
    rays = np.stack([x - (w - 1) / 2, y - (h - 1) / 2, np.full((h, w), focus * resolution)], axis=-1)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def outlines(depth: np.ndarray, step: float, pixels: int) -> np.ndarray:
    """(h, w) bool: pixels behind a neighbour, up to `pixels` away, that is nearer by more than `step` metres."""
    depth = np.where(np.isfinite(depth), depth, _NOTHING)
    near = ndimage.minimum_filter(depth, 2 * pixels + 1)
    slope = ndimage.maximum_filter(np.abs(ndimage.laplace(depth)), 3)
    return (depth - near > step) & (slope > step)  # a slanted plane has no outline


def _camera_hits(ray_caster: RayCaster, pose: Pose, rays: np.ndarray) -> tuple[np.ndarray, Hits, np.ndarray]:
    """Directions in the world's frame, what they hit, and its depth along the optical axis."""
    directions = rays @ pose[0].T
    hits = ray_caster.hits(pose[1], directions)
    return directions, hits, hits.distance * rays[..., 2]


def _smooth(white: np.ndarray, sigma: float) -> np.ndarray:
    """White noise blurred over `sigma` pixels, still of deviation 1; too narrow a blur leaves it as it is."""
    if sigma < 0.3:
        return white
    kernel = np.zeros((4 * int(4 * sigma + 1) + 1,) * 2)
    kernel[len(kernel) // 2, len(kernel) // 2] = 1
    gain = np.sqrt((ndimage.gaussian_filter(kernel, sigma) ** 2).sum())
    return ndimage.gaussian_filter(white, sigma, mode="wrap") / gain
