"""Local feature aggregation on the CPU without an (n, k, c) tensor (compiled: src/aggregate.c).

The functions and their arguments are those of `aggregation_triton`; tensors are contiguous and on the CPU.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from st3d.kernels.native import declared, in_ranges, library

_aggregate = declared(library.st3d_aggregate, "f4[2] i4[2] i8 i8 f4[2] f4[1] f4[2] i8 i8 f4 f4[2] i8 i8")
_aggregate_weights = declared(
    library.st3d_aggregate_weights, "f4[2] i4[2] i8 i8 f4[2] f4[1] i8 f4 f4[2] i8 f4[3] i8 i8 i8"
)
_aggregate_features = declared(library.st3d_aggregate_features, "i8[1] i4[1] i8 i8 f4[2] i8 f4[2] i8 i8")

BLOCK = 1024  # points: the least work of a thread, and the points of a partial sum, so part of the result's bits


def aggregate(
    points: Tensor, neighbours: Tensor, weight: Tensor, bias: Tensor, features: Tensor, rows: int, slope: float
) -> Tensor:
    """Mean over neighbours of LeakyReLU(G W + b), beside the mean of the neighbours' features.

    Parameters
    ----------
    points
        (n, 3) float32.
    neighbours
        (at least `rows`, k) int32, in [0, n), k <= 1024.
    weight, bias
        (g, c) and (c,) float32, g = 4 or 10, c a multiple of 4.
    features
        (as many as `neighbours` names, c) float32; or (1, c), which stands for all points.
    rows
        How many points, the first ones, are computed.
    slope
        Of the LeakyReLU.

    Returns
    -------
    (rows, 2 c) float32
    """
    c = weight.shape[1]
    out = torch.empty(rows, 2 * c)
    edges = _edges(points, neighbours, weight, bias)
    arguments = features.detach().numpy(), 0 if len(features) == 1 else c, c, slope, out.numpy()
    in_ranges(lambda start, stop: _aggregate(*edges, *arguments, start, stop), rows, BLOCK)
    return out


def aggregate_weights(
    points: Tensor, neighbours: Tensor, weight: Tensor, bias: Tensor, gradient: Tensor, slope: float
) -> Tensor:
    """Gradient of `weight` and `bias`; the edges are computed again.

    Parameters
    ----------
    points, neighbours, weight, bias, slope
        As for `aggregate`.
    gradient
        (rows, 2 c) float32, of what `aggregate` returns.

    Returns
    -------
    (g + 1, c) float32, the last row of `bias`; the same bits for any number of threads
    """
    (g, c), rows = weight.shape, len(gradient)
    sums = np.zeros((-(-rows // BLOCK), g + 1, c), np.float32)  # one sum per block: equal for any threads
    arguments = *_edges(points, neighbours, weight, bias), c, slope, gradient.numpy(), rows, sums, BLOCK
    in_ranges(lambda first, last: _aggregate_weights(*arguments, first, last), len(sums), 1)
    return torch.from_numpy(sums.sum(axis=0, dtype=np.float64).astype(np.float32))


def aggregate_features(offsets: Tensor, sources: Tensor, gradient: Tensor, k: int, targets: int) -> Tensor:
    """Gradient of `features`, gathered over the reversed graph without atomics.

    Parameters
    ----------
    offsets
        (at least `targets` + 1,) int64.
    sources
        (e,) int32; sources[offsets[j] : offsets[j + 1]] have point j as a neighbour, rising; those from `rows` on are
        ignored.
    gradient
        (rows, 2 c) float32, of what `aggregate` returns.
    k
        Neighbours of a point.
    targets
        Rows of `features`.

    Returns
    -------
    (targets, c) float32
    """
    c = gradient.shape[1] // 2
    result = torch.empty(targets, c)
    arguments = offsets.numpy(), sources.numpy(), len(gradient), k, gradient.numpy(), c, result.numpy()
    in_ranges(lambda start, stop: _aggregate_features(*arguments, start, stop), targets, BLOCK)
    return result


def _edges(points: Tensor, neighbours: Tensor, weight: Tensor, bias: Tensor) -> tuple[Any, ...]:
    """The C kernels' arguments for the edges and their MLP."""
    k, g = neighbours.shape[1], len(weight)
    return points.numpy(), neighbours.numpy(), k, g, weight.detach().numpy(), bias.detach().numpy()
