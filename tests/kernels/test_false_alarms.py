"""Thresholds keep the false alarm rates that they are made for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from st3d.kernels.false_alarms import pixel_threshold, scan_threshold


@pytest.mark.parametrize("count, rate", [(19, 0.1), (40, 0.25), (99, 0.01)])
def test_new_scans_exceed_a_supported_threshold_as_often_as_was_asked_for(count, rate):
    rng = np.random.default_rng(1)
    draws = rng.pareto(2, (4000, count + 1)) + 1  # any distribution
    rates = [each[-1] > scan_threshold(each[:-1], rate).value for each in draws]
    # exactly (m + 1 - rank) / (m + 1); four standard errors
    assert abs(np.mean(rates) - rate) <= 4 * np.sqrt(rate / 4000) + 1 / (count + 1) * (rate * (count + 1) % 1 > 1e-6)


def test_twelve_scans_can_promise_no_rate_below_eight_percent():
    threshold = scan_threshold(np.linspace(1, 2, 12), 0.01)
    assert threshold.extrapolated and threshold.supported == pytest.approx(1 / 13)
    assert threshold.value > 2
    supported = scan_threshold(np.linspace(1, 2, 12), 1 / 13)
    assert not supported.extrapolated and supported.value == 2


def test_an_extrapolated_threshold_keeps_its_rate_for_log_normal_scores():
    rng = np.random.default_rng(2)
    draws = np.exp(rng.normal(0, 0.2, (4000, 13)))
    rates = [each[-1] > scan_threshold(each[:-1], 0.01).value for each in draws]
    assert np.mean(rates) < 0.016  # 0.01 and four standard errors


@given(st.lists(st.floats(0.01, 100), min_size=3, max_size=30), st.floats(0.005, 0.5), st.floats(1.1, 3))
def test_a_lower_rate_never_lowers_the_threshold_and_units_do_not_matter(scores, rate, factor):
    value = scan_threshold(scores, rate).value
    assert scan_threshold(scores, rate / factor).value >= value * (1 - 1e-9)
    assert scan_threshold([factor * score for score in scores], rate).value == pytest.approx(factor * value)


def test_the_pixel_threshold_leaves_the_asked_share_of_pixels_above():
    rng = np.random.default_rng(3)
    maps = [rng.gamma(2, 1 + 0.1 * number, (40, 50)).astype(np.float32) for number in range(6)]
    found = pixel_threshold(maps, 0.02)
    shares = [float((each > found.value).mean()) for each in maps]
    assert np.mean(shares) == pytest.approx(0.02, abs=1 / 2000)
    assert 0.01 < found.mean_share < 0.04 and found.largest_share > max(shares)


def test_scans_of_other_sizes_count_alike():
    small, large = np.zeros((5, 5)), np.ones((50, 50))
    found = pixel_threshold([small, small, large], 0.4)
    assert found.value == 0.0 or found.value == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "scores, rate, message",
    [
        ([1.0, 2.0], 0.1, "expected 3 or more anomaly-free scans to calibrate on, found 2"),
        ([1.0, 2.0, 3.0], 0.0, "expected a number above 0 and below 1, found 0"),
        ([1.0, 2.0, 0.0], 0.1, "expected finite scores above 0, found 0 to 2"),
    ],
)
def test_what_gives_no_threshold_is_refused(scores, rate, message):
    with pytest.raises(ValueError, match=message):
        scan_threshold(scores, rate)


def test_too_few_maps_are_refused():
    with pytest.raises(ValueError, match="expected 3 or more anomaly-free scans to calibrate on, found 1"):
        pixel_threshold([np.ones((2, 2))], 0.1)
