"""Memory banks as they are read from files: refused in one line where they are damaged."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from st3d.formats.checkpoints import content_of, load, plain

PROPERTIES = ("modality", "input", "channels", "sides", "frame")  # of the images, see `Images.properties`
LARGEST = 2**32  # of a size, above all seeds
SIDE = 4096  # pixels of an image's side at most


def read_bank(path: Path, method: str, columns: int, sizes: Sequence[str]) -> dict[str, Any]:
    """Read a memory bank that a stage of this package wrote.

    Parameters
    ----------
    path
        The file.
    method
        The method that it is of.
    columns
        d, numbers of a feature.
    sizes
        Names of the sizes that the method needs.

    Returns
    -------
    Its content: `bank` (b, d) float32, `sizes` by name, the images' properties, and what else the method keeps

    Raises
    ------
    ValueError
        One line with the file if it is damaged, or a memory bank of another method.
    """
    model = load(path, "memory_bank")
    what = f"a memory bank of {method}"
    with content_of(path, what):
        if model["method"] != method:
            raise ValueError(f"{path}: expected {what}, found one of {str(model['method'])[:100]}")
        missing = [name for name in (*PROPERTIES, "bank") if name not in model]
        if missing:
            raise ValueError(f"{path}: expected {what}, found no {missing[0]}")
        json.dumps([model[name] for name in PROPERTIES])  # a TypeError at a tensor, which compares element by element
        shape = tuple(plain(model["bank"]).shape)
        if len(shape) != 2 or shape[1] != columns:
            raise ValueError(f"{path}: expected rows of {columns} numbers, found a tensor of shape {shape}")
        side = min(max(model["sides"]), SIDE)
        for name in sizes:
            most = side if name in ("cells", "blur") else LARGEST
            kinds = (int, float) if name in ("blur", "overlap") else (int,)
            if type(model["sizes"][name]) not in kinds or not 0 <= model["sizes"][name] <= most:
                raise ValueError(f"{path}: expected {name} from 0 to {most}, found {str(model['sizes'][name])[:100]}")
    return model
