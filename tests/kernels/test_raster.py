"""Points and cells in an image, compared pixel by pixel."""

import numpy as np
import pytest
import reference_raster as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from st3d.kernels.raster import splat, spread_cells

SIZES = st.tuples(st.integers(1, 6), st.integers(1, 6))


def lattice(rng, low, high, shape, broken, parts=8):
    """Parts of a pixel, so that centres lie on edges and corners, with a fraction of NaN and infinity."""
    places = rng.integers(parts * low, parts * high + 1, shape) / parts
    places[rng.random(shape) < broken] = rng.choice([np.nan, np.inf, -np.inf])
    return places


@given(SIZES, st.integers(0, 60), st.sampled_from([0, 0.1]), st.integers(0, 10**6))
@settings(deadline=None)
def test_splatted_points_are_those_of_the_reference_loop_among_ties_and_borders(size, n, broken, seed):
    rng = np.random.default_rng(seed)
    pixels, depth = lattice(rng, -2, 7, (n, 2), broken), lattice(rng, 0, 1, n, broken)
    assert np.array_equal(splat(pixels, depth, size), reference.splat(pixels, depth, size))


def test_a_point_just_within_the_images_border_is_kept_and_on_its_far_side_left_out():
    pixels = np.array([[-0.5, -0.5], [0.5, 0.0], [0.0, 1.5], [-0.6, 0.0], [1e300, 0.0]])
    assert splat(pixels, np.ones(5), (1, 2)).tolist() == [[0, -1]]


@pytest.mark.parametrize("spread, parts", [(1, 8), (1, 1), (4, 8), (3, 1)])
@given(
    size=SIZES,
    cells=st.tuples(*[st.integers(1, 2)] * 3),
    broken=st.sampled_from([0, 0.02]),
    seed=st.integers(0, 10**6),
)
@settings(deadline=None, max_examples=60)
def test_spread_cells_are_those_of_all_triangles_where_centres_lie_on_edges(spread, parts, size, cells, broken, seed):
    rng = np.random.default_rng(seed)
    corners = lattice(rng, -spread, spread, (*(side + 1 for side in cells), 2), broken, parts) + rng.integers(0, 6, 2)
    scores = rng.integers(-3, 4, cells).astype(np.float32)
    assert np.array_equal(spread_cells(scores, corners, size), reference.spread_cells(scores, corners, size))


@pytest.mark.parametrize("thickness", [0.0, 1e-6, 1.0])
def test_a_hull_of_any_shape_is_scipys(rng, thickness):
    rows, columns = np.mgrid[:60, :50]
    for _ in range(40):
        places = rng.uniform(-20, 80, 2) + rng.normal(size=(8, 2)) * 20
        places[:, 1] = places[0, 1] + (places[:, 1] - places[0, 1]) * thickness
        image = spread_cells(np.ones((1, 1, 1)), places.reshape(2, 2, 2, 2), (60, 50))
        if thickness == 0:
            assert not image.any(), "a line between the columns covers no centre"
            continue
        sides = ConvexHull(places, qhull_options="Qt").equations  # (sides, 3)
        outside = (sides[:, :2] @ [rows.ravel(), columns.ravel()] + sides[:, 2:]).max(axis=0).reshape(60, 50)
        clear = np.abs(outside) > 1e-6
        assert np.array_equal((image > 0)[clear], (outside < 0)[clear])


def test_shared_faces_of_cells_leave_no_gap(rng):
    corners = np.stack(np.meshgrid(*[np.linspace(-0.3, 30.3, 9)] * 3, indexing="ij"), axis=-1)
    corners = corners[..., :2] + 0.2 * corners[..., 2:]  # (9, 9, 9, 2)
    image = spread_cells(rng.random((8, 8, 8)) + 1, corners, (36, 36))
    assert (image[6:31, 6:31] > 0).all() and image[35, 0] == 0


def test_centres_on_oblique_edges_are_inside():
    corners = np.zeros((2, 2, 2, 2))
    for slope in range(1, 50):  # from (0, 0) to (49, 7 slope) and a narrow triangle beside it
        corners.reshape(8, 2)[:] = [[0, 0], [49, 7 * slope]] * 3 + [[0, -0.01], [49, 7 * slope - 0.01]]
        image = spread_cells(np.ones((1, 1, 1)), corners, (50, 350))
        rows = np.flatnonzero(np.arange(50) * slope % 7 == 0)
        assert image[rows, rows * slope // 7].all()


def test_the_highest_score_wins_even_below_zero():
    corners = np.stack(np.meshgrid([0.0, 9], [-0.5, 1.5], [0.0, 1, 2], indexing="ij"), axis=-1)[..., 1:]
    scores = np.array([[[-3.0, -2.0]]])
    assert spread_cells(scores, corners, (1, 4)).tolist() == [[-3, -2, -2, 0]]


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match=r"splat: expected pixels \(n, 2\) .*found \(3, 2\) and \(4,\)"):
        splat(np.zeros((3, 2)), np.zeros(4), (2, 2))
    with pytest.raises(ValueError, match="splat: expected an image of 1 x 1 or more, found 0 x 2"):
        splat(np.zeros((3, 2)), np.zeros(3), (0, 2))
    with pytest.raises(ValueError, match=r"found \(1, 1, 1\) and \(2, 2, 1, 2\)"):
        spread_cells(np.zeros((1, 1, 1)), np.zeros((2, 2, 1, 2)), (2, 2))
    with pytest.raises(ValueError, match="expected finite scores"):
        spread_cells(np.full((1, 1, 1), np.nan), np.zeros((2, 2, 2, 2)), (2, 2))
