import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from st3d import harmonic, harmonic_torch
from st3d.harmonic_torch import equations, fill, solve

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, CUDA])]


@pytest.fixture(autouse=True)
def one_thread():
    """On busy cores threads wait for each other, far longer than such small images take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def filled(values, known, device="cpu"):
    return fill(torch.from_numpy(values).to(device), torch.from_numpy(known).to(device)).cpu().numpy()


def object_mask(rng, size, count):
    """About `count` known pixels (size, size) on a disc of 40 % of the image."""
    y, x = np.mgrid[:size, :size] / size
    disc = np.hypot(y - 0.48, x - 0.52) < np.sqrt(0.4 / np.pi)
    return disc & (rng.random(disc.shape) < count / disc.sum())


MASKS = {  # name: mask (h, w)
    "object": lambda rng: object_mask(rng, 400, 16000),
    "spread": lambda rng: rng.random((400, 400)) < 0.1,
    "odd sizes": lambda rng: rng.random((77, 131)) < 0.02,
    "few": lambda rng: rng.random((300, 401)) < 2e-4,
    "corner": lambda rng: np.pad(rng.random((20, 20)) < 0.3, ((0, 180), (0, 111))),
    "row of pixels": lambda rng: np.arange(5000)[None] % 1234 == 0,
    "column of pixels": lambda rng: np.arange(999)[:, None] % 500 == 7,
    "stripes": lambda rng: np.arange(128)[:, None].repeat(90, 1) % 2 == 0,
    "few unknown": lambda rng: rng.random((100, 111)) < 0.995,
    "one unknown": lambda rng: np.arange(90 * 70).reshape(90, 70) != 1234,
}


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 10**6))
@settings(deadline=None, max_examples=80)
def test_the_gpu_solver_agrees_with_the_compiled_one_on_any_mask(h, w, share, seed):
    rng = np.random.default_rng(seed)
    known = rng.random((h, w)) < share
    known.flat[rng.integers(h * w)] = True
    values = (rng.normal(size=(h, w)) * 100).astype(np.float32)
    found, given_values = filled(values, known), values[known]
    rounding = np.finfo(np.float32).eps * np.abs(given_values).max()
    assert np.abs(found - harmonic.fill(values, known)).max() <= 1e-6 * np.ptp(given_values) + rounding
    assert np.array_equal(found[known], given_values)
    assert given_values.min() <= found.min() and found.max() <= given_values.max()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", MASKS)
def test_the_gpu_solver_agrees_with_the_compiled_one_where_levels_are_many(rng, name, device):
    known = MASKS[name](rng)
    values = np.where(known, rng.random(known.shape), np.nan).astype(np.float32)
    found = filled(values, known, device)
    assert found.dtype == np.float32 and np.array_equal(found[known], values[known])
    assert np.abs(found - harmonic.fill(values, known)).max() <= 1e-6 * np.ptp(values[known])
    assert values[known].min() <= found.min() and found.max() <= values[known].max()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", MASKS)
def test_few_iterations_are_enough(rng, name, device, monkeypatch):
    monkeypatch.setattr(harmonic_torch, "CHECK_EVERY", 1)
    known = torch.from_numpy(MASKS[name](rng)).to(device)
    scaled = torch.from_numpy(rng.random(known.shape) - 0.5).to(device) * known
    assert solve(*equations(scaled, known))[1] <= 14


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("strict", [False, True])
def test_two_runs_give_the_same_bits(rng, strict, device):
    known = MASKS["object"](rng)
    values = rng.random(known.shape).astype(np.float32)
    first = filled(values, known, device)
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(strict)
    try:
        assert np.array_equal(filled(values, known, device), first)
    finally:
        torch.use_deterministic_algorithms(before)


@pytest.mark.parametrize("value", [0.0, -3.5, 1e-30, 3e38])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 7), (40, 70)])
def test_one_known_pixel_fills_everything(shape, value):
    known = np.zeros(shape, bool)
    known[-1, shape[1] // 2] = True
    assert (filled(np.where(known, value, np.nan).astype(np.float32), known) == np.float32(value)).all()


def test_a_picture_without_unknown_pixels_stays(rng):
    values = rng.random((70, 80)).astype(np.float32)
    assert np.array_equal(filled(values, np.ones((70, 80), bool)), values)


def test_values_at_both_ends_of_float32_are_filled():
    known = np.eye(30, dtype=bool)
    values = np.where(np.arange(30) < 15, -3e38, 3e38).astype(np.float32) * known
    found, expected = (f(values, known).astype(np.float64) for f in (filled, harmonic.fill))
    assert np.abs(found - expected).max() <= 1e-6 * 6e38


def test_too_few_iterations_are_an_error(rng, monkeypatch):
    monkeypatch.setattr(harmonic_torch, "MOST_ITERATIONS", 2)
    with pytest.raises(ArithmeticError, match="^fill: no solution after 2 iterations$"):
        filled(rng.random((40, 40)).astype(np.float32), rng.random((40, 40)) < 0.1)
