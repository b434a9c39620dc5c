import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from st3d.kernels.geometry.parts import largest_part
from st3d.kernels.open3d_library import open3d_module

# few distinct values, so that distances equal to the radius are common
LATTICE = arrays(np.float64, st.tuples(st.integers(1, 60), st.just(3)), elements=st.integers(-4, 4).map(float))


def plain(points, radius, least):
    """By the definition: the graph of core points, walked through."""
    near = np.linalg.norm(points[:, None] - points[None], axis=2) <= radius
    core = near.sum(axis=1) >= least
    clusters, left = [], set(np.flatnonzero(core))
    while left:
        cluster = frontier = {min(left)}
        while frontier:
            frontier = {int(q) for p in frontier for q in np.flatnonzero(near[p] & core)} - cluster
            cluster = cluster | frontier
        clusters.append(cluster)
        left -= cluster
    if not clusters:
        return np.zeros(len(points), bool)
    largest = sorted(max(clusters, key=lambda each: (len(each), -min(each))))
    return near[largest].any(axis=0) & (~core | np.isin(np.arange(len(points)), largest))


@given(LATTICE, st.sampled_from([0.5, 1.0, 2.0, 3.0, 100.0]), st.integers(1, 12))
@settings(deadline=None)
def test_the_largest_part_is_that_of_the_definition(points, radius, least):
    assert np.array_equal(largest_part(points, radius, least), plain(points, radius, least))


@pytest.mark.parametrize("radius, least", [(0.02, 5), (0.05, 5), (0.05, 30), (0.2, 30)])
def test_the_largest_part_of_a_scattered_surface_is_that_of_the_definition(rng, radius, least):
    points = np.column_stack([rng.random((1500, 2)), 0.01 * rng.random(1500)])
    points = points[np.abs(points[:, 0] - 0.4) > 0.03] + 5
    assert np.array_equal(largest_part(points, radius, least), plain(points, radius, least))


def test_of_parts_far_from_each_other_it_is_open3ds(rng):
    centres = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 1]])
    points = np.concatenate([c + 0.05 * rng.standard_normal((n, 3)) for c, n in zip(centres, (200, 500, 300))])
    open3d = open3d_module()
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))
    labels = np.asarray(cloud.cluster_dbscan(0.06, 10))
    assert np.array_equal(largest_part(points, 0.06, 10), labels == labels[250])


def test_no_points_or_none_with_neighbours_have_no_part():
    assert largest_part(np.zeros((0, 3)), 1, 1).shape == (0,)
    assert not largest_part(np.eye(3), 0.1, 2).any()


@pytest.mark.parametrize(
    "points, radius, least",
    [(np.zeros((3, 2)), 1, 1), (np.full((3, 3), np.nan), 1, 1), (np.eye(3), 0, 1), (np.eye(3), 1, 0)],
)
def test_points_or_numbers_that_make_no_sense_are_refused(points, radius, least):
    with pytest.raises(ValueError, match="largest_part: expected"):
        largest_part(points, radius, least)
