"""Local feature aggregation on CUDA GPUs without an (n, k, c) tensor: kernels/src/aggregate.c in Triton.

Letters: n points, k neighbours, c channels, g geometry numbers per edge (4: p - q and its length; 10: p and q follow).

One form serves both g. With d = p - q and W0 to W9 the weight's rows, LeakyReLU is applied to
    x = base + d (W0..2 - W7..9) + |d| W3,  base = bias + p (W4..6 + W7..9),
where the rows beyond W3 are zero if g = 4. With a = (1 + s) / 2 and h = (1 - s) / 2 for the slope s,
LeakyReLU(x) = a x + h |x|: two additions per edge and channel, no comparison.

Each program keeps its sums in registers over all edges and writes each number once. There are no atomics, and the
order of every sum follows from the shapes, so equal inputs give equal bits; autotuning would break that.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

# Gathers from L2 are the limit: 4 c bytes of features per edge, against some 50 instructions per 4 channels. So a
# thread holds 4 neighbouring channels of one point (one 16-byte load per edge) and few registers, to have many warps.
TILE = 512  # points times channels of a tile, both powers of 2: 4 numbers for each thread of 4 warps
POINTS = 32  # per partial sum, and at most per tile: 64,000 points make 2,000 programs; part of the result's bits
TARGETS = 4  # of a program that gathers gradients: few, as all wait for the one with the most edges
EDGES_AHEAD = tl.constexpr(4)  # edges per iteration of a loop, so that the indices of the later ones load early


def aggregate(
    points: Tensor, neighbours: Tensor, weight: Tensor, bias: Tensor, features: Tensor, rows: int, slope: float
) -> Tensor:
    """Mean over neighbours of LeakyReLU(G W + b), beside the mean of the neighbours' features.

    Parameters
    ----------
    points
        (n, 3) float32.
    neighbours
        (at least `rows`, k) int32, in [0, n).
    weight
        (g, c) float32, g = 4 or 10.
    bias
        (c,) float32, c a multiple of 4.
    features
        (as many as `neighbours` names, c) float32; or (1, c), which stands for all points.
    rows
        How many points, the first ones, are computed.
    slope
        Of the LeakyReLU.

    Returns
    -------
    (rows, 2 c) float32

    Notes
    -----
    Tensors are contiguous and on one device. Reads 4 k bytes of indices and about 4 k (c + 10) from L2 per point.
    """
    (g, c), k = weight.shape, neighbours.shape[1]
    width, chunk, warps = _tile(c)
    out = points.new_empty(rows, 2 * c)
    with torch.cuda.device_of(points):
        _forward[(triton.cdiv(rows, chunk),)](
            *(points, neighbours, weight, bias, features, out, rows, k, slope),
            *(c, 0 if len(features) == 1 else c, g == 10, chunk, width),
            num_warps=warps,
        )
    return out


def aggregate_weights(
    points: Tensor, neighbours: Tensor, weight: Tensor, bias: Tensor, gradient: Tensor, slope: float
) -> Tensor:
    """Gradient of `weight` and `bias`; the edges are computed again.

    Parameters
    ----------
    points, neighbours, weight, bias, slope
        As for `aggregate`; the derivative of LeakyReLU at 0 is the slope, as in torch.
    gradient
        (rows, 2 c) float32, of what `aggregate` returns.

    Returns
    -------
    (g + 1, c) float32, the last row of `bias`
    """
    (g, c), k, rows = weight.shape, neighbours.shape[1], len(gradient)
    width, chunk, warps = _tile(c)
    sums = points.new_empty(triton.cdiv(rows, POINTS), g + 1, c)
    with torch.cuda.device_of(points):
        _weights[(len(sums),)](
            *(points, neighbours, weight, bias, gradient, sums, rows, k, slope),
            *(c, g == 10, POINTS, chunk, width),
            num_warps=warps,
        )
    return sums.sum(dim=0, dtype=torch.float64).float()


def aggregate_features(offsets: Tensor, sources: Tensor, gradient: Tensor, k: int, targets: int) -> Tensor:
    """Gradient of `features`, gathered over the reversed graph without atomics.

    Parameters
    ----------
    offsets
        (at least `targets` + 1,) int64.
    sources
        (e,) int32; sources[offsets[j] : offsets[j + 1]] have point j as a neighbour, those from `rows` on are ignored.
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
    rows, c = len(gradient), gradient.shape[1] // 2
    width, chunk, _ = _tile(c)
    result = gradient.new_empty(targets, c)
    with torch.cuda.device_of(gradient):
        _features[(triton.cdiv(targets, TARGETS),)](
            *(offsets, sources, gradient, result, rows, k, targets),
            *(c, TARGETS, min(chunk, 16), width),  # 16 edges at a time, as most targets have about 32
            num_warps=4,
        )
    return result


def _tile(c: int) -> tuple[int, int, int]:
    """Channels and points of a tile, powers of 2, and the warps that hold it, 4 numbers per thread."""
    width = triton.next_power_of_2(c)
    chunk = max(1, min(TILE // width, POINTS))
    return width, chunk, chunk * width // 128


@triton.jit
def _row(weight, row, channel, c: tl.constexpr):
    """One row of the weight, (width,); zero beyond its c columns."""
    return tl.load(weight + row * c + channel, mask=channel < c, other=0.0)


@triton.jit
def _layer(weight, bias, px, py, pz, c: tl.constexpr, absolute: tl.constexpr, chunk: tl.constexpr, width: tl.constexpr):
    """`base` (chunk, width) and, (width,) each, what the three parts of d and |d| are multiplied by."""
    channel = tl.arange(0, width)
    ux, uy, uz = _row(weight, 0, channel, c), _row(weight, 1, channel, c), _row(weight, 2, channel, c)
    # Loaded as a whole tile, since the layout of such a load (4 channels per thread) becomes that of all that follows.
    every = tl.broadcast_to(channel[None, :], (chunk, width))
    base = tl.load(bias + every, mask=every < c, other=0.0)
    if absolute:
        qx, qy, qz = _row(weight, 7, channel, c), _row(weight, 8, channel, c), _row(weight, 9, channel, c)
        base += px[:, None] * (_row(weight, 4, channel, c) + qx)[None, :]
        base += py[:, None] * (_row(weight, 5, channel, c) + qy)[None, :]
        base += pz[:, None] * (_row(weight, 6, channel, c) + qz)[None, :]
        ux, uy, uz = ux - qx, uy - qy, uz - qz
    return base, ux, uy, uz, _row(weight, 3, channel, c)


@triton.jit
def _positions(points, index):
    """Coordinates x, y, z of the points `index`."""
    at = points + index * 3
    return tl.load(at), tl.load(at + 1), tl.load(at + 2)


@triton.jit
def _differences(points, near, px, py, pz):
    """The three parts of d = p - q and |d|, for q the points `near`."""
    qx, qy, qz = _positions(points, near)
    x, y, z = px - qx, py - qy, pz - qz
    return x, y, z, tl.sqrt(x * x + y * y + z * z)


@triton.jit
def _inner(base, x, y, z, d, ux, uy, uz, ud):
    """What LeakyReLU is applied to, (chunk, width)."""
    plane = base + x[:, None] * ux[None, :] + y[:, None] * uy[None, :] + z[:, None] * uz[None, :]
    return plane + d[:, None] * ud[None, :]


@triton.jit(do_not_specialize=["rows"])  # each graph around queries has another number: compile once for all
def _forward(
    points, neighbours, weight, bias, features, out, rows, k, slope,
    c: tl.constexpr, stride: tl.constexpr, absolute: tl.constexpr, chunk: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    point = tl.program_id(0).to(tl.int64) * chunk + tl.arange(0, chunk)
    channel = tl.arange(0, width)
    real = (point < rows)[:, None] & (channel < c)[None, :]
    point = tl.minimum(point, rows - 1)  # so that loads in the loop need no mask
    px, py, pz = _positions(points, point)
    base, ux, uy, uz, ud = _layer(weight, bias, px, py, pz, c, absolute, chunk, width)
    linear = tl.full((chunk, width), 0, tl.float32)
    absolute_sum, gathered = linear, linear
    for e in tl.range(0, k, loop_unroll_factor=EDGES_AHEAD):
        near = tl.load(neighbours + point * k + e).to(tl.int64)
        at = features + near[:, None] * stride + channel[None, :]
        feature = tl.load(at, mask=(channel < c)[None, :], other=0.0)  # before the geometry, to wait for L2 once
        x, y, z, d = _differences(points, near, px, py, pz)
        inner = _inner(base, x, y, z, d, ux, uy, uz, ud)
        linear += inner
        absolute_sum += tl.abs(inner)
        gathered += feature
    to = out + point[:, None] * (2 * c) + channel[None, :]
    tl.store(to, (linear * (0.5 * (1 + slope)) + absolute_sum * (0.5 * (1 - slope))) / k, mask=real)
    tl.store(to + c, gathered / k, mask=real)


@triton.jit(do_not_specialize=["rows"])
def _weights(
    points, neighbours, weight, bias, gradient, sums, rows, k, slope,
    c: tl.constexpr, absolute: tl.constexpr, block: tl.constexpr, chunk: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    channel = tl.arange(0, width)
    to_x = tl.full((chunk, width), 0, tl.float32)
    to_y, to_z, to_d, to_px, to_py, to_pz, to_bias = to_x, to_x, to_x, to_x, to_x, to_x, to_x
    for start in range(0, block, chunk):
        point = tl.program_id(0).to(tl.int64) * block + start + tl.arange(0, chunk)
        real = (point < rows)[:, None] & (channel < c)[None, :]
        point = tl.minimum(point, rows - 1)
        px, py, pz = _positions(points, point)
        base, ux, uy, uz, ud = _layer(weight, bias, px, py, pz, c, absolute, chunk, width)
        above = tl.load(gradient + point[:, None] * (2 * c) + channel[None, :], mask=real, other=0.0) / k
        below = above * slope
        outer_sum = tl.full((chunk, width), 0, tl.float32)
        for e in tl.range(0, k, loop_unroll_factor=EDGES_AHEAD):
            near = tl.load(neighbours + point * k + e).to(tl.int64)
            x, y, z, d = _differences(points, near, px, py, pz)
            outer = tl.where(_inner(base, x, y, z, d, ux, uy, uz, ud) > 0, above, below)
            to_x += x[:, None] * outer
            to_y += y[:, None] * outer
            to_z += z[:, None] * outer
            to_d += d[:, None] * outer
            outer_sum += outer
        to_bias += outer_sum
        if absolute:
            to_px += px[:, None] * outer_sum
            to_py += py[:, None] * outer_sum
            to_pz += pz[:, None] * outer_sum
    g: tl.constexpr = 10 if absolute else 4
    to = sums + tl.program_id(0).to(tl.int64) * ((g + 1) * c) + channel
    _store_total(to, to_x, channel < c)
    _store_total(to + c, to_y, channel < c)
    _store_total(to + 2 * c, to_z, channel < c)
    _store_total(to + 3 * c, to_d, channel < c)
    if absolute:
        _store_total(to + 4 * c, to_px, channel < c)
        _store_total(to + 5 * c, to_py, channel < c)
        _store_total(to + 6 * c, to_pz, channel < c)
        _store_total(to + 7 * c, to_px - to_x, channel < c)  # q = p - d
        _store_total(to + 8 * c, to_py - to_y, channel < c)
        _store_total(to + 9 * c, to_pz - to_z, channel < c)
    _store_total(to + g * c, to_bias, channel < c)


@triton.jit
def _store_total(to, parts, inside):
    """Stores the sum of `parts` (chunk, width) over its points."""
    tl.store(to, tl.sum(parts, axis=0), mask=inside)


@triton.jit(do_not_specialize=["rows", "targets"])
def _features(
    offsets, sources, gradient, result, rows, k, targets,
    c: tl.constexpr, block: tl.constexpr, edges: tl.constexpr, width: tl.constexpr,
):  # fmt: skip
    target = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)[:, None]
    channel = tl.arange(0, width)[None, :]
    start = tl.load(offsets + target, mask=target < targets, other=0)
    stop = tl.load(offsets + target + 1, mask=target < targets, other=0)
    total = tl.full((block, edges, width), 0, tl.float32)
    for first in tl.range(0, tl.max(stop - start), edges):
        at = start + first + tl.arange(0, edges)[None, :]
        source = tl.load(sources + at, mask=at < stop, other=rows).to(tl.int64)[:, :, None]
        seen = (source < rows) & (channel < c)[None, :, :]
        total += tl.load(gradient + source * (2 * c) + c + channel[None, :, :], mask=seen, other=0.0)
    real = (target < targets) & (channel < c)
    tl.store(result + target * c + channel, tl.sum(total, axis=1) / k, mask=real)
