"""Write a scan as a sensor's program would, and a mask beside it."""

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from st3d.formats.atomic import atomic
from st3d.formats.ply_write import write_ply
from st3d.formats.sensor_files.scan import PER_METRE, Unit

PCD = """# .PCD v0.7 - Point Cloud Data file format
VERSION 0.7
FIELDS x y z
SIZE 4 4 4
TYPE F F F
COUNT 1 1 1
WIDTH {width}
HEIGHT {height}
VIEWPOINT 0 0 0 1 0 0 0
POINTS {points}
DATA binary
"""


def write_sensor_scan(path: Path, points: np.ndarray, unit: Unit = "m") -> None:
    """Write a scan in the format that its file's ending names.

    Parameters
    ----------
    path
        The file: .tiff, an image with (0, 0, 0) for invalid pixels; .npy and .pcd, an image with NaN for them; .ply, a
        binary cloud of the valid points.
    points
        (h, w, 3) float32, metres; invalid pixels are (0, 0, 0).
    unit
        Unit of the numbers in the file.

    Raises
    ------
    ValueError
        One line if the ending is another.
    """
    image = (points.astype(np.float64) * PER_METRE[unit]).astype("<f4")
    valid = points.any(axis=-1)
    if path.suffix == ".ply":
        write_ply(path, image[valid])
        return
    with atomic(path) as partial:
        match path.suffix:
            case ".tiff":
                tifffile.imwrite(partial, image, photometric="rgb", planarconfig="contig", metadata=None)
            case ".npy":
                image[~valid] = np.nan
                with partial.open("wb") as file:  # by its name, it would get another ending
                    np.save(file, image)
            case ".pcd":
                height, width = valid.shape
                header = PCD.format(width=width, height=height, points=width * height)
                image[~valid] = np.nan
                partial.write_bytes(header.encode() + image.tobytes())
            case suffix:
                raise ValueError(f"{path}: expected .tiff, .ply, .pcd or .npy, found '{suffix}'")


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write where a scan is defective.

    Parameters
    ----------
    path
        The PNG file; its name ends with _mask.png beside the scan of the same beginning.
    mask
        (h, w) bool.
    """
    with atomic(path) as partial:
        Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))).save(partial, format="PNG")
