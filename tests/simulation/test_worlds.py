"""Synthetic worlds: valid triangles within bounds, and solids that are what they say."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from st3d.kernels.geometry.rotation import euler_rotation
from st3d.kernels.geometry.surface_sampling import sample_surface
from st3d.simulation.range_sensors import street as worlds_street
from st3d.simulation.range_sensors import workpieces as worlds_workpieces
from st3d.simulation.range_sensors.room import camera_path, room
from st3d.simulation.range_sensors.street import car, fence, house, lamp, pedestrian, street, tree
from st3d.simulation.range_sensors.workpieces import KINDS, sensor_pose, workpieces
from st3d.simulation.range_sensors.world import (
    bored,
    build_world,
    camera_axes,
    circle,
    placed,
    prism,
    rectangle,
)

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=6, deadline=None)


def rng_of(seed):
    return np.random.default_rng(seed)


def check(world, low, high):
    """Finite, within `low` and `high`, indices and albedos in range, no triangle without an area."""
    assert np.isfinite(world.vertices).all()
    used = world.vertices[np.unique(world.triangles)]
    assert (used >= low).all() and (used <= high).all()
    assert world.triangles.min() >= 0 and world.triangles.max() < len(world.vertices)
    assert world.albedo.shape == (len(world.triangles),)
    assert world.albedo.min() >= 0 and world.albedo.max() <= 1
    assert areas(world.vertices, world.triangles).min() > 1e-11


def areas(vertices, triangles):
    a, b, c = np.moveaxis(vertices[triangles], 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


@few
@given(seeds)
def test_a_streets_triangles_are_valid_and_within_200_metres_of_the_sensor(seed):
    check(street(rng_of(seed)), [-200, -200, -20], [200, 200, 40])


@few
@given(seeds)
def test_the_road_lies_below_the_lidar_by_its_height_above_it(seed):
    world = street(rng_of(seed))
    below = world.vertices[np.linalg.norm(world.vertices[:, :2], axis=1) < 3.0]
    assert -worlds_street.MOUNT - 0.2 < below[:, 2].min() < -worlds_street.MOUNT + 0.2


@few
@given(seeds)
def test_nothing_of_a_street_is_where_the_sensors_car_is(seed):
    vertices, triangles = (world := street(rng_of(seed))).vertices, world.triangles
    points, _ = sample_surface(vertices, triangles, 200_000, rng_of(0))
    inside = (np.abs(points[:, 0]) < 1.5) & (np.abs(points[:, 1]) < 0.7) & (points[:, 2] > -1.4) & (points[:, 2] < 0.3)
    assert not inside.any()


@few
@given(seeds)
@example(110602176)  # a box on a piece at the wall stuck into it
def test_a_rooms_triangles_are_valid_and_within_its_walls(seed):
    made = room(rng_of(seed))
    check(made.world, [-1e-9] * 3, made.size + 1e-9)


@few
@given(seeds)
def test_furniture_stands_on_the_floor_and_apart(seed):
    pieces = room(rng_of(seed)).pieces
    assert len(pieces) >= 3
    assert np.abs(pieces[:, 0, 2]).max() < 0.05
    for number, (low, high) in enumerate(pieces):
        for other_low, other_high in pieces[:number]:
            assert ((low > other_high) | (high < other_low))[:2].any()


@few
@given(seeds, st.integers(1, 8))
def test_a_camera_stays_in_the_room_and_its_axes_are_a_rotation(seed, frames):
    made = room(rng_of(seed))
    poses = camera_path(rng_of(seed + 1), made, frames)
    assert len(poses) == frames
    for axes, eye in poses:
        assert (eye > 0.1).all() and (eye < made.size - 0.1).all()
        np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
        assert np.linalg.det(axes) == pytest.approx(1)
        assert axes[2, 1] < 0  # the image's y runs down


@few
@given(seeds)
def test_workpieces_are_sound_and_on_the_table(seed):
    check(workpieces(rng_of(seed)), [-0.51, -0.51, -0.021], [0.51, 0.51, 0.25])


@few
@given(seeds)
def test_the_industrial_sensor_looks_down_from_its_distance(seed):
    axes, eye = sensor_pose(rng_of(seed))
    assert abs(eye[2] - worlds_workpieces.DISTANCE) < 0.05
    assert axes[2, 2] < -0.9


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_workpiece_is_of_a_hands_size_and_never_twice_the_same(kind):
    sizes = set()
    for seed in range(6):
        vertices, triangles = kind(rng_of(seed))
        extent = np.ptp(vertices, axis=0)
        assert extent.min() > 0.002 and extent.max() < 0.16
        assert areas(vertices, triangles).sum() > 5e-4
        sizes.add(tuple(np.round(extent, 6)))
    assert len(sizes) == 6


@pytest.mark.parametrize(
    ("make", "low", "high"),
    [
        (car, [-2.6, -1.1, -0.01], [2.6, 1.1, 1.8]),
        (tree, [-5, -5, -0.3], [5, 5, 14]),
        (lamp, [-0.5, -0.5, -0.01], [0.5, 2.5, 8.6]),
        (pedestrian, [-0.5, -0.5, -0.1], [0.5, 0.5, 2.1]),
        (lambda rng: fence(rng, 6.0), [-3.3, -0.6, -0.4], [3.3, 0.8, 2.0]),
        (lambda rng: house(rng, 10.0, True), [-5.2, -1.2, -1.1], [5.2, 13, 20]),
    ],
    ids=["car", "tree", "lamp", "pedestrian", "fence", "house"],
)
def test_a_thing_of_the_street_has_its_usual_size(make, low, high):
    for seed in range(5):
        world = build_world(make(rng_of(seed)))
        check(world, low, high)
        assert np.ptp(world.vertices, axis=0).max() > 0.25 * max(high)


def volume(part):
    """By the divergence theorem; positive or negative, by the triangles' orientation."""
    a, b, c = np.moveaxis(part[0][part[1]], 1, 0)
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6


def test_a_prism_has_its_contours_area_times_its_height():
    assert abs(volume(prism(rectangle(2, 3), [(1, 1), (5, 1)]))) == pytest.approx(24)


def test_a_prism_that_narrows_to_half_has_a_frustums_volume():
    assert abs(volume(prism(rectangle(2, 2), [(0, 1), (3, 0.5)]))) == pytest.approx(3 / 3 * (4 + 1 + 2))


def test_a_bored_solid_lacks_the_holes_volume():
    part = bored(circle(3.0, 64), 1.0, 2.0)
    assert abs(volume(part)) == pytest.approx(2.0 * np.pi * (9 - 1), rel=2e-3)


def test_a_bored_rectangle_keeps_its_corners_and_its_hole_is_round():
    vertices, _ = bored(rectangle(4, 2), 0.7, 1.0)
    distance = np.linalg.norm(vertices[:, :2], axis=1)
    assert distance.min() == pytest.approx(0.7)
    assert distance.max() == pytest.approx(np.hypot(2, 1))
    assert np.isclose(distance, 0.7).sum() == len(vertices) / 3  # two of six rings


def test_a_chamfer_takes_its_width_off_the_edge():
    vertices, _ = bored(circle(3.0), 1.0, 2.0, 0.25)
    top = vertices[np.isclose(vertices[:, 2], 2.0)]
    assert np.linalg.norm(top[:, :2], axis=1).max() == pytest.approx(2.75)


def test_a_placed_object_is_rotated_then_moved():
    point = np.array([[1.0, 0, 0]]), np.zeros((0, 3), np.int64)
    ((vertices, _), albedo) = placed([(point, 0.3)], [5, 6, 7], np.pi / 2)[0]
    np.testing.assert_allclose(vertices, [[5, 7, 7]], atol=1e-12)
    assert albedo == 0.3


def test_a_world_seen_from_a_sensor_has_the_sensor_in_its_origin():
    vertices = np.array([[1.0, 2, 3], [1, 4, 3], [2, 2, 3]])
    world = build_world([((vertices, np.array([[0, 1, 2]])), 0.5)]).seen_from(euler_rotation("z", np.pi / 2), [1, 2, 3])
    np.testing.assert_allclose(world.vertices, [[0, 0, 0], [2, 0, 0], [0, -1, 0]], atol=1e-12)


def test_triangles_without_an_area_are_left_out_with_their_albedos():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0]])
    world = build_world([((vertices, np.array([[0, 1, 3], [0, 1, 2]])), 0.5), ((vertices, np.array([[0, 2, 1]])), 0.7)])
    assert world.triangles.tolist() == [[0, 1, 2], [4, 6, 5]]
    assert world.albedo.tolist() == [0.5, 0.7]


@pytest.mark.parametrize("target", [[3, 1, 0.5], [0.0, 0, -5]])
def test_a_camera_looks_at_its_target(target):
    axes = camera_axes([0, 0, 1], target)
    seen = (np.array(target) - [0, 0, 1]) @ axes
    assert seen[2] > 0 and np.abs(seen[:2]).max() < 1e-12
