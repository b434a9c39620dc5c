"""The compiled kernels (kernels/src/*.c): one shared library, called through ctypes.

A ctypes call releases the interpreter's lock, so `in_ranges` runs one kernel on several cores with plain
Python threads. Kernels write disjoint ranges or fixed blocks, never a shared sum: results have the same
bits for any number of threads.
"""

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import numpy as np

_spec = find_spec("st3d.kernels._native")
if _spec is None or _spec.origin is None:
    raise ImportError("st3d's C kernels are not built: run `make .venv`, or `pip install -e .` in the repository")
library = ctypes.CDLL(_spec.origin)
_system = ctypes.CDLL(None)

_NUMBERS = {"i8": ctypes.c_int64, "f4": ctypes.c_float, "f8": ctypes.c_double}

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h

PIECES = 4  # per thread

_threads = 1
_pool: ThreadPoolExecutor | None = None


def set_threads(count: int) -> None:
    """Let kernels use `count` threads from now on; their results do not depend on it.

    Parameters
    ----------
    count
        1 or more.

    Raises
    ------
    ValueError
        If it is less.
    """
    global _threads, _pool
    if count < 1:
        raise ValueError(f"threads: expected 1 or more, found {count}")
    if count == _threads:
        return
    if _pool is not None:
        _pool.shutdown()
    _threads, _pool = count, ThreadPoolExecutor(count) if count > 1 else None


def keep_memory() -> None:
    """Let freed memory stay with the process, since each training step needs as much again; glibc only."""
    if hasattr(_system, "mallopt"):
        _system.mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
        _system.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def release_memory() -> None:
    """Return freed memory to the system; glibc only."""
    if hasattr(_system, "malloc_trim"):
        _system.malloc_trim(0)


def threads() -> int:
    """The number of threads that kernels use."""
    return _threads


class _Array:
    """A C-contiguous array of one type and number of dimensions; numpy.ctypeslib.ndpointer takes twice the time."""

    def __init__(self, code: str, ndim: int) -> None:
        self._dtype, self._ndim = np.dtype(code), ndim

    def from_param(self, array: Any) -> ctypes.c_void_p:
        """The address; ctypes calls this for each argument."""
        if not isinstance(array, np.ndarray):
            raise TypeError(f"expected an array, found {type(array).__name__}")
        if array.dtype != self._dtype or array.ndim != self._ndim or not array.flags.c_contiguous:
            found = f"{array.dtype} of shape {array.shape} and strides {array.strides}"
            raise TypeError(f"expected C-contiguous {self._dtype} of {self._ndim} dimensions, found {found}")
        return ctypes.c_void_p(array.ctypes.data)


def declared(function: Any, signature: str) -> Any:
    """A function of `library` whose arguments are checked and converted at each call.

    Parameters
    ----------
    function
        `library.st3d_<name>`; it returns a C int (0 where it cannot fail), or nothing.
    signature
        One NumPy type code per argument. `f8[2]` is a C-contiguous float64 array of two dimensions, which must outlive
        the call; `i8`, `f4` and `f8` are numbers.

    Returns
    -------
    callable
        `function`; an argument of another type, or an array of other dimensions or strides, is a
        `ctypes.ArgumentError`.

    Notes
    -----
    An array costs about 2 microseconds of each call.
    """
    kinds = [each.rstrip("]").partition("[") for each in signature.split()]
    function.argtypes = [_Array(code, int(ndim)) if ndim else _NUMBERS[code] for code, _, ndim in kinds]
    return function


def in_ranges(call: Callable[[int, int], object], total: int, block: int) -> None:
    """Run a kernel over a range on the kernel threads, in pieces of any size.

    For kernels whose result does not depend on how the range is divided; `in_blocks` is for those that sum.

    Parameters
    ----------
    call
        call(start, stop) computes [start, stop).
    total
        The range is [0, total).
    block
        Least size of a piece, but for the last.
    """
    if _pool is None:
        call(0, total)
    else:  # a few pieces per thread even out unequal ones; each costs some 20 microseconds of Python
        in_blocks(call, total, max(block, -(-total // (PIECES * _threads))))


def in_blocks(call: Callable[[int, int], object], total: int, block: int) -> None:
    """Run a kernel over a range on the kernel threads, divided at the same places for any number of threads.

    Parameters
    ----------
    call
        call(start, stop) computes [start, stop).
    total
        The range is [0, total).
    block
        The range is divided at every multiple of it.
    """
    starts = range(0, total, block)
    if _pool is None:
        for start in starts:
            call(start, min(start + block, total))
    else:
        list(_pool.map(lambda start: call(start, min(start + block, total)), starts))
