"""Mean and standard deviation of the teacher's descriptors."""

from collections.abc import Iterable

import torch
from torch import Tensor


@torch.no_grad()
def feature_statistics(features: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation per channel over all rows, summed in float64.

    Parameters
    ----------
    features
        (q, c) float32 tensors, one per scan.

    Returns
    -------
    Mean and standard deviation (c,), float32. A constant channel has 1: its target is then 0 everywhere.
    """
    total, square, count = torch.zeros(()), torch.zeros(()), 0
    device = torch.device("cpu")
    for each in features:
        device, exact = each.device, each.double()
        total, square = total + exact.sum(dim=0).cpu(), square + exact.square().sum(dim=0).cpu()
        count += len(each)
    mean = total / count
    std = (square / count - mean.square()).clamp(min=0).sqrt()
    std[std <= 1e-6 * mean.abs()] = 1.0  # no more than float32's rounding
    return mean.float().to(device), std.float().to(device)
