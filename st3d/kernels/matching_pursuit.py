"""Vectors as sums of few atoms: orthogonal matching pursuit, of many vectors at once.

Letters: p vectors, k atoms of each, d numbers of one.
"""

import torch
from torch import Tensor


def matching_pursuit(vectors: Tensor, atoms: Tensor, nonzero: int) -> Tensor:
    """Each vector's approximation by at most `nonzero` of its own atoms.

    Parameters
    ----------
    vectors
        (p, d) float, finite.
    atoms
        (p, k, d) float, finite; not normalised, some may be equal.
    nonzero
        Atoms that are taken, 1 or more; all k if there are fewer.

    Returns
    -------
    (p, d), in the type of `vectors`: again and again the atom with the largest |<atom, residual>| is taken, of equal
    ones the first, and the vector projected onto those taken

    Raises
    ------
    ValueError
        If `nonzero` is less than 1 or the shapes do not fit each other.

    Notes
    -----
    Pati, Rezaiifar, Krishnaprasad, "Orthogonal matching pursuit", Asilomar 1993; computed in float64.
    """
    if nonzero < 1 or atoms.ndim != 3 or vectors.shape != (len(atoms), atoms.shape[2]):
        raise ValueError(
            f"matching_pursuit: expected vectors (p, d), atoms (p, k, d) and 1 atom or more to take, found"
            f" {tuple(vectors.shape)}, {tuple(atoms.shape)} and {nonzero}"
        )
    wanted, given = vectors.double(), atoms.double()
    number = torch.arange(len(given), device=given.device)
    fitted, taken = torch.zeros_like(wanted), torch.zeros(given.shape[:2], dtype=torch.bool, device=given.device)
    chosen = given.new_empty(len(given), 0, given.shape[2])
    for _ in range(min(nonzero, given.shape[1])):
        fit = (given @ (wanted - fitted)[:, :, None])[:, :, 0].abs().masked_fill(taken, -1)
        best = fit.argmax(dim=1)
        taken[number, best] = True
        chosen = torch.cat([chosen, given[number, best][:, None]], dim=1)
        # of atoms that depend on each other the pseudo-inverse takes the shortest solution
        gram = torch.linalg.pinv(chosen @ chosen.transpose(1, 2), hermitian=True)
        factors = gram @ (chosen @ wanted[:, :, None])
        fitted = (factors.transpose(1, 2) @ chosen)[:, 0]
    return fitted.to(vectors.dtype)
