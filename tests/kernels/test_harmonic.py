import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import reference_harmonic as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from st3d.kernels import harmonic
from st3d.kernels.harmonic import fill


@given(st.integers(1, 24), st.integers(1, 24), st.floats(0.01, 1), st.integers(0, 10**6))
@settings(deadline=None, max_examples=80)
def test_a_filled_image_solves_the_sparse_equations_on_any_mask(h, w, fraction, seed):
    rng = np.random.default_rng(seed)
    known = rng.random((h, w)) < fraction
    known.flat[rng.integers(h * w)] = True
    values = rng.normal(size=(h, w)) * 100
    expected = reference.fill(values, known)
    spread = np.ptp(values[known]) or 1.0
    assert np.abs(fill(values, known) - expected).max() <= 2e-5 * spread + 1e-6 * np.abs(values).max()


def masks(rng):
    """Name and mask (h, w): clustered on a disc, spread, one pixel, one row, a frame, a line of pixels, islands."""
    y, x = np.mgrid[:300, :300]
    disc = np.hypot(y - 150, x - 140) < 107
    islands = np.ones((90, 80), bool)
    islands[10:15, 10:15] = islands[40:80, 30:31] = islands[0, 0] = islands[-1, :] = False
    one, row, frame = (np.zeros((130, 170), bool) for _ in range(3))
    one[60, 3] = row[0] = True
    frame[[0, -1]] = frame[:, [0, -1]] = True
    yield "disc", disc & (rng.random(disc.shape) < 0.3)
    yield "spread", rng.random((300, 300)) < 0.1
    yield from {"one": one, "row": row, "frame": frame, "islands": islands}.items()
    yield "line", np.arange(5000)[None] % 1234 == 0
    yield "few", rng.random((400, 401)) < 2e-4


@pytest.mark.parametrize("name", ["disc", "spread", "one", "row", "frame", "islands", "line", "few"])
def test_every_filled_pixel_is_the_mean_of_its_neighbours_and_known_ones_stay(rng, name):
    known = dict(masks(rng))[name]
    values = np.where(known, rng.random(known.shape), np.nan).astype(np.float32)
    filled = fill(values, known)
    assert filled.dtype == np.float32 and np.array_equal(filled[known], values[known])
    assert reference.deviation(filled, known) <= 1e-6 * max(np.ptp(values[known]), 1e-30) + 1e-7


def test_filled_values_stay_within_the_known_ones(rng):
    known = rng.random((60, 70)) < 0.05
    values = rng.random((60, 70))
    filled = fill(values, known)
    assert values[known].min() - 1e-6 <= filled.min() and filled.max() <= values[known].max() + 1e-6


def test_a_plane_between_two_known_sides_is_filled_as_a_plane():
    known = np.zeros((50, 33), bool)
    known[[0, -1]] = True  # the natural border at the other two sides lets the slope run on
    plane = np.repeat(np.linspace(2, 5, 50)[:, None], 33, axis=1)
    assert np.abs(fill(np.where(known, plane, 0), known) - plane).max() < 1e-5


@pytest.mark.parametrize("value", [0.0, -3.5, 1e-30, 1e30])
def test_one_known_value_fills_everything(value):
    known = np.zeros((9, 7), bool)
    known[4, 4] = True
    assert (fill(np.full((9, 7), value), known) == np.float32(value)).all()


def test_the_scale_of_the_values_changes_nothing_but_the_scale(rng):
    known = rng.random((80, 80)) < 0.2
    values = rng.random((80, 80))
    assert np.allclose(fill(values * 2.0**60, known) / 2.0**60, fill(values, known), atol=1e-7)


@pytest.mark.parametrize(
    "values, known, message",
    [
        (np.zeros((3, 3)), np.zeros((3, 3), bool), "expected a known pixel or more, found none in 9"),
        (np.zeros((3, 3)), np.ones((3, 4), bool), r"one shape \(h, w\), found \(3, 3\) and \(3, 4\)"),
        (np.zeros((3, 3)), np.ones((3, 3)), "float64"),
        (np.full((3, 3), np.nan), np.ones((3, 3), bool), "expected finite values at known pixels"),
        (np.full((3, 3), 1e300), np.ones((3, 3), bool), "expected finite values at known pixels"),
    ],
)
def test_what_cannot_be_filled_is_refused(values, known, message):
    with pytest.raises(ValueError, match=message):
        fill(values, known)


def test_arrays_of_any_order_in_memory_are_filled_alike(rng):
    values, known = rng.random((40, 60)).astype(np.float32), rng.random((40, 60)) < 0.05
    fortran = fill(np.asfortranarray(values), np.asfortranarray(known))
    assert np.array_equal(fortran, fill(values, known))
    assert np.allclose(fill(values.T, known.T).T, fortran, atol=1e-6)


def test_too_few_iterations_are_an_error_that_the_command_line_shows_in_one_line(rng, monkeypatch):
    monkeypatch.setattr(harmonic, "MOST_ITERATIONS", 1)
    with pytest.raises(ValueError, match="fill: expected convergence within 1 iterations, found none for .*40 x 50"):
        fill(rng.random((40, 50)), rng.random((40, 50)) < 0.1)


INDEFINITE = r"""
#include "harmonic.c"
int solve_with_sign(float sign)
{
    enum { SIDE = 8 };
    static Level level[2];
    float row[5 * (SIDE + 4)], values[SIDE * SIDE] = {1};
    uint8_t known[SIDE * SIDE] = {1};
    allocate(level, SIDE, SIDE, 1), allocate(level + 1, SIDE / 2, SIDE / 2, 0);
    double *vectors = calloc((size_t)(level->size * 4), sizeof(double));
    equations(level, values, known, 0, 1, vectors + level->size + SIDE + 3);
    coarsen(level, level + 1, row);
    for (int64_t i = 0; i < level->size; i++) level->inverse[i - level->n - 1] *= sign;
    return solve(level, 2, vectors, row + 1, 1e-8, 500);
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_preconditioner_that_is_not_definite_is_no_solution(tmp_path):
    (tmp_path / "indefinite.c").write_text(INDEFINITE)
    source = Path(harmonic.__file__).with_name("src")
    command = ["cc", "-shared", "-fPIC", "-std=gnu11", "-Wno-psabi", f"-I{source}", "indefinite.c", "-o", "i.so", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    solve = ctypes.CDLL(str(tmp_path / "i.so")).solve_with_sign
    solve.argtypes = [ctypes.c_float]
    assert [solve(1), solve(-1)] == [0, 1]
