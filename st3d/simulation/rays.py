"""Arrays as Open3D's ray caster takes them."""

from typing import Any

import numpy as np


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
    import open3d

    core: Any = open3d.core  # its stubs have no arrays
    return core.Tensor(np.ascontiguousarray(values, kind))
