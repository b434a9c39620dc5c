"""Headers of scans, masks and RGB images: what the readers in `scans` take, seen without reading a file whole."""

from pathlib import Path

import numpy as np
from PIL import Image

from st3d.formats.errors import sides_text
from st3d.formats.image_files import open_image
from st3d.formats.tiff import tiff_header


def check_scan(path: Path) -> tuple[int, int]:
    """Look at an xyz image's header alone, for what `scans.read_scan` would refuse.

    Parameters
    ----------
    path
        TIFF of floats, (h, w, 3).

    Returns
    -------
    (h, w)

    Raises
    ------
    ValueError
        One line with the file and its fault; coordinates that are not finite go unseen.
    """
    path = Path(path)
    shape, dtype = tiff_header(path, f"{path}: expected a TIFF file")
    refuse_other_than_xyz(path, shape, dtype)
    return shape[0], shape[1]


def check_mask(path: Path, size: tuple[int, int]) -> None:
    """Look at a ground truth image without decoding it, for what `scans.read_mask` would refuse.

    Parameters
    ----------
    path
        8-bit image.
    size
        (h, w) of the sample's scan.

    Raises
    ------
    ValueError
        One line with the file and its fault.
    """
    shape, _ = _look_at_image(path, "a mask image")
    refuse_other_than_mask(path, shape, size)


def check_colours(path: Path, size: tuple[int, int]) -> None:
    """Look at an RGB image without decoding it, for what `scans.read_colours` would refuse.

    Parameters
    ----------
    path
        Image of 8 bits and 3 channels.
    size
        (h, w) of the scan.

    Raises
    ------
    ValueError
        One line with the file and its fault.
    """
    shape, dtype = _look_at_image(path, "an RGB image")
    refuse_other_than_colours(path, shape, dtype, size)


def refuse_other_than_xyz(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Refuse an xyz image of another shape or type.

    Parameters
    ----------
    path
        Its file, for the error.
    shape, dtype
        What it has.

    Raises
    ------
    ValueError
        One line.
    """
    if len(shape) != 3 or shape[2] != 3:
        raise ValueError(f"{path}: expected an image of 3 channels (x, y, z), found shape {sides_text(shape)}")
    if not np.issubdtype(dtype, np.floating):
        raise ValueError(f"{path}: expected float32 coordinates in metres, found {dtype}")


def refuse_other_than_mask(path: Path, shape: tuple[int, ...], size: tuple[int, int] | None) -> None:
    """Refuse a ground truth image of another shape.

    Parameters
    ----------
    path
        Its file, for the error.
    shape
        What it has.
    size
        (h, w) of the sample's scan, checked if given.

    Raises
    ------
    ValueError
        One line.
    """
    if len(shape) != 2:
        raise ValueError(f"{path}: expected a mask of 1 channel, found shape {sides_text(shape)}")
    if size is not None and shape != tuple(size):
        found = sides_text(shape)
        raise ValueError(f"{path}: expected a mask of {sides_text(size)} pixels like its scan, found {found}")


def refuse_other_than_colours(path: Path, shape: tuple[int, ...], dtype: np.dtype, size: tuple[int, int]) -> None:
    """Refuse an RGB image of another shape or type.

    Parameters
    ----------
    path
        Its file, for the error.
    shape, dtype
        What it has.
    size
        (h, w) of the scan.

    Raises
    ------
    ValueError
        One line.
    """
    if dtype != np.uint8 or shape != (*size, 3):
        wanted = f"8 bits of 3 channels and {sides_text(size)} pixels like its scan"
        raise ValueError(f"{path}: expected {wanted}, found {dtype} of shape {sides_text(shape)}")


def _look_at_image(path: Path, what: str) -> tuple[tuple[int, ...], np.dtype]:
    """The shape and type that the whole image would have; of a PNG's data, only the checksums are read."""
    with open_image(path, f"{path}: expected {what}") as image:
        width, height = image.size
        bands = len(image.getbands())
        dtype = np.asarray(Image.new(image.mode, (1, 1))).dtype
        image.verify()
    return (height, width) if bands == 1 else (height, width, bands), dtype
