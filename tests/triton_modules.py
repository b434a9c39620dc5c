"""Modules of Triton kernels: on a GPU where there is one, else in Triton's interpreter."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def triton_module(name: str) -> Iterator[ModuleType]:
    """The module `name`. Its decorators choose the interpreter when it and Triton are imported: start afresh."""
    with pytest.MonkeyPatch.context() as patch:
        if DEVICE == "cpu":
            patch.setenv("TRITON_INTERPRET", "1")
            for loaded in list(sys.modules):
                compiled = loaded.startswith("triton._C")  # a library cannot be loaded twice
                if loaded == name or (loaded.partition(".")[0] == "triton" and not compiled):
                    patch.delitem(sys.modules, loaded)
        pytest.importorskip("triton", reason="Triton is not installed: it comes with torch for CUDA")
        yield importlib.import_module(name)
