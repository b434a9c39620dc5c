"""A scan's score from its points' scores."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from st3d.kernels.image_scores import ImageScore, image_score

METHODS = get_args(ImageScore)


def test_each_method_is_its_plain_definition():
    scores = np.random.default_rng(0).gamma(2, 1, 400)
    ordered = sorted(scores)
    expected = {
        "maximum": max(scores),
        "top_100": np.mean(ordered[-100:]),
        "top_1_percent": np.mean(ordered[-4:]),
        "top_5_percent": np.mean(ordered[-20:]),
        "quantile_99": np.quantile(scores, 0.99),
    }
    assert set(expected) == set(METHODS)
    for method, value in expected.items():
        assert image_score(method, scores) == pytest.approx(value, rel=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.sampled_from(METHODS), st.floats(0.1, 10))
def test_a_score_grows_with_its_points_and_scales_with_them(seed, count, method, factor):
    scores = np.random.default_rng(seed).gamma(2, 1, count)
    found = image_score(method, scores)
    assert image_score(method, factor * scores) == pytest.approx(factor * found)
    assert image_score(method, scores + 1) == pytest.approx(found + 1)
    assert scores.min() * (1 - 1e-9) <= found <= scores.max() * (1 + 1e-9)
