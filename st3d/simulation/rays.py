"""Arrays as Open3D's ray caster takes them."""

from typing import Any

import numpy as np

from st3d.kernels.open3d_library import open3d_module


def tensor(values: np.ndarray, kind: type = np.float32) -> Any:
    """An array as an Open3D tensor.

    Parameters
    ----------
    values
        Of any shape.
    kind
        NumPy's type of the result's numbers.

    Returns
    -------
    open3d.core.Tensor of the same shape
    """
    return open3d_module().core.Tensor(np.ascontiguousarray(values, kind))
