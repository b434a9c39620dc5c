"""A scan's score from its points' scores."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from st3d.kernels.image_scores import ImageScore, image_score, neighbourhood_mean

METHODS = get_args(ImageScore)


def cloud(seed, count=400, k=4):
    rng = np.random.default_rng(seed)
    return rng.gamma(2, 1, count), rng.integers(0, count, (count, k))


def test_each_method_is_its_plain_definition():
    scores, near = cloud(0)
    ordered = sorted(scores)
    smooth = scores
    for _ in range(2):
        smooth = np.array([np.mean([smooth[point], *smooth[near[point]]]) for point in range(len(smooth))])
    expected = {
        "maximum": max(scores),
        "top_100": np.mean(ordered[-100:]),
        "top_1_percent": np.mean(ordered[-4:]),
        "quantile_99": np.quantile(scores, 0.99),
        "smoothed_maximum": max(smooth),
        "smoothed_top_1_percent": np.mean(sorted(smooth)[-4:]),
    }
    assert set(expected) == set(METHODS)
    for method, value in expected.items():
        assert image_score(method, scores, near) == pytest.approx(value, rel=1e-12)


@given(st.integers(0, 2**32 - 1), st.sampled_from(METHODS), st.floats(0.1, 10))
def test_a_score_grows_with_its_points_and_scales_with_them(seed, method, factor):
    scores, near = cloud(seed, 60)
    found = image_score(method, scores, near)
    assert image_score(method, factor * scores, near) == pytest.approx(factor * found)
    assert image_score(method, scores + 1, near) == pytest.approx(found + 1)
    assert scores.min() <= found <= scores.max()


def test_neighbours_that_have_no_score_are_left_out_of_a_mean():
    near = np.array([[1, 3], [0, 2], [3, 4], [0, 1], [0, 1]])
    assert neighbourhood_mean(np.array([1.0, 3.0, 8.0]), near).tolist() == [2.0, 4.0, 8.0]
