"""Nearest points of pairs of sets on CUDA GPUs without a distance matrix: kernels/src/nearest.c in Triton.

Each program keeps, for some queries, the nearest of every lane's targets in registers and compares lanes once, at the
end. A distance is the sum of three squared differences in float32, so that near points are told apart, and of equal
ones the lowest index is taken: equal inputs give equal results.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import triton
import triton.language as tl
from torch import Tensor

QUERIES, LANES = 32, 64  # of a program: a tile of 2,048 distances, 16 a thread


def nearest(first: Tensor, second: Tensor, starts: Tensor, offsets: Sequence[int]) -> tuple[Tensor, Tensor]:
    """For each point of q pairs of sets the nearest of its set's partner.

    Parameters
    ----------
    first
        (q, m, 3) float32, sets of one size.
    second
        (r, 3) float32, sets one after the other.
    starts
        (q + 1,) int64, `offsets` on the same device.
    offsets
        Set s is second[offsets[s]:offsets[s + 1]]; none is empty.

    Returns
    -------
    to_second
        (q * m,) int64, rows of `second`.
    to_first
        (r,) int64, rows of `first` as (q * m, 3).

    Notes
    -----
    Reads each set once per 32 points of its partner, from L2.
    """
    q, m, _ = first.shape
    first, second = first.contiguous(), second.contiguous()
    to_second, to_first = starts.new_empty(q * m), starts.new_empty(len(second))
    largest = max((stop - start for start, stop in pairwise(offsets)), default=0)
    if to_second.numel() and to_first.numel():
        with torch.cuda.device_of(first):
            for queries, targets, found, swapped, size in (
                (first, second, to_second, False, m), (second, first, to_first, True, largest)
            ):  # fmt: skip
                grid = (q, triton.cdiv(size, QUERIES))
                _nearest[grid](queries, targets, starts, found, m, swapped, QUERIES, LANES, num_warps=4)
    return to_second, to_first


@triton.jit(do_not_specialize=["m"])
def _nearest(
    queries, targets, starts, found, m,
    swapped: tl.constexpr, count: tl.constexpr, lanes: tl.constexpr,
):  # fmt: skip
    pair = tl.program_id(0).to(tl.int64)
    start, stop = tl.load(starts + pair), tl.load(starts + pair + 1)
    if swapped:  # queries are of the sets of different sizes
        query_start, query_stop, start, stop = start, stop, pair * m, (pair + 1) * m
    else:
        query_start, query_stop = pair * m, (pair + 1) * m
    row = query_start + tl.program_id(1) * count + tl.arange(0, count)
    at = queries + tl.minimum(row, query_stop - 1) * 3
    px, py, pz = tl.load(at)[:, None], tl.load(at + 1)[:, None], tl.load(at + 2)[:, None]
    smallest = tl.full((count, lanes), float("inf"), tl.float32)
    lane = tl.arange(0, lanes)
    nearest = tl.zeros((count, lanes), tl.int32) + lane[None, :]
    size = (stop - start).to(tl.int32)
    for first in tl.range(0, size, lanes):
        index = first + lane
        target = targets + (start + tl.minimum(index, size - 1)) * 3  # the last one again: it is no nearer
        x, y, z = px - tl.load(target)[None, :], py - tl.load(target + 1)[None, :], pz - tl.load(target + 2)[None, :]
        distance = x * x + y * y + z * z
        nearer = distance < smallest
        smallest = tl.where(nearer, distance, smallest)
        nearest = tl.where(nearer, tl.minimum(index, size - 1)[None, :], nearest)
    least = tl.min(smallest, axis=1)
    best = tl.min(tl.where(smallest == least[:, None], nearest, size), axis=1)
    best = tl.minimum(best, size - 1)  # where a distance is not a number
    tl.store(found + row, start + best, mask=row < query_stop)
