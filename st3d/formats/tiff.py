"""TIFF files as NumPy arrays: any compression that tifffile and imagecodecs decode, channels last."""

from pathlib import Path

import numpy as np
import tifffile

from st3d.formats.errors import one_line, silenced


def read_tiff(path: Path, expected: str) -> np.ndarray:
    """Read a TIFF file's first image.

    Parameters
    ----------
    path
        The file: one image, or three of one channel each.
    expected
        First part of the error, such as "<file>: expected a TIFF file".

    Returns
    -------
    (h, w), or (h, w, channels) also where the file stores one plane a channel

    Raises
    ------
    ValueError
        One line if it is no TIFF file, or a truncated one.
    """
    with silenced("tifffile"), one_line(expected), tifffile.TiffFile(path) as file:
        series = file.series[0]
        image = series.asarray()
        if image.size == 0:
            raise ValueError("a truncated one")
        return np.ascontiguousarray(np.moveaxis(image, 0, -1)) if _in_planes(series) else image


def tiff_header(path: Path, expected: str) -> tuple[tuple[int, ...], np.dtype]:
    """The shape and type of what `read_tiff` would return.

    Parameters
    ----------
    path, expected
        As for `read_tiff`.

    Returns
    -------
    Shape, and NumPy type

    Raises
    ------
    ValueError
        One line if it is no TIFF file, or a truncated one.
    """
    with silenced("tifffile"), one_line(expected), tifffile.TiffFile(path) as file:
        image = file.series[0]
        pages = [page for page in image.pages if page is not None]
        ends = (at + size for page in pages for at, size in zip(page.dataoffsets, page.databytecounts, strict=True))
        if max(ends, default=0) > path.stat().st_size:
            raise ValueError("a truncated one")
        planes, *sides = image.shape
        return ((*sides, planes) if _in_planes(image) else image.shape), image.dtype


def _in_planes(series: tifffile.TiffPageSeries) -> bool:
    """Whether the first of three axes counts channels: samples, or three pages."""
    shape = series.shape
    return len(shape) == 3 and (series.axes[0] == "S" or (shape[0] == 3 and shape[2] != 3))
