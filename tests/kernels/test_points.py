import numpy as np
import pytest
import reference_points as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from st3d.kernels.points import curve_order, farthest_points, mean_neighbour_distance, neighbours, receptive_field

# few distinct values, so that equal distances and equal points are common
LATTICE = arrays(np.float64, st.tuples(st.integers(2, 150), st.just(3)), elements=st.integers(-2, 2).map(float))


@given(LATTICE, st.data())
@settings(deadline=None)
def test_farthest_points_agree_with_the_greedy_loop_among_ties(points, data):
    count = data.draw(st.integers(1, len(points)))
    first = data.draw(st.integers(0, len(points) - 1))
    assert np.array_equal(farthest_points(points, count, first), reference.farthest_points(points, count, first))


@pytest.mark.parametrize("spread", [1e-9, 1.0, 1e9])
def test_farthest_points_agree_with_the_greedy_loop_on_a_surface(rng, spread):
    plane = rng.random((3000, 2))
    points = spread * np.column_stack([plane, 0.1 * np.sin(9 * plane[:, 0])]).astype(np.float32)
    expected = reference.farthest_points(points.astype(np.float64), 700, 5)
    assert np.array_equal(farthest_points(points, 700, 5), expected)


def test_a_prefix_of_a_farthest_point_sample_is_one(rng):
    points = rng.random((500, 3))
    assert np.array_equal(farthest_points(points, 400, 7)[:100], farthest_points(points, 100, 7))


def test_all_points_can_be_chosen_and_each_only_once():
    assert sorted(farthest_points(np.zeros((70, 3)), 70)) == list(range(70))


@pytest.mark.parametrize("count, first", [(0, 0), (6, 0), (3, 5), (3, -1)])
def test_farthest_points_beyond_the_cloud_are_refused(count, first):
    with pytest.raises(ValueError, match=r"farthest_points: expected \w+ in .* found"):
        farthest_points(np.zeros((5, 3)), count, first)


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="expected finite coordinates"):
        farthest_points(np.array([[0, 0, np.nan]]), 1)
    with pytest.raises(ValueError, match="expected points of shape"):
        neighbours(np.zeros((4, 2)), 1)


@given(LATTICE, st.data())
@settings(deadline=None)
def test_neighbours_are_the_nearest_others_even_among_duplicates(points, data):
    k = data.draw(st.integers(1, len(points) - 1))
    near = neighbours(points, k)
    distance = np.linalg.norm(points[:, None] - points[near], axis=2)
    assert not (near == np.arange(len(points))[:, None]).any()
    assert all(len(set(row)) == k for row in near.tolist())
    assert np.allclose(distance, reference.neighbour_distances(points, k), rtol=0, atol=1e-12)


def test_fewer_neighbours_are_a_prefix_of_more(rng):
    points = rng.random((300, 3))
    assert np.array_equal(neighbours(points, 5), neighbours(points, 16)[:, :5])


def test_as_many_neighbours_as_points_are_refused():
    with pytest.raises(ValueError, match=r"expected k in \[1, 4\), found 4"):
        neighbours(np.eye(4, 3), 4)


def test_the_mean_neighbour_distance_is_that_of_the_full_matrix(rng):
    points = rng.random((200, 3))
    expected = reference.neighbour_distances(points, 9).mean()
    assert mean_neighbour_distance(points, 9) == pytest.approx(expected, rel=1e-12)


@given(st.integers(2, 60), st.integers(1, 4), st.integers(0, 9), st.integers(0, 10**6))
@settings(deadline=None)
def test_a_receptive_field_is_what_breadth_first_search_finds(n, k, hops, seed):
    graph = np.random.default_rng(seed).integers(0, n, (n, k))
    for index in (0, n - 1):
        assert np.array_equal(receptive_field(graph, index, hops), reference.receptive_field(graph, index, hops))


def test_a_receptive_field_holds_its_centre_and_grows_with_the_hops(rng):
    graph = neighbours(rng.random((400, 3)), 6)
    fields = [set(receptive_field(graph, 11, hops)) for hops in range(9)]
    assert fields[0] == {11}
    assert all(small < large for small, large in zip(fields, fields[1:], strict=False))


def test_a_receptive_field_outside_the_cloud_is_refused():
    with pytest.raises(ValueError, match=r"expected index in \[0, 3\), found 3"):
        receptive_field(np.zeros((3, 1), int), 3, 1)


@given(LATTICE)
@settings(deadline=None)
def test_a_curves_order_holds_every_point_once(points):
    assert sorted(curve_order(points)) == list(range(len(points)))


def test_points_that_follow_a_curve_lie_near_their_neighbours(rng):
    points = rng.random((4000, 3)) * [5, 3, 0.2]
    order = curve_order(points)
    along, before = (np.linalg.norm(np.diff(each, axis=0), axis=1).mean() for each in (points[order], points))
    assert along < before / 10
