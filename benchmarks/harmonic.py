"""Harmonic fill of 800 x 800 with 64,000 known pixels, beside pyamg's Ruge-Stueben with CG; medians and ratios.

python benchmarks/harmonic.py
"""

import logging
import time
from statistics import median

import numpy as np
import pyamg
import scipy.sparse as sparse

from st3d.harmonic import fill

SIDE, KNOWN, SHARE, REPEATS = 800, 64_000, 0.4, 5
TOLERANCE = 1e-8  # of the twin's residual: its error is then close to the kernel's


def twin(values, known, tolerance=TOLERANCE):
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
    disc = (y - SIDE / 2) ** 2 + (x - SIDE / 2) ** 2 < SHARE * SIDE**2 / np.pi
    for name, places in (("on an object", np.flatnonzero(disc)), ("spread", np.arange(SIDE**2))):
        known = np.zeros(SIDE**2, bool)
        known[rng.choice(places, KNOWN, replace=False)] = True
        yield name, (rng.random((SIDE, SIDE)) + x / SIDE).astype(np.float32), known.reshape(SIDE, SIDE)


def main():
    for name, values, known in cases():
        exact = twin(values, known, 1e-13)
        seconds, error = {}, {}
        for _ in range(REPEATS):
            for which, call in (("kernel", fill), ("twin", twin)):
                start = time.perf_counter()
                filled = call(values, known)
                seconds.setdefault(which, []).append(time.perf_counter() - start)
                error[which] = np.abs(filled - exact).max() / np.ptp(values[known])
        kernel, other = median(seconds["kernel"]), median(seconds["twin"])
        logging.info("%s: %.3f s, error %.0e of the range", name, kernel, error["kernel"])
        logging.info("  twin %.3f s, error %.0e: %.1f x faster", other, error["twin"], other / kernel)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
