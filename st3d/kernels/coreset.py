"""A coreset: rows that cover all rows of a bank, chosen greedily.

Letters: b rows of d numbers, m of them chosen.
"""

import numpy as np
import torch
from torch import Tensor

from st3d.kernels.native import declared, library

_coreset = declared(library.st3d_coreset, "f4[2] i8 i8 i8 i8[1]")


def coreset(rows: Tensor, count: int) -> Tensor:
    """Indices of `count` rows: the first one, then each the farthest from all chosen before it (greedy k-centre).

    Parameters
    ----------
    rows
        (b, d) float32, finite.
    count
        m, in [1, b].

    Returns
    -------
    (m,) int64 on the rows' device, distinct, in the order of choice: a prefix is itself a coreset; of equal distances
    the lowest index; a duplicate of a chosen row is taken only when no other row is left

    Raises
    ------
    ValueError
        If `count` is not in [1, b], or a number is not finite.

    Notes
    -----
    Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985. Distances are of true differences, in
    float64. On the CPU rows that a new one cannot come nearer to are skipped by the triangle inequality.

    Examples
    --------
    >>> coreset(torch.tensor([[0.0], [1.0], [5.0], [3.0]]), 3)
    tensor([0, 2, 3])
    """
    if rows.ndim != 2 or not 1 <= count <= len(rows):
        raise ValueError(
            f"coreset: expected rows (b, d) and count in [1, b], found rows {tuple(rows.shape)} and count {count}"
        )
    if not torch.isfinite(rows).all():
        raise ValueError("coreset: expected finite numbers, found NaN or infinity")
    rows = rows.float().contiguous()
    if rows.device.type != "cpu":
        return _by_torch(rows, count)
    chosen = np.empty(count, np.int64)
    if _coreset(rows.numpy(), *rows.shape, count, chosen):
        raise MemoryError(f"coreset: no memory for {len(rows)} rows")
    return torch.from_numpy(chosen)


def _by_torch(rows: Tensor, count: int) -> Tensor:
    """The same by torch's operations."""
    number = torch.arange(len(rows), device=rows.device)
    squared = torch.full((len(rows),), torch.inf, dtype=torch.float64, device=rows.device)
    chosen = torch.zeros(count, dtype=torch.int64, device=rows.device)
    current = chosen[0]
    for place in range(count):
        chosen[place] = current
        now = (rows.double() - rows[current].double()).square().sum(dim=1)
        squared = torch.minimum(squared, now)
        squared = torch.where(number == current, -1.0, squared)  # it is farthest no more
        farthest = squared == squared.max()
        current = torch.where(farthest, number, len(rows)).min()  # argmax of equals is not fixed on a GPU
    return chosen
