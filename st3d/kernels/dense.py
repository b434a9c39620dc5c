"""A dense layer with LeakyReLU: one pass over the rows forward, one backward.

Letters: n rows, i inputs, o outputs.
"""

import ctypes
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from st3d.kernels.native import address, in_blocks, in_ranges, library

PANEL = 16  # columns that the C kernel sums side by side
BLOCK = 1024  # rows per call of a C kernel: the grain of threads and of partial sums, so part of the result's bits


def dense(x: Tensor, weight: Tensor, bias: Tensor, slope: float, onto: Tensor | None = None) -> Tensor:
    """LeakyReLU(x W' + b), differentiable in all three, by itself or added to `onto`.

    Parameters
    ----------
    x : (n, i) float32; on the CPU i is a multiple of 16
    weight : (o, i)
    bias : (o,)
    slope : of the LeakyReLU; 1 leaves the layer linear
    onto : another layer's result (n, o), or (any, o) for an x of one row, which nobody reads afterwards: on the CPU
        the sum takes its memory

    Returns
    -------
    (n, o), or the shape of `onto`
    """
    if x.device.type == "cpu":
        if onto is not None and len(onto) != len(x):
            return onto.add_(dense(x, weight, bias, slope))  # gradients need of a result its signs alone
        return _DenseOnCpu.apply(x, weight, bias, slope, torch.is_grad_enabled(), onto)
    y = functional.linear(x, weight, bias)
    y = y if slope == 1 else functional.leaky_relu(y, slope, inplace=True)
    return y if onto is None else onto + y


class _DenseOnCpu(torch.autograd.Function):
    """kernels/src/dense.c."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, slope: float, trains: bool, onto: Tensor | None
    ) -> Tensor:
        x = x.contiguous()
        n, o = len(x), len(weight)
        y = torch.empty(n, o) if onto is None else onto
        if onto is not None:
            ctx.mark_dirty(onto)
        positive = torch.empty(n, o, dtype=torch.int8) if trains and slope != 1 else None
        panels = functional.pad(weight, (0, 0, 0, -o % PANEL)).view(-1, PANEL, x.shape[1]).transpose(1, 2).contiguous()
        arguments = (
            *(address(each.detach().numpy(), np.float32) for each in (x, panels, bias)),
            *(ctypes.c_int64(size) for size in (x.shape[1], o)),
            ctypes.c_float(slope),
            address(y.detach().numpy(), np.float32),
            None if positive is None else address(positive.numpy(), np.int8),
            ctypes.c_int(onto is not None),
        )
        in_ranges(lambda a, b: library.st3d_dense(*arguments, ctypes.c_int64(a), ctypes.c_int64(b)), n, BLOCK)
        ctx.save_for_backward(x, weight, positive)
        ctx.slope, ctx.adds = slope, onto is not None
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None, None, Tensor | None]:
        x, weight, positive = ctx.saved_tensors
        gradient = gradient.contiguous()
        (n, i), o = x.shape, len(weight)
        to_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        panels = weight.view(o, -1, PANEL).transpose(0, 1).contiguous()
        sums = np.zeros((-(-n // BLOCK), o * i + o), np.float32)  # one sum per block: equal for any threads

        arguments = (
            *(address(each.detach().numpy(), np.float32) for each in (x, panels)),
            None if positive is None else address(positive.numpy(), np.int8),
            address(gradient.numpy(), np.float32),
            *(ctypes.c_int64(size) for size in (i, o)),
            ctypes.c_float(ctx.slope),
            None if to_x is None else address(to_x.numpy(), np.float32),
        )

        def rows(start: int, stop: int) -> None:
            into = address(sums[start // BLOCK], np.float32)
            library.st3d_dense_backward(*arguments, into, ctypes.c_int64(start), ctypes.c_int64(stop))

        in_blocks(rows, n, BLOCK)
        total = torch.from_numpy(sums.sum(axis=0, dtype=np.float64).astype(np.float32))
        return to_x, total[: o * i].view(o, i), total[o * i :], None, None, gradient if ctx.adds else None
