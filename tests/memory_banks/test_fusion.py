"""Shape and colour on one scale, in one map."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from st3d.memory_banks.bank_scores import blurred
from st3d.memory_banks.fusion import Alignment, blurred_there, enlarged_there, fused


def scores(rng, size=56, mean=1.0, deviation=0.1, share=0.5):
    """A disc of normal scores, the rest not there; its radius by the share of the side that it takes."""
    row, column = np.mgrid[:size, :size] - (size - 1) / 2
    values = rng.normal(mean, deviation, (size, size)).astype(np.float32)
    return np.where(np.hypot(row, column) < share * size / 2, values, np.float32(np.nan))


def pairs(rng, count=4):
    return [(scores(rng, mean=0.02, deviation=0.004), scores(rng, mean=3, deviation=0.5, share=0.7))
            for _ in range(count)]  # fmt: skip


def test_aligned_colour_scores_have_shapes_mean_and_deviation(rng):
    given_pairs = pairs(rng)
    found = Alignment.of(given_pairs, blur=2)
    shape, colour = (np.concatenate([blurred_there(each[kind], 2)[np.isfinite(each[kind])] for each in given_pairs])
                     for kind in (0, 1))  # fmt: skip
    aligned = found.factor * colour + found.shift
    assert aligned.mean() == pytest.approx(shape.mean(), rel=1e-4)
    assert aligned.std() == pytest.approx(shape.std(), rel=1e-4)


@given(st.floats(0.01, 100), st.floats(-5, 5), st.sampled_from([0.0, 2.0]))
@settings(deadline=None, max_examples=20)
def test_neither_the_unit_nor_the_zero_of_colour_scores_matters(factor, shift, blur):
    rng = np.random.default_rng(0)
    given_pairs = pairs(rng)
    changed = [(shape, np.float32(factor) * colour + np.float32(shift)) for shape, colour in given_pairs]
    plain, other = Alignment.of(given_pairs, blur), Alignment.of(changed, blur)
    for own, changed_own in zip(given_pairs, changed, strict=True):
        expected = fused(*own, plain)
        assert np.allclose(fused(*changed_own, other), expected, atol=2e-3 * expected.max())


def test_the_fused_map_is_nowhere_below_shapes_and_zero_where_nothing_is_scored(rng):
    shape, colour = scores(rng, mean=0.02, deviation=0.01), scores(rng, mean=3, deviation=0.5, share=0.7)
    found = fused(shape, colour, Alignment(0.01, 0.5))
    there = np.isfinite(shape)
    assert (found[there] >= shape[there]).all() and (found >= 0).all()
    neither = ~there & ~np.isfinite(colour)
    assert neither.any() and not found[neither].any()  # though the shift is above 0
    only = ~there & np.isfinite(colour)
    assert np.allclose(found[only], 0.01 * colour[only] + 0.5, rtol=1e-6)
    assert (fused(shape, colour, Alignment(0.0, -1.0)) == np.where(there, np.maximum(shape, 0), 0)).all()


def test_scores_that_are_not_there_take_no_part_in_a_blur(rng):
    constant = np.where(np.isfinite(scores(rng)), np.float32(3), np.float32(np.nan))
    found = blurred_there(constant, 2)
    assert np.allclose(found[np.isfinite(constant)], 3, rtol=1e-6)
    assert np.array_equal(np.isfinite(found), np.isfinite(constant))
    whole = rng.random((20, 20)).astype(np.float32)
    assert np.allclose(blurred_there(whole, 2), blurred(whole, 2), rtol=1e-5)


def test_cells_are_enlarged_without_those_that_are_not_there(rng):
    cells = np.full((28, 28), np.nan, np.float32)
    cells[4:9, 5:11] = 7
    found = enlarged_there(cells, 112)
    assert np.array_equal(np.isfinite(found), np.kron(np.isfinite(cells), np.ones((4, 4))).astype(bool))
    assert np.allclose(found[16:36, 20:44], 7)


def test_colour_scores_that_are_all_equal_have_no_weight_and_none_are_refused(rng):
    shape = scores(rng)
    found = Alignment.of([(shape, np.where(np.isfinite(shape), np.float32(2), shape))], 0)
    assert found.factor == 0 and found.shift == pytest.approx(np.nanmean(shape), rel=1e-5)
    with pytest.raises(ValueError, match="expected scores of shape and of colour to align, found none"):
        Alignment.of([(shape, np.full_like(shape, np.nan))], 0)
