"""Losses between point sets."""

import torch
from torch import Tensor


def chamfer(first: Tensor, second: Tensor) -> Tensor:
    """Chamfer distance: mean squared distance to the nearest point of the other set, both ways, summed.

    Parameters
    ----------
    first : (a, 3) float tensor, a >= 1
    second : (b, 3) float tensor, b >= 1, the same unit

    Returns
    -------
    () float tensor, the unit squared, differentiable in both sets

    Raises
    ------
    ValueError
        If a set is empty or not of three columns.

    Notes
    -----
    Time O(a b), memory O(a b) for the search, which no gradient passes through; the gradient needs O(a + b).

    Examples
    --------
    >>> chamfer(torch.zeros(1, 3), torch.tensor([[1.0, 0, 0], [2.0, 0, 0]])).item()
    3.5
    """
    for points in (first, second):
        if points.ndim != 2 or points.shape[1] != 3 or not len(points):
            raise ValueError(f"chamfer: expected points of shape (1 or more, 3), found {tuple(points.shape)}")
    with torch.no_grad():  # exact differences: the matrix-product form would mistake near neighbours
        distance = torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
        to_second, to_first = distance.argmin(dim=1), distance.argmin(dim=0)
    forward = (first - second[to_second]).square().sum(dim=1).mean()
    backward = (second - first[to_first]).square().sum(dim=1).mean()
    return forward + backward
