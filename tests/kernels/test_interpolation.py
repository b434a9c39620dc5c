"""Values between points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from st3d.kernels.interpolation import from_nearest


def reference(points, values, places):
    """By sorting all distances."""
    result = []
    for place in places:
        distance = np.linalg.norm(points - place, axis=1)
        near = np.argsort(distance)[:3]
        weight = 1 / np.maximum(distance[near], 1e-12)
        result.append((weight[:, None] * values[near]).sum(axis=0) / weight.sum())
    return np.array(result)


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_a_place_has_the_mean_of_its_three_nearest_points_weighted_by_inverse_distance(seed):
    rng = np.random.default_rng(seed)
    points, values, places = rng.normal(size=(20, 3)), rng.normal(size=(20, 4)), rng.normal(size=(7, 3))
    assert np.allclose(from_nearest(points, values, places), reference(points, values, places), rtol=1e-9)


def test_at_a_point_the_value_is_the_points_own():
    points, values = np.eye(3), np.array([1.0, 2, 3])
    assert from_nearest(points, values, points) == pytest.approx(values, abs=1e-9)


def test_fewer_than_three_points_are_enough():
    assert from_nearest(np.zeros((1, 3)), np.array([5.0]), np.ones((2, 3))).tolist() == [5, 5]
