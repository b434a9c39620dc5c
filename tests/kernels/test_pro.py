import numpy as np
import pytest
import reference_pro as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_pro import maps_and_masks

from st3d.kernels.auroc import auroc
from st3d.kernels.pro import Scores, area, au_pro


@given(st.integers(0, 10**6), st.sampled_from([2, 3, 5, 1000]), st.sampled_from([0.01, 0.05, 0.3, 0.77, 1.0]))
@settings(deadline=None, max_examples=60)
def test_au_pro_is_that_of_one_sort_over_all_pixels_and_of_the_definition(seed, levels, limit):
    maps, masks = maps_and_masks(seed, levels)
    found = au_pro(maps, masks, limit)
    assert found == pytest.approx(reference.area(*reference.curve_by_sorting(maps, masks), limit), abs=1e-12)
    assert found == pytest.approx(reference.area(*reference.curve_by_definition(maps, masks), limit), abs=1e-12)


@given(st.integers(0, 10**6), st.sampled_from([3, 1000]), st.sampled_from([5, 100]))
@settings(deadline=None, max_examples=30)
def test_sampled_au_pro_is_that_of_the_first_evaluation_code(seed, levels, thresholds):
    maps, masks = maps_and_masks(seed, levels)
    expected = reference.sampled(maps, masks, 0.3, thresholds)
    assert au_pro(maps, masks, 0.3, thresholds) == pytest.approx(expected, abs=1e-12)


def test_two_regions_counted_by_hand():
    # components: {0.9, 0.4} and {0.8}; non-anomalous scores 0.7, 0.5, 0.3, 0.2
    scores = np.array([[0.9, 0.4, 0.7, 0.8], [0.5, 0.3, 0.2, 0.2]], np.float32)
    scores[1, 3] = 0.1
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 0]])
    # above 0.8 PRO is 0.25, then 0.75 until 0.4, where two of the five non-anomalous pixels lie above; then 1
    assert au_pro([scores], [mask], limit=1.0) == pytest.approx(0.4 * 0.75 + 0.6 * 1.0)
    assert au_pro([scores], [mask], limit=0.3) == pytest.approx(0.75)


def test_a_tie_between_a_normal_and_an_anomalous_score_is_one_slanted_step():
    scores, mask = np.array([[0.5, 0.5, 0.1]], np.float32), np.array([[1, 0, 0]])
    # (0, 0) to (1/2, 1), then flat: at 0.3 the curve is at 0.6
    assert au_pro([scores], [mask], limit=0.3) == pytest.approx(0.3)
    assert au_pro([scores], [mask], limit=1.0) == pytest.approx(0.75)


def test_diagonal_pixels_are_one_component_and_separate_ones_count_alike_whatever_their_size():
    scores = np.zeros((5, 5), np.float32)
    scores[0, 0] = scores[4, 4] = 1
    diagonal = np.zeros((5, 5), bool)
    diagonal[0, 0] = diagonal[1, 1] = True
    assert len(Scores.collect([scores], [diagonal]).components) == 1
    two = np.zeros((5, 5), bool)
    two[0, 0] = two[3:, 3:] = True  # a single pixel, found; a square of four, one found
    fpr, pro = Scores.collect([scores], [two]).curve()
    assert pro[np.flatnonzero(fpr == 0)[-1]] == pytest.approx((1 + 1 / 4) / 2)


def test_a_perfect_map_scores_one_and_a_constant_map_half_the_limit():
    mask = np.zeros((20, 20), bool)
    mask[3:6, 4:9] = True
    assert au_pro([mask.astype(np.float32)], [mask]) == 1.0
    assert au_pro([np.full((20, 20), 7.0)], [mask]) == pytest.approx(0.15)
    assert au_pro([-mask.astype(np.float32)], [mask]) == pytest.approx(0.0, abs=1e-12)


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=25)
def test_au_pro_depends_on_the_order_of_scores_only(seed):
    maps, masks = maps_and_masks(seed, 50)
    assert au_pro([np.exp(3 * m) - 9 for m in maps], masks) == pytest.approx(au_pro(maps, masks), abs=1e-12)


def test_the_curve_rises_from_the_origin_to_one():
    fpr, pro = Scores.collect(*maps_and_masks(3, 20)).curve()
    assert (fpr[0], pro[0], fpr[-1], pro[-1]) == (0, 0, 1, 1)
    assert (np.diff(fpr) >= 0).all() and (np.diff(pro) >= 0).all()


def test_masks_count_as_anomalous_wherever_they_are_not_zero():
    scores = np.random.default_rng(0).random((6, 6))
    mask = np.zeros((6, 6), np.uint8)
    mask[1:3, 1:3] = 252
    assert au_pro([scores], [mask]) == au_pro([scores], [mask > 0])


@pytest.mark.parametrize(
    "maps, masks, message",
    [
        ([np.zeros((2, 2))], [np.zeros((2, 2))], "no anomalous pixel in any mask: PRO is undefined"),
        ([np.zeros((2, 2))], [np.ones((2, 2))], "no non-anomalous pixel"),
        ([np.zeros((2, 2)), np.zeros((2, 3))], [np.eye(2), np.eye(2)], r"map 1: expected the mask's shape \(2, 2\)"),
        ([np.array([[np.nan, 0], [0, 0]])], [np.eye(2)], "map 0: expected finite scores"),
    ],
)
def test_what_has_no_au_pro_is_refused(maps, masks, message):
    with pytest.raises(ValueError, match=message):
        au_pro(maps, masks)


def test_a_limit_outside_zero_to_one_is_refused():
    with pytest.raises(ValueError, match=r"limit in \(0, 1\], found 0"):
        area(np.array([0.0, 1]), np.array([0.0, 1]), 0)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=40))
def test_auroc_is_the_share_of_pairs_in_order_with_ties_as_half(pairs):
    scores, labels = [s for s, _ in pairs], [a for _, a in pairs]
    if len(set(labels)) < 2:
        with pytest.raises(ValueError, match="expected both classes"):
            auroc(scores, labels)
        return
    wins = [(a > s) + 0.5 * (a == s) for a, x in pairs if x for s, y in pairs if not y]
    assert auroc(scores, labels) == pytest.approx(np.mean(wins))


def test_scores_that_float32_would_merge_stay_apart():
    maps, masks = [np.array([[1 + 1e-9, 1, 1, 1]])], [np.array([[1, 0, 0, 0]])]
    assert maps[0].astype(np.float32).min() == maps[0].astype(np.float32).max()
    assert au_pro(maps, masks) == 1


def test_an_outlier_that_crowds_all_others_into_one_bucket_changes_nothing(rng):
    scores = rng.random((60, 60)).astype(np.float32)
    mask = rng.random((60, 60)) < 0.3
    mask[0, 0] = True
    scores[0, 0] = 1
    alike = scores.copy()
    alike[0, 0] = 3e38
    assert au_pro([scores], [mask]) == au_pro([alike], [mask])


@pytest.mark.parametrize("scale", [1e-310, 5e-324, 1e-303, 1e-290, 1e290, 8e307])
def test_float64_scores_of_any_range_are_counted_by_their_order(scale):
    maps, masks = [np.array([[2.0, 0, 1, 0], [2, -2, -1, 2]]) * scale], [np.array([[1, 1, 0, 0], [0, 1, 0, 1]])]
    assert au_pro(maps, masks) == pytest.approx(au_pro([maps[0] / scale], masks), abs=1e-12)


def test_subnormal_scores_are_not_merged():
    assert au_pro([np.array([[1e-310, 0, 5e-311, 0]])], [np.array([[1, 1, 0, 0]])]) == pytest.approx(0.5)
