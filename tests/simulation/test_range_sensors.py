"""Simulated range sensors: their beams, noise, shadows and reach, on worlds whose geometry is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from st3d.simulation.furniture.parts import box, rod
from st3d.simulation.range_sensors import sensors as range_sensors
from st3d.simulation.range_sensors.sensors import (
    RayCaster,
    camera_rays,
    depth_view,
    lidar_scan,
    outlines,
    stripe_view,
    voxel_means,
)
from st3d.simulation.range_sensors.world import build_world, camera_axes

BESIDE = np.eye(3), np.zeros(3)  # a pose in the world's origin, forward along z


def wall_at(x):
    """A large bright wall across x."""
    return RayCaster(build_world([(box([x, -200, -200], [x + 1, 200, 200]), 0.8)]))


def facing(*objects):
    """A world seen along z from its origin."""
    return RayCaster(build_world(objects))


def board(z, albedo=0.5, half=50.0):
    return box([-half, -half, z], [half, half, z + 0.01]), albedo


def noise(points, z):
    return (points[:, 2] - z).std()


def test_a_ray_gives_distance_cosine_and_albedo_of_what_it_meets_first():
    ray_caster = facing(board(3.0, 0.4), board(2.0, 0.7, half=0.1))
    directions = np.array([[0, 0, 1.0], [0.6, 0, 0.8], [0, 0, -1]])
    hits = ray_caster.hits(np.zeros(3), directions)
    np.testing.assert_allclose(hits.distance, [2, 3 / 0.8, np.inf], rtol=1e-6)
    np.testing.assert_allclose(hits.cosine[:2], [1, 0.8], rtol=1e-6)
    np.testing.assert_allclose(hits.normal, [[0, 0, -1], [0, 0, -1], [0, 0, 0]], atol=1e-6)
    assert hits.albedo.tolist() == [0.7, 0.4, 0.0]


def test_light_does_not_come_through_a_board():
    ray_caster = facing(board(2.0, half=0.5), board(4.0))
    assert ray_caster.reached(np.array([[0, 0, 3.9], [3, 0, 3.9]]), np.zeros(3)).tolist() == [False, True]


def test_the_lidars_returns_lie_on_its_64_beams_from_the_top_down(rng):
    cloud = lidar_scan(wall_at(10.0), 0.2, rng).astype(float)
    elevation = np.degrees(np.arcsin(cloud[:, 2] / np.linalg.norm(cloud[:, :3], axis=1)))
    beam = np.abs(elevation[:, None] - range_sensors.ELEVATIONS).argmin(axis=1)
    assert np.abs(elevation - range_sensors.ELEVATIONS[beam]).max() < 0.005  # coordinates are whole millimetres
    assert set(beam) == set(range(64))
    assert (np.diff(beam) >= 0).all()


def test_each_beam_turns_counter_clockwise_from_ahead_in_equal_steps(rng):
    around = facing((rod([0, 0, -30], [0, 0, 30], [15, 15], 90), 0.8))
    cloud = lidar_scan(around, 0.1, rng).astype(float)
    elevation = np.arcsin(cloud[:, 2] / np.linalg.norm(cloud[:, :3], axis=1))
    first = cloud[np.abs(elevation - np.radians(2)) < 1e-4]
    angle = np.unwrap(np.arctan2(first[:, 1], first[:, 0]))
    step = 2 * np.pi / round(range_sensors.AZIMUTHS * 0.1)
    steps = np.diff(angle) / step
    assert 0 <= angle[0] < 3 * step and angle[-1] < 2 * np.pi
    np.testing.assert_allclose(steps, np.round(steps), atol=0.01)
    assert steps.min() > 0.5 and np.median(steps) == pytest.approx(1, abs=0.01)


def test_the_lidars_noise_is_two_centimetres_along_its_rays(rng):
    cloud = lidar_scan(wall_at(10.0), 1.0, rng).astype(float)
    ways = cloud[:, :3] / np.linalg.norm(cloud[:, :3], axis=1, keepdims=True)
    straight = ways[:, 0] > 0.7
    off = (np.linalg.norm(cloud[:, :3], axis=1) - 10 / ways[:, 0])[straight]
    assert off.std() == pytest.approx(range_sensors.LIDAR_NOISE, rel=0.05)
    assert abs(off.mean()) < 0.001


@pytest.mark.parametrize(("albedo", "far", "some"), [(0.8, 100, True), (0.8, 119, True), (0.8, 125, False),
                                                     (0.1, 40, True), (0.1, 70, False)])  # fmt: skip
def test_the_lidar_reaches_as_far_as_its_manual_says(albedo, far, some, rng):
    cloud = lidar_scan(facing((box([far, -3, -3], [far + 1, 3, 3]), albedo)), 1.0, rng)
    assert (len(cloud) > 0) == some
    assert (np.linalg.norm(cloud[:, :3], axis=1) < range_sensors.LIDAR_RANGE[1]).all()


def test_the_sky_gives_no_return(rng):
    ground = facing((box([-500, -500, -3], [500, 500, -1.7]), 0.8))
    cloud = lidar_scan(ground, 0.1, rng)
    assert len(cloud) > 1000 and (cloud[:, 2] < 0).all()


def test_brighter_and_straighter_surfaces_have_a_higher_reflectance(rng):
    bright, dark = (lidar_scan(facing((box([5, -9, -9], [6, 9, 9]), a)), 0.5, rng)[:, 3].mean() for a in (0.6, 0.2))
    assert bright > 2 * dark
    values = lidar_scan(wall_at(5.0), 0.5, rng)
    straight = values[np.abs(values[:, 1]) < 1, 3]
    slanted = values[np.abs(values[:, 1]) > 10, 3]
    assert straight.mean() > slanted.mean() + 0.1
    assert values[:, 3].min() >= 0 and values[:, 3].max() <= 0.99
    np.testing.assert_allclose(values[:, 3] * 100, np.round(values[:, 3] * 100), atol=1e-4)


def test_the_depth_cameras_noise_grows_with_the_square_of_depth(rng):
    near, far = (noise(depth_view(facing(board(z)), BESIDE, 0.5, rng), z) for z in (1.0, 3.0))
    assert near == pytest.approx(range_sensors.DEPTH_NOISE / np.sqrt(range_sensors.FRAMES), rel=0.1)
    assert far / near == pytest.approx(9, rel=0.15)


def test_the_depth_camera_sees_nothing_outside_its_range_and_its_angle(rng):
    for z in (0.3, 4.5):
        assert len(depth_view(facing(board(z)), BESIDE, 0.25, rng)) == 0
    points = depth_view(facing(board(2.0)), BESIDE, 0.25, rng)
    across = np.degrees(2 * np.arctan(np.abs(points[:, 0] / points[:, 2]).max()))
    assert 56 < across < 58
    assert len(points) == pytest.approx(120 * 160, rel=0.03)


def test_views_from_two_poses_agree_on_where_the_wall_is(rng):
    ray_caster = facing((box([2, -3, -3], [2.1, 3, 3]), 0.5))
    for eye in ([0.0, 0, 0], [0.3, -0.5, 0.2]):
        points = depth_view(ray_caster, (camera_axes(eye, [2, 0, 0]), np.array(eye)), 0.25, rng)
        assert len(points) > 10_000
        assert abs(points[:, 0].mean() - 2) < 0.001 and points[:, 0].std() < 0.004


def test_a_cylinders_points_lie_on_it_within_the_noise(rng):
    ray_caster = facing((rod([0, -2, 1.5], [0, 2, 1.5], [0.4, 0.4], 256), 0.5))
    points = depth_view(ray_caster, BESIDE, 0.5, rng)
    radius = np.hypot(points[:, 0], points[:, 2] - 1.5)
    assert len(points) > 10_000
    assert np.abs(radius - 0.4).max() < 0.005 and abs(radius.mean() - 0.4) < 0.001


def test_a_step_has_an_outline_and_a_slanted_plane_has_none():
    step = np.where(np.arange(20)[None] < 10, 1.0, 2.0) * np.ones((20, 1))
    found = outlines(step, 0.1, 1)
    assert found[:, 10].all() and not found[:, :10].any() and not found[:, 11:].any()
    assert not outlines(np.arange(20.0)[None] * 0.5 * np.ones((20, 1)), 0.1, 1)[1:-1, 2:-2].any()


def table_and_block(width=0.02):
    """A table 0.7 m away and a tall block on it, 5 cm towards the sensor, around the optical axis."""
    return facing(board(0.7), (box([-width, -0.03, 0.65], [width, 0.03, 0.7]), 0.5))


def test_the_projectors_shadow_is_on_the_far_side_of_a_block(rng):
    points = stripe_view(table_and_block(), BESIDE, 0.5, rng)
    table = points[(np.abs(points[:, 2] - 0.7) < 0.002) & (np.abs(points[:, 1]) < 0.02)]
    # rays from (BASELINE, 0, 0) over the block's edge (-0.02, 0.65) and (0.02, 0.65) meet z = 0.7 here
    end = -0.02 - (range_sensors.BASELINE + 0.02) * 0.05 / 0.65
    shadow = (table[:, 0] > end + 0.0005) & (table[:, 0] < -0.02 * 0.7 / 0.65)
    assert not shadow.any()
    assert (np.abs(table[:, 0] - (end - 0.003)) < 0.0025).sum() > 20  # beyond it there is light again
    assert (np.abs(table[:, 0] - 0.026) < 0.003).sum() > 20  # and on the projector's side
    assert (np.abs(points[:, 2] - 0.65) < 0.002).sum() > 1000  # the block's own top


def test_the_stripe_sensors_noise_is_a_tenth_of_a_millimetre(rng):
    points = stripe_view(facing(board(0.7)), BESIDE, 0.5, rng)
    assert noise(points, 0.7) == pytest.approx(range_sensors.STRIPE_NOISE, rel=0.2)
    assert len(points) > 0.9 * 480 * 640


def test_steep_and_dark_surfaces_drop_out(rng):
    def fraction(slope, albedo):
        tilted = np.array([[-1, -1, 0.7 - slope], [1, -1, 0.7 + slope], [1, 1, 0.7 + slope], [-1, 1, 0.7 - slope]])
        world = facing(((tilted, np.array([[0, 1, 2], [0, 2, 3]])), albedo))
        return len(stripe_view(world, BESIDE, 0.2, rng)) / (192 * 256)

    assert fraction(0.0, 0.5) > 0.95
    assert fraction(0.0, 0.05) < 0.75
    assert fraction(-9.0, 0.5) < 0.05


def test_equal_generators_give_equal_clouds():
    ray_caster = table_and_block()
    makers = (
        lambda rng: lidar_scan(wall_at(9.0), 0.1, rng),
        lambda rng: depth_view(ray_caster, BESIDE, 0.1, rng),
        lambda rng: stripe_view(ray_caster, BESIDE, 0.1, rng),
    )
    for make in makers:
        first, second, other = (make(np.random.default_rng(seed)) for seed in (1, 1, 2))
        assert np.array_equal(first, second) and not np.array_equal(first, other)


def reference_fused(points, voxel):
    cells = {}
    for point in points:
        cells.setdefault(tuple(np.floor(point / voxel).astype(int)), []).append(point)
    return np.array([np.mean(cells[key], axis=0) for key in sorted(cells)])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.sampled_from([0.05, 0.3, 2.0]))
def test_fused_is_the_mean_of_each_voxel(seed, count, voxel):
    points = np.random.default_rng(seed).uniform(-1, 1, (count, 3))
    np.testing.assert_allclose(voxel_means(points, voxel), reference_fused(points, voxel), atol=1e-12)


def test_rays_are_of_unit_length_and_symmetric_at_any_resolution():
    for resolution in (0.05, 0.25, 1.0):
        rays = camera_rays((480, 640), 585.0, resolution)
        assert rays.shape == (round(480 * resolution), round(640 * resolution), 3)
        np.testing.assert_allclose(np.linalg.norm(rays, axis=-1), 1)
        np.testing.assert_allclose(rays[::-1, ::-1] * [-1, -1, 1], rays, atol=1e-12)
        assert rays[0, 0, 0] < 0 and rays[0, 0, 1] < 0
