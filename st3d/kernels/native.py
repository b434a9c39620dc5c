"""The compiled kernels (kernels/src/*.c): one shared library, called through ctypes.

A ctypes call releases the interpreter's lock, so `in_ranges` runs one kernel on several cores with plain
Python threads. Kernels write disjoint ranges or fixed blocks, never a shared sum: results have the same
bits for any number of threads.
"""

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np

_spec = find_spec("st3d.kernels._native")
if _spec is None or _spec.origin is None:
    raise ImportError("st3d's C kernels are not built: run `make .venv`, or `pip install -e .` in the repository")
library = ctypes.CDLL(_spec.origin)
_system = ctypes.CDLL(None)

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h

PIECES = 4  # per thread

_threads = 1
_pool: ThreadPoolExecutor | None = None


def set_threads(count: int) -> None:
    """Let kernels use `count` threads from now on; the results do not depend on it."""
    global _threads, _pool
    if count < 1:
        raise ValueError(f"threads: expected 1 or more, found {count}")
    if _pool is not None:
        _pool.shutdown()
    _threads, _pool = count, ThreadPoolExecutor(count) if count > 1 else None


def keep_memory() -> None:
    """Let freed memory stay with the process: a training step would fetch the same pages from the system each time."""
    if hasattr(_system, "mallopt"):
        _system.mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
        _system.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def release_memory() -> None:
    """Give freed memory back to the system."""
    if hasattr(_system, "malloc_trim"):
        _system.malloc_trim(0)


def threads() -> int:
    """How many threads kernels use."""
    return _threads


def address(array: np.ndarray, dtype: type) -> ctypes.c_void_p:
    """The address of a C-contiguous array of `dtype`; the array must outlive the call."""
    assert array.flags.c_contiguous and array.dtype == dtype, (array.dtype, dtype, array.strides)
    return ctypes.c_void_p(array.ctypes.data)


def in_ranges(call: Callable[[int, int], object], total: int, block: int) -> None:
    """Run `call(start, stop)` over [0, total) on the kernel threads, in pieces of `block` or more.

    For kernels whose result does not depend on the cuts; `in_blocks` is for those that sum.
    """
    if _pool is None:
        call(0, total)
    else:  # a few pieces per thread even out unequal ones; each costs some 20 microseconds of Python
        in_blocks(call, total, max(block, -(-total // (PIECES * _threads))))


def in_blocks(call: Callable[[int, int], object], total: int, block: int) -> None:
    """Run `call(start, stop)` over [0, total), cut at every multiple of `block`, on the kernel threads."""
    starts = range(0, total, block)
    if _pool is None:
        for start in starts:
            call(start, min(start + block, total))
    else:
        list(_pool.map(lambda start: call(start, min(start + block, total)), starts))
