"""Sparse tensors on a voxel grid and their convolution. Letters: n points, v voxels, c channels, o kernel offsets.

A voxel is one int64 key with 21 bits an axis, x highest, so that keys in order are voxels in order of (x, y, z), a
neighbour's key is the voxel's plus a constant, and a coarser grid's key is the key with its low bits cleared.
Coordinates and kernels are those of MinkowskiEngine (Choy et al., "4D Spatio-Temporal ConvNets", CVPR 2019).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

BITS = 21  # of each axis in a key
MARGIN = 16  # empty voxels around a cloud: no neighbour's key runs into the next axis; a multiple of every stride
LONGEST = 2**BITS - 2 * MARGIN  # voxels that a cloud may span along an axis

Pairs = Sequence[tuple[Tensor, Tensor]]  # per kernel offset: rows of the input, rows of the output, each row once


def voxelise(points: Tensor, voxel: float) -> tuple[Tensor, Tensor]:
    """The voxels in which points lie.

    Parameters
    ----------
    points
        (n, 3) float, any one length unit, finite, n > 0.
    voxel
        Side of a voxel, in the same unit.

    Returns
    -------
    keys
        (v,) int64, sorted, distinct; counted from the cloud's lowest voxel along each axis, so that whole voxels of
        translation change nothing, on coarser grids neither.
    place
        (n,) int64, the row of each point's voxel.

    Raises
    ------
    ValueError
        If there is no point, a coordinate is not finite, or the cloud spans more voxels than a key can hold.

    Examples
    --------
    >>> keys, place = voxelise(torch.tensor([[0.9, 0.0, 0.0], [-0.1, 0.0, 0.0], [0.2, 0.0, 0.0]]), voxel=0.5)
    >>> place.tolist(), (positions(keys) - positions(keys)[0]).tolist()
    ([2, 0, 1], [[0, 0, 0], [1, 0, 0], [2, 0, 0]])
    """
    if not len(points) or not bool(points.isfinite().all()):
        raise ValueError(f"voxelise: expected finite coordinates of a point or more, found others in {len(points)}")
    cell = (points.double() / voxel).floor()  # (n, 3); in float32 the division would move points over borders
    cell = cell - cell.amin(dim=0)
    span = float(cell.max()) + 1
    if span > LONGEST:
        raise ValueError(f"voxelise: expected a cloud of at most {LONGEST} voxels a side, found {span:.0f} of {voxel}")
    x, y, z = (cell.long() + MARGIN).unbind(dim=1)
    return torch.unique(x << 2 * BITS | y << BITS | z, return_inverse=True)


def positions(keys: Tensor) -> Tensor:
    """Coordinates (v, 3) int64, voxels, of keys (v,) int64; the lowest along each axis is `MARGIN`."""
    return torch.stack([keys >> 2 * BITS, keys >> BITS & 2**BITS - 1, keys & 2**BITS - 1], dim=1)


def strided(keys: Tensor, stride: int) -> Tensor:
    """The voxels of a coarser grid.

    Parameters
    ----------
    keys
        (v,) int64, in any order.
    stride
        Side of a coarser voxel in finest voxels, a power of two, at most `MARGIN`.

    Returns
    -------
    (w,) int64, sorted, distinct: the keys of floor(position / stride) * stride
    """
    low = stride - 1
    return torch.unique(keys & ~(low << 2 * BITS | low << BITS | low))


def offsets(kernel: int) -> list[tuple[int, int, int]]:
    """The offsets of a centred cube, x fastest: MinkowskiEngine's order of kernel weights.

    Parameters
    ----------
    kernel
        Side of the cube in voxels, odd.

    Returns
    -------
    o = kernel**3 triples (x, y, z) of int, voxels

    Raises
    ------
    ValueError
        If `kernel` is even.

    Examples
    --------
    >>> offsets(3)[:2], offsets(3)[13]
    ([(-1, -1, -1), (0, -1, -1)], (0, 0, 0))
    """
    if kernel % 2 == 0:
        raise ValueError(f"offsets: expected an odd kernel, found {kernel}")
    side = range(-(kernel // 2), kernel // 2 + 1)
    return [(x, y, z) for z in side for y in side for x in side]


def kernel_map(inputs: Tensor, outputs: Tensor, kernel: int, stride: int) -> Pairs:
    """Which input voxel each output voxel sees through each kernel offset.

    Parameters
    ----------
    inputs
        (v,) sorted keys.
    outputs
        (w,) sorted keys, the same tensor or those of a coarser grid.
    kernel
        Side of the kernel in the inputs' grid, odd.
    stride
        Side of an input voxel in finest voxels; kernel // 2 * stride <= MARGIN.

    Returns
    -------
    For each offset (input rows, output rows), int64, where input position = output position + offset * stride

    Raises
    ------
    ValueError
        If `kernel` is even, or reaches further than `MARGIN`.
    """
    if kernel // 2 * stride > MARGIN:
        raise ValueError(f"kernel_map: expected a reach of at most {MARGIN} voxels, found {kernel // 2 * stride}")
    shifts = [stride * ((x << 2 * BITS) + (y << BITS) + z) for x, y, z in offsets(kernel)]
    pairs = []
    same = inputs is outputs
    for shift in shifts[: len(shifts) // 2 + 1] if same else shifts:
        sought = outputs + shift
        row = torch.searchsorted(inputs, sought)
        found = (inputs[row.clamp(max=len(inputs) - 1)] == sought).nonzero()[:, 0]
        pairs.append((row[found], found))
    if same:  # the map of minus an offset is the offset's, transposed
        pairs += transposed(pairs[-2::-1])
    return pairs


def transposed(pairs: Pairs) -> list[tuple[Tensor, Tensor]]:
    """The map of the transposed convolution: (output rows, input rows), int64, of each of `kernel_map`'s pairs."""
    return [(outputs, inputs) for inputs, outputs in pairs]


def convolve(features: Tensor, weight: Tensor, pairs: Pairs, rows: int) -> Tensor:
    """Convolution of a sparse tensor: gather, multiply, scatter, offset by offset.

    Parameters
    ----------
    features
        (v, c) float, of the input voxels.
    weight
        (o, c, d) float.
    pairs
        For each of the o offsets the rows that `kernel_map` returns.
    rows
        w, the number of output voxels.

    Returns
    -------
    (w, d) float, differentiable in features and weight; an absent voxel counts as 0; equal inputs give equal bits

    Notes
    -----
    Choy et al., "4D Spatio-Temporal ConvNets", CVPR 2019.
    """
    if features.shape[1] == 1:
        return _Columns.apply(features, weight, pairs, rows)
    return _Convolution.apply(features, weight, pairs, rows)


class _Convolution(torch.autograd.Function):
    """Keeps only the features for the backward pass, not what is gathered of them per offset."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, pairs: Pairs, rows: int) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.pairs = pairs
        return _scattered(features, weight, pairs, rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        (gradient,) = gradients
        features, weight = ctx.saved_tensors
        of_weight = torch.empty_like(weight)
        for each, (inputs, outputs) in zip(of_weight, ctx.pairs, strict=True):
            torch.mm(features.index_select(0, inputs).T, gradient.index_select(0, outputs), out=each)
        return _to_features(ctx, gradient), of_weight, None, None


class _Columns(torch.autograd.Function):
    """Convolution of one channel: one product with all offsets' features side by side, (o, w) numbers.

    Offset by offset nearly all of the time would go into the scattering.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, pairs: Pairs, rows: int) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.pairs = pairs
        return _columns(features, pairs, rows).T @ weight[:, 0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        (gradient,) = gradients
        features, _ = ctx.saved_tensors
        of_weight = (_columns(features, ctx.pairs, len(gradient)) @ gradient)[:, None]
        return _to_features(ctx, gradient), of_weight, None, None


def _to_features(ctx: Any, gradient: Tensor) -> Tensor | None:
    """The gradient of a convolution's features (v, c), if it is asked for."""
    if not ctx.needs_input_grad[0]:
        return None
    features, weight = ctx.saved_tensors
    return _scattered(gradient, weight.transpose(1, 2), transposed(ctx.pairs), len(features))


def _columns(features: Tensor, pairs: Pairs, rows: int) -> Tensor:
    """(o, w): the feature that each output sees through each offset."""
    columns = features.new_zeros(len(pairs), rows)
    for column, (inputs, outputs) in zip(columns, pairs, strict=True):
        column.index_add_(0, outputs, features[:, 0].index_select(0, inputs))
    return columns


def _scattered(features: Tensor, weight: Tensor, pairs: Pairs, rows: int) -> Tensor:
    """(w, d): each offset's product, added to the rows of its outputs."""
    result = features.new_zeros(rows, weight.shape[2])
    for each, (inputs, outputs) in zip(weight, pairs, strict=True):
        if len(inputs):
            result.index_add_(0, outputs, features.index_select(0, inputs) @ each)
    return result


class Grids:
    """A cloud's voxels at all strides and the kernel maps between them, each computed once.

    Parameters
    ----------
    keys
        (v,) int64, sorted: the finest voxels, as `voxelise` returns them.
    """

    def __init__(self, keys: Tensor) -> None:
        self._keys = {1: keys}
        self._maps: dict[tuple[int, int, int], Pairs] = {}

    def keys(self, stride: int) -> Tensor:
        """The voxels of a stride.

        Parameters
        ----------
        stride
            Side of a voxel in finest voxels, a power of two, at most `MARGIN`.

        Returns
        -------
        (v,) int64, sorted, distinct
        """
        if stride not in self._keys:
            self._keys[stride] = strided(self.keys(stride // 2), stride)
        return self._keys[stride]

    def kernel_map(self, kernel: int, source: int, target: int) -> Pairs:
        """The pairs of `kernel_map` between two strides; to a finer one, the transposed map.

        Parameters
        ----------
        kernel
            Side of the kernel in the finer of the two grids, odd.
        source, target
            Strides of the inputs and of the outputs, as for `keys`.

        Returns
        -------
        For each offset (input rows, output rows), int64
        """
        if target < source:
            return transposed(self.kernel_map(kernel, target, source))
        name = kernel, source, target
        if name not in self._maps:
            self._maps[name] = kernel_map(self.keys(source), self.keys(target), kernel, source)
        return self._maps[name]
