import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_pro import maps_and_masks

from st3d.kernels.bootstrap import ScanCounts, resamples
from st3d.kernels.pro import au_pro

LIMITS = [0.01, 0.3, 1.0]


def repeated(items, weights):
    return [item for item, weight in zip(items, weights, strict=True) for _ in range(weight)]


@given(st.integers(0, 10**6), st.sampled_from([2, 5, 1000]), st.lists(st.integers(0, 3), min_size=4, max_size=4))
@settings(deadline=None, max_examples=60)
def test_a_resample_scores_as_the_exact_au_pro_of_its_scans_repeated(seed, levels, weights):
    maps, masks = maps_and_masks(seed, levels, images=4)
    masks[2][:] = False  # a scan without a defect
    for mask in masks:
        mask.flat[1] = False
    weights[0] = max(weights[0], 1)  # the first has an anomalous pixel
    found = ScanCounts(maps, masks).au_pro(np.array(weights), LIMITS)
    expected = [au_pro(repeated(maps, weights), repeated(masks, weights), limit) for limit in LIMITS]
    assert found == pytest.approx(expected, abs=1e-12)


def test_float64_maps_beside_float32_ones_are_compared_without_loss():
    maps = [np.array([[1.0, 1.0 + 1e-12]]), np.array([[1.0, 0.0]], np.float32)]
    masks = [np.array([[0, 1]]), np.array([[0, 0]])]
    assert ScanCounts(maps, masks).au_pro(np.array([1, 1]), [0.3]) == pytest.approx([au_pro(maps, masks)])


@given(st.integers(0, 10**6), st.lists(st.sampled_from(["good", "cut", "hole"]), min_size=1, max_size=12))
@settings(deadline=None, max_examples=40)
def test_each_resample_draws_as_many_scans_of_a_kind_as_there_are(seed, groups):
    weights = resamples(groups, 5, seed)
    assert weights.shape == (5, len(groups)) and weights.min() >= 0
    for group in set(groups):
        members = np.array(groups) == group
        assert (weights[:, members].sum(axis=1) == members.sum()).all()
    np.testing.assert_array_equal(weights, resamples(groups, 5, seed))


def test_each_scan_is_drawn_as_often_as_the_next():
    weights = resamples(["good"] * 10, 4000, seed=3)
    assert weights.mean(axis=0) == pytest.approx(np.ones(10), abs=0.08)
    assert weights.var(axis=0) == pytest.approx(np.full(10, 0.9), abs=0.1)  # binomial: 10 draws of 1 in 10


def test_no_anomalous_pixel_among_all_or_among_those_drawn_is_refused():
    maps, mask = [np.zeros((2, 2)), np.ones((2, 2))], np.array([[1, 0], [0, 0]])
    with pytest.raises(ValueError, match="no anomalous pixel"):
        ScanCounts(maps, [np.zeros((2, 2))] * 2)
    with pytest.raises(ValueError, match="no non-anomalous pixel"):
        ScanCounts(maps, [mask, np.ones((2, 2))])
    with pytest.raises(ValueError, match="found none"):
        ScanCounts(maps, [mask, np.zeros((2, 2))]).au_pro(np.array([0, 2]), [0.3])
