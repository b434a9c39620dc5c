"""The losses of the teacher and the student."""

from torch import Tensor
from torch.nn import functional

from st3d.kernels.nearest import chamfer_of_sets


def regression(features: Tensor, target: Tensor) -> Tensor:
    """The student's loss: mean over points of the squared Euclidean distance of two descriptors.

    Parameters
    ----------
    features
        (n, c) float, the student's, n >= 1.
    target
        (n, c) float, the teacher's, standardised.

    Returns
    -------
    () float tensor, differentiable

    Notes
    -----
    Bergmann and Sattlegger, section 3.2.
    """
    return functional.mse_loss(features, target, reduction="sum") / len(target)  # two passes instead of seven


def chamfer(first: Tensor, second: Tensor) -> Tensor:
    """Chamfer distance: mean squared distance to the nearest point of the other set, both ways, summed.

    Parameters
    ----------
    first
        (a, 3) float tensor, a >= 1, any length unit.
    second
        (b, 3) float tensor, b >= 1, the same unit.

    Returns
    -------
    () float tensor, the unit squared, differentiable in both sets

    Raises
    ------
    ValueError
        If a set is empty or not of three columns.

    Notes
    -----
    Time O(a b), memory O(a + b) on the CPU; float32.

    Examples
    --------
    >>> import torch
    >>> chamfer(torch.zeros(1, 3), torch.tensor([[1.0, 0, 0], [2.0, 0, 0]])).item()
    3.5
    """
    for points in (first, second):
        if points.ndim != 2 or points.shape[1] != 3 or not len(points):
            raise ValueError(f"chamfer: expected points of shape (1 or more, 3), found {tuple(points.shape)}")
    return chamfer_of_sets(first[None], second, [0, len(second)])[0]
