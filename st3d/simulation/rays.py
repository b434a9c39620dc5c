"""Arrays as Open3D's ray caster takes them."""

from typing import Any

import numpy as np


def tensor(values: np.ndarray, kind: type = np.float32) -> Any:
    """`values` as an Open3D tensor of type `kind`."""
    import open3d

    core: Any = open3d.core  # its stubs have no arrays
    return core.Tensor(np.ascontiguousarray(values, kind))
