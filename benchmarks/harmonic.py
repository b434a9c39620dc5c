"""Harmonic fill beside pyamg's Ruge-Stueben with CG, to the same error."""

from collections.abc import Iterator

import numpy as np
import pyamg
import scipy.sparse as sparse

from benchmarks.measure import Row, alternating
from st3d.kernels.harmonic import fill

SIDE, KNOWN, FRACTION, REPEATS = 800, 64_000, 0.4, 5
TOLERANCE = 1e-8  # of the reference's residual: its error is then close to the kernel's


def reference(values, known, tolerance=TOLERANCE):
    """Matrix, hierarchy and solution."""
    index = np.arange(known.size).reshape(known.shape)
    start = np.concatenate([index[:, :-1].ravel(), index[:-1].ravel()])
    end = np.concatenate([index[:, 1:].ravel(), index[1:].ravel()])
    edges = sparse.coo_matrix((np.ones(len(start)), (start, end)), shape=(known.size,) * 2).tocsr()
    edges = edges + edges.T
    laplacian = (sparse.diags(np.asarray(edges.sum(axis=1)).ravel()) - edges).tocsr()
    unknown, filled = ~known.ravel(), values.astype(float).ravel()
    rows = laplacian[unknown]
    solver = pyamg.ruge_stuben_solver(rows[:, unknown].tocsr())
    filled[unknown] = solver.solve(-rows[:, ~unknown] @ filled[~unknown], tol=tolerance, accel="cg")
    return filled.reshape(known.shape)


def cases():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    disc = (y - SIDE / 2) ** 2 + (x - SIDE / 2) ** 2 < FRACTION * SIDE**2 / np.pi
    for name, places in (("on 40 % of the image", np.flatnonzero(disc)), ("spread over the image", np.arange(SIDE**2))):
        known = np.zeros(SIDE**2, bool)
        known[rng.choice(places, KNOWN, replace=False)] = True
        yield name, (rng.random((SIDE, SIDE)) + x / SIDE).astype(np.float32), known.reshape(SIDE, SIDE)


def rows() -> Iterator[Row]:
    for name, values, known in cases():
        exact = reference(values, known, 1e-13)
        span = np.ptp(values[known])
        errors = [np.abs(call(values, known) - exact).max() / span for call in (fill, reference)]
        calls = {"ours": lambda v=values, k=known: fill(v, k), "reference": lambda v=values, k=known: reference(v, k)}
        seconds = alternating(calls, REPEATS)
        yield Row(
            f"harmonic fill, {name}",
            f"{SIDE} x {SIDE}, {KNOWN:,} known",
            seconds["ours"],
            "8 x faster, <= 0.5 s on one core",
            "pyamg ruge_stuben_solver with CG",
            seconds["reference"],
            floor_bytes=SIDE * SIDE * (4 + 1 + 4),
            threads=1,
            remark=f"largest error {errors[0]:.0e} of the range, the reference's {errors[1]:.0e}",
        )
