import numpy as np
import pytest

from st3d.kernels.geometry.rotation import axis_rotation, euler_rotation, random_rotation


def test_a_rotation_about_an_axis_is_that_of_rodrigues_formula(rng):
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(37)
    expected = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    assert np.abs(axis_rotation(axis, 37) - expected).max() < 1e-15


@pytest.mark.parametrize("axis", [(0.0, 0.0, -1.0), (0.6, -0.48, 0.64)])
def test_a_rotation_by_no_angle_is_exactly_the_identity(axis):
    assert np.array_equal(axis_rotation(axis, 0), np.eye(3))


def test_fixed_axes_are_rotated_about_in_the_order_that_they_are_named_in():
    angles = np.array([0.3, 1.2, 5.0])
    one_by_one = [euler_rotation(axis, angle) for axis, angle in zip("xyz", angles, strict=True)]
    assert np.allclose(euler_rotation("xyz", angles), one_by_one[2] @ one_by_one[1] @ one_by_one[0], atol=1e-15)
    c, s = np.cos(0.3), np.sin(0.3)
    assert np.allclose(one_by_one[0], [[1, 0, 0], [0, c, -s], [0, s, c]], atol=1e-15)


def test_random_rotations_follow_their_stream_and_keep_hands():
    first, again, other = (random_rotation(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.allclose(first, other)
    assert np.allclose(first @ first.T, np.eye(3)) and np.isclose(np.linalg.det(first), 1)
