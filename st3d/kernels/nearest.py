"""Nearest points of pairs of sets, and the Chamfer distance between them."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from st3d.kernels.native import declared, in_ranges, library

_nearest = declared(library.st3d_nearest, "f4[3] i8 f4[2] i8[1] i8 i8 i8[1] i8[1]")


def chamfer_of_sets(first: Tensor, second: Tensor, offsets: Sequence[int]) -> Tensor:
    """Chamfer distances of q pairs of point sets.

    Parameters
    ----------
    first
        (q, m, 3) float tensor, sets of one size, any one length unit.
    second
        (r, 3) float tensor, sets one after the other.
    offsets
        (q + 1,) rising from 0 to r: set s is second[offsets[s]:offsets[s + 1]].

    Returns
    -------
    (q,) tensor, differentiable in both: the mean squared distance of a point to its nearest of the other set, both
    ways, summed

    Notes
    -----
    Fan et al., "A point set generation network", CVPR 2017. Searched in float32; ties go to the lowest index.
    """
    q, m, _ = first.shape
    # not waited for, and nothing below asks the device for a number: a step's work is queued ahead of a GPU
    starts = torch.tensor(list(offsets), dtype=torch.int64).to(first.device, non_blocking=True)
    with torch.no_grad():
        to_second, to_first = _nearest_of_sets(first.float(), second.float(), starts, offsets)
        # each point weighs 1 / (size of its set)
        sizes = starts.diff()
        own = torch.repeat_interleave(torch.arange(q, device=first.device), sizes, output_size=len(second))
        weight = (1 / sizes.to(first.dtype))[own]
    flat = first.flatten(0, 1)
    forward = (flat - second[to_second]).square().sum(dim=1).view(q, m).mean(dim=1)
    backward = (second - flat[to_first]).square().sum(dim=1) * weight
    return forward + torch.zeros_like(forward).index_add(0, own, backward)


def _nearest_of_sets(first: Tensor, second: Tensor, starts: Tensor, offsets: Sequence[int]) -> tuple[Tensor, Tensor]:
    """For each point the nearest of its set's partner: rows of `second` (q * m,), rows of the flat `first` (r,)."""
    if first.shape[2] != 3:
        return _nearest_by_torch(first, second, offsets)
    if first.device.type == "cpu":
        return _nearest_on_cpu(first, second, offsets)
    from st3d.kernels import nearest_triton

    return nearest_triton.nearest(first, second, starts, offsets)


def _nearest_on_cpu(first: Tensor, second: Tensor, offsets: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The same by the C kernel."""
    q, m, _ = first.shape
    to_second, to_first = np.empty(q * m, np.int64), np.empty(len(second), np.int64)
    # detached here: torch.no_grad does not hold in kernel threads
    sets, partners = (each.detach().contiguous().numpy() for each in (first, second))
    starts = np.array(offsets, np.int64)
    in_ranges(lambda a, b: _nearest(sets, m, partners, starts, a, b, to_second, to_first), q, 1)
    return torch.from_numpy(to_second), torch.from_numpy(to_first)


def _nearest_by_torch(first: Tensor, second: Tensor, offsets: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The same by torch's operations, from exact differences: the matrix-product form would mistake near neighbours."""
    m = first.shape[1]
    to_second, to_first = [], []
    for number, (start, stop) in enumerate(pairwise(offsets)):
        distance = torch.cdist(first[number], second[start:stop], compute_mode="donot_use_mm_for_euclid_dist")
        to_second.append(start + distance.argmin(dim=1))
        to_first.append(number * m + distance.argmin(dim=0))
    return torch.cat(to_second), torch.cat(to_first)
