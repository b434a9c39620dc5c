import ctypes

import numpy as np
import pytest

from st3d.kernels import raster
from st3d.kernels.native import library


def call(**changes):
    """st3d_splat of one point, with some arguments replaced."""
    given = {"pixels": np.zeros((1, 2)), "depth": np.ones(1), "n": 1, "h": 2, "w": 3, "found": np.empty((2, 3), int)}
    return raster._splat(*(given | changes).values())


@pytest.mark.parametrize(
    "changes",
    [
        {"pixels": np.ones(1), "depth": np.zeros((1, 2))},
        {"n": np.ones(1)},
        {"depth": np.ones(1, np.float32)},
        {"pixels": np.zeros((1, 4))[:, ::2]},
        {"found": None},
    ],
    ids=["swapped", "array for a number", "type", "strides", "nothing"],
)
def test_a_kernel_refuses_arguments_that_its_declaration_does_not_name(changes):
    call()
    with pytest.raises(ctypes.ArgumentError):
        call(**changes)


def test_every_exported_kernel_that_python_calls_declares_its_arguments():
    from st3d.kernels import aggregation_cpu, coreset, graph, harmonic, nearest, nearest_rows, points, pro

    for module in (aggregation_cpu, coreset, graph, harmonic, nearest, nearest_rows, points, pro, raster):
        kernels = [each for each in vars(module).values() if isinstance(each, library._FuncPtr)]
        assert kernels and all(each.argtypes for each in kernels), module
