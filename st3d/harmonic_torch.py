"""Harmonic interpolation of an image on a GPU: the solver of native_src/harmonic.c in plain torch operations.

Conjugate gradients in float64, preconditioned by one multigrid V-cycle in float32. A known pixel keeps its place with
a row and column of zeros, so that every level is a plain rectangle. A coarse level has every second row and column,
the last one at or beyond the border; its operator is P' A P with bilinear P, a 9-point stencil. The smoother is a
Chebyshev polynomial of degree 2 in L^-1 A, L the rows' absolute sums; the coarsest level is solved by its inverse.

For a GPU the number of operations counts more than their size. So all coefficients are computed once, and each step of
a cycle is two operations: a product of coefficients and shifted views into planes, and the planes' sum. What a step
adds to lies beside these planes in memory, so that the same sum takes it in.

Letters: A, L, P as above; h, w rows and columns of a level, H, W of the next coarser one. A stencil (3, 3, h, w) holds
at [s, t, i, j] the coefficient of pixel [i + s - 1, j + t - 1] in the row of pixel [i, j]; `minus` is the one of -A,
so that a residual is a sum.
"""

from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from st3d.harmonic import MOST_ITERATIONS, TOLERANCE

FIRST, SECOND = 1.1234, 2.7791  # 1 / roots of the smoother on [1/4, 1], as in the compiled kernel
COARSEST = 256  # most pixels of the level that is solved by its inverse
CHECK_EVERY = 2  # iterations: a check waits for the GPU, so that it costs time, but so does an iteration too many
RIDGE = 1e-6  # added to the coarsest level's diagonal, scaled to 1: where little is unknown, P' A P can be singular
TINY = 1e-300  # keeps quotients finite when nothing is left to solve

CROSS = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])  # a pixel's neighbours
GATHER = torch.tensor([0.5, 1, 0.5])  # P': weights of rows 2 I - 1, 2 I and 2 I + 1 in row I
SPREAD = torch.tensor([[1, 0.5], [0, 0.5]])  # P [s, i]: weight of row I + s in row 2 I + i
MERGE = torch.zeros(3, 3, 3)  # P' A P [u, r, s]: of coefficient s of row 2 I + r - 1 in coefficient u of row I
for _u, _r, _s in product(range(3), repeat=3):
    MERGE[_u, _r, _s] = GATHER[_r] * max(0, 1 - abs(_r + _s - 2 * _u) / 2)


@torch.no_grad()
def fill(values: Tensor, known: Tensor) -> Tensor:
    """The image whose known pixels are `values` and whose every other pixel is the mean of its neighbours.

    Parameters
    ----------
    values : (h, w) float32, any unit; read at known pixels only, where it must be finite
    known : (h, w) bool, on the same device, True at one pixel or more; nothing of this is checked

    Returns
    -------
    (h, w) float32, unit of `values`; known pixels untouched, all others between the least and the largest known value

    Raises
    ------
    ArithmeticError
        If the tolerance is not reached after 500 iterations.

    Notes
    -----
    Equations, border and accuracy are those of `st3d.harmonic.fill`. Time and memory O(h w), about 400 bytes a pixel;
    deterministic: neither atomics nor matrix products.

    Examples
    --------
    >>> fill(torch.tensor([[1.0, 0, 0, 4, 0]]), torch.tensor([[True, False, False, True, False]]))
    tensor([[1., 2., 3., 4., 4.]])
    """
    low = torch.where(known, values, torch.inf).amin().double()
    high = torch.where(known, values, -torch.inf).amax().double()
    middle, scale = (low + high) / 2, torch.where(high > low, high - low, 1)
    scaled = torch.where(known, (values.double() - middle) / scale, 0)
    solution, _ = solve(*equations(scaled, known))
    filled = (middle + scale * solution).clamp(low, high).float()
    return torch.where(known, values, filled)


def equations(scaled: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """-A (3, 3, h, w) float32 and right side (h, w) float64; scaled (h, w) float64 is 0 at unknown pixels."""
    unknown = (~known).float()
    minus = _beside(unknown) * unknown
    minus[1, 1] = -unknown * _beside(torch.ones_like(unknown)).sum((0, 1))
    return minus, _beside(scaled).sum((0, 1)) * unknown


def _beside(grid: Tensor) -> Tensor:
    """The 4 neighbours of each pixel (3, 3, h, w), 0 beyond the border and at the other places of the stencil."""
    found = grid.new_empty(3, 3, *grid.shape)  # without it, the product would take over the views' order in memory
    return torch.mul(_windows(pad(grid, [1, 1, 1, 1]), 3), CROSS.to(grid.device)[:, :, None, None], out=found)


def _windows(grid: Tensor, size: int, stride: int = 1) -> Tensor:
    """Views (size, size, rows, columns) of a grid: [s, t, i, j] is grid[stride i + s, stride j + t]."""
    return grid.unfold(0, size, stride).unfold(1, size, stride).permute(2, 3, 0, 1)


def solve(minus: Tensor, right: Tensor) -> tuple[Tensor, int]:
    """x (h, w) float64 with A x = right, and the number of iterations, a multiple of `CHECK_EVERY`.

    minus (3, 3, h, w) float32 is -A; it and right (h, w) float64 are 0 at known pixels, where x means nothing. As in
    the compiled kernel, the residual times the cycle's result measures the squared energy of the error.
    """
    rest, steps, ringed_change = _cycle(minus, *(weights.to(minus.device) for weights in (GATHER, SPREAD, MERGE)))
    change = ringed_change[1 : right.shape[0] + 1, 1 : right.shape[1] + 1]
    solution, residual, ringed = torch.zeros_like(right), right.clone(), pad(torch.zeros_like(right), [1, 1, 1, 1])
    direction, views = ringed[1:-1, 1:-1], _windows(ringed, 3)
    products = torch.empty_like(minus, dtype=right.dtype)
    image, terms = torch.empty_like(right), torch.empty_like(right)  # image: -A direction
    energy, before, length = right.new_zeros(()), right.new_full((), torch.inf), right.new_zeros(())
    for iteration in range(1, MOST_ITERATIONS + 1):
        rest.copy_(residual)
        for step in steps:
            torch.mul(step.coefficients, step.views, out=step.products)
            torch.sum(step.summands, 0, out=step.result)
        torch.mul(residual, change, out=terms)
        torch.sum(terms, (0, 1), out=energy).clamp_min_(TINY)
        if iteration % CHECK_EVERY == 0 and energy.item() <= TOLERANCE**2:
            return solution, iteration
        torch.addcmul(change, direction, torch.div(energy, before, out=before), out=direction)
        torch.mul(minus, views, out=products)
        torch.sum(products, (0, 1), out=image)
        torch.mul(direction, image, out=terms)
        torch.sum(terms, (0, 1), out=length).clamp_max_(-TINY)
        torch.div(energy, length, out=length)  # negative, as `image` has the wrong sign
        solution.addcmul_(direction, length, value=-1)
        residual.addcmul_(image, length, value=-1)
        energy, before = before, energy
    raise ArithmeticError(f"fill: no solution after {MOST_ITERATIONS} iterations")


class _Step(NamedTuple):
    """result (rows, columns) = sum of summands (any, rows, columns), once products = coefficients times views."""

    coefficients: Tensor
    views: Tensor
    products: Tensor  # of the shape that coefficients and views broadcast to; some of the summands, or all
    summands: Tensor
    result: Tensor


def _cycle(minus: Tensor, gather: Tensor, spread: Tensor, merge: Tensor) -> tuple[Tensor, list[_Step], Tensor]:
    """A V-cycle's right side (h, w), steps, and result, about A^-1 times that, at [1 : h + 1, 1 : w + 1] in zeros.

    minus (3, 3, h, w) is -A; gather, spread and merge are the tables above, on its device.
    """
    h, w = minus.shape[2:]
    if h * w <= COARSEST:
        return _coarsest(minus)
    coarse_right, coarse_steps, coarse_solution = _cycle(_coarse(minus, merge), gather, spread, merge)
    H, W = coarse_right.shape

    def planes(count: int) -> tuple[Tensor, Tensor]:
        """With margins for all views, and without."""
        whole = minus.new_zeros(count, 2 * H + 1, 2 * W + 1)
        return whole, whole[:, 1 : h + 1, 1 : w + 1]

    (rest, inner_rest), (sides, inner), (solutions, solution) = planes(1), planes(11), planes(5)
    # sides: right side, 9 products, corrected solution; solutions: solution before and at last, 4 products
    products, gathered = inner[1:10].unflatten(0, (3, 3)), inner[1:10, :H, :W]
    spreading = solutions[1:, 1:, 1:].unflatten(2, (W, 2)).unflatten(1, (H, 2)).unflatten(0, (2, 2))
    smoother = _smoother(minus)
    right_views, solution_views, rest_views, better_views = (
        _windows(grid, 3)[..., :h, :w] for grid in (sides[0], solutions[0], rest[0], sides[10])
    )
    coarse_views = _windows(coarse_solution[1 : H + 2, 1 : W + 2], 2)[:, :, :, None, :, None]
    P = spread[:, None, None, :, None, None] * spread[:, None, None, None, :]  # (2, 2, 1, 2, 1, 2)
    R = _outer(gather)[:, :, None, None]
    steps = [
        _Step(smoother, right_views, products, inner[1:10], solution[0]),
        _Step(minus, solution_views, products, inner[:10], inner_rest[0]),
        _Step(R, _windows(rest[0], 3, 2), gathered.unflatten(0, (3, 3)), gathered, coarse_right),
        *coarse_steps,
        _Step(P, coarse_views, spreading, solution, inner[10]),
        _Step(minus, better_views, products, inner[:10], inner_rest[0]),
        _Step(smoother, rest_views, products, inner[1:], solution[0]),
    ]
    return inner[0], steps, solutions[0]


def _smoother(minus: Tensor) -> Tensor:
    """The stencil of both steps of the smoother from 0: x = omega L^-1 b, then x + omega L^-1 (b - A x)."""
    sums = minus.abs().sum((0, 1))
    inverse = torch.where(sums > 0, 1 / sums, 0)
    stencil = torch.mul(minus, _windows(pad(inverse, [1, 1, 1, 1]), 3), out=torch.empty_like(minus))
    stencil *= FIRST * SECOND * inverse
    stencil[1, 1] += (FIRST + SECOND) * inverse
    return stencil


def _coarse(minus: Tensor, merge: Tensor) -> Tensor:
    """-P' A P (3, 3, H, W): rows 2 I - 1, 2 I and 2 I + 1 are merged into row I, then columns in the same way."""
    for _ in range(2):
        h, w = minus.shape[2:]
        rows = pad(minus, [0, 0, 1, 2 * (h // 2 + 1) - h]).unfold(2, 3, 2)  # [s, t, I, j, r]
        terms = minus.new_empty(3, 3, 3, 3, h // 2 + 1, w)  # [u, r, s, t, I, j]
        torch.mul(merge[:, :, :, None, None, None], rows.movedim(4, 0), out=terms)
        minus = terms.sum((1, 2)).transpose(0, 1).transpose(2, 3).contiguous()
    return minus


def _coarsest(minus: Tensor) -> tuple[Tensor, list[_Step], Tensor]:
    """`_cycle` of the coarsest level: a product with its inverse, which is made on the CPU, quick for so few rows."""
    h, w = minus.shape[2:]
    ringed = torch.zeros(h, w, h + 2, w + 2, dtype=torch.float64)
    for (s, t), coefficients in zip(product(range(3), repeat=2), minus.cpu().flatten(0, 1)):
        ringed[:, :, s : s + h, t : t + w].diagonal(0, 0, 2).diagonal(0, 0, 1).copy_(-coefficients)
    matrix = ringed[:, :, 1:-1, 1:-1].reshape(h * w, h * w)
    diagonal = matrix.diagonal().clone()
    scale = torch.where(diagonal > 0, diagonal, 1).rsqrt()
    matrix *= _outer(scale)
    matrix.diagonal().add_(torch.where(diagonal > 0, RIDGE, 1))
    inverse = (torch.cholesky_inverse(torch.linalg.cholesky(matrix)) * _outer(scale)).to(minus).view(h, w, h, w)
    right, solution, products = minus.new_zeros(h, w), minus.new_zeros(h + 2, w + 2), torch.empty_like(inverse)
    step = _Step(inverse, right[:, :, None, None], products, products.flatten(0, 1), solution[1:-1, 1:-1])
    return right, [step], solution


def _outer(row: Tensor) -> Tensor:
    return row[:, None] * row
