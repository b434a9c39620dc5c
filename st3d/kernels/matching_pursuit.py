"""Orthogonal matching pursuit, for many vectors at once.

Letters: q vectors, k atoms of each, d numbers of a vector or an atom.
"""

import torch
from torch import Tensor

DEPENDENT = 1e-10  # an atom of which less than this fraction is off those taken adds nothing


def matching_pursuit(vectors: Tensor, atoms: Tensor, nonzero: int) -> Tensor:
    """Each vector's approximation by a few of its atoms.

    The atom with the largest product with what is left of the vector is taken, then the vector is fitted anew to all
    that are taken (least squares), and so on.

    Parameters
    ----------
    vectors
        (q, d) float.
    atoms
        (q, k, d) float, of any length; they are not normalised.
    nonzero
        How many atoms are taken at most, 1 or more.

    Returns
    -------
    (q, d), of the vectors' type; of atoms with equal products the first is taken

    Raises
    ------
    ValueError
        If a shape does not fit, or `nonzero` is below 1.

    Notes
    -----
    Pati et al., Asilomar 1993. In float64; atoms are made orthogonal to those taken before (Gram-Schmidt, twice), so a
    fit is a projection, and near-parallel atoms do no harm. What scikit-learn's `sparse_encode` with algorithm "omp"
    approximates.

    Examples
    --------
    >>> atoms = torch.tensor([[[2.0, 0, 0], [0, 1, 0], [0, 0, 1]]])
    >>> matching_pursuit(torch.tensor([[1.0, 5, 3]]), atoms, nonzero=2)
    tensor([[0., 5., 3.]])
    """
    if vectors.ndim != 2 or atoms.ndim != 3 or (len(vectors), vectors.shape[1]) != (len(atoms), atoms.shape[2]):
        found = f"{tuple(vectors.shape)} and {tuple(atoms.shape)}"
        raise ValueError(f"matching_pursuit: expected vectors (q, d) and atoms (q, k, d), found {found}")
    if nonzero < 1:
        raise ValueError(f"matching_pursuit: expected nonzero of 1 or more, found {nonzero}")
    residual, given = vectors.double(), atoms.double()
    every = torch.arange(len(vectors), device=vectors.device)
    taken = torch.zeros(atoms.shape[:2], dtype=torch.bool, device=vectors.device)
    basis: list[Tensor] = []  # orthonormal, (q, d) each; zero where an atom added nothing
    for _ in range(min(nonzero, atoms.shape[1])):
        product = (given * residual[:, None]).sum(dim=2).abs().masked_fill(taken, -1)  # (q, k)
        best = product.argmax(dim=1)
        taken[every, best] = True
        atom = given[every, best]
        length = torch.linalg.vector_norm(atom, dim=1, keepdim=True)
        for _ in range(2):
            for other in basis:
                atom = atom - (atom * other).sum(dim=1, keepdim=True) * other
        left = torch.linalg.vector_norm(atom, dim=1, keepdim=True)
        unit = torch.where(left > DEPENDENT * length, atom / left.clamp_min(1e-300), 0.0)
        residual = residual - (residual * unit).sum(dim=1, keepdim=True) * unit
        basis.append(unit)
    return (vectors.double() - residual).to(vectors.dtype)
