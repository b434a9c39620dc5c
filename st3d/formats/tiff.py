"""TIFF files as NumPy arrays: any compression that tifffile and imagecodecs decode, channels last."""

from pathlib import Path

import numpy as np
import tifffile

from st3d.formats.errors import one_line, refuse_devices, sides_text, silenced

PACKED = 1100  # bytes that a byte of a file becomes at most: deflate's bound is 1032
SMALL = 2**26  # bytes of an image that is read whatever the file's size
LZW = tifffile.COMPRESSION.LZW


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
    refuse_devices(path, expected)
    with silenced("tifffile"), one_line(expected), tifffile.TiffFile(path) as file:
        series = _first(file)
        image = _by_libtiff(path, series) if series.keyframe.compression == LZW else series.asarray()
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
    refuse_devices(path, expected)
    with silenced("tifffile"), one_line(expected), tifffile.TiffFile(path) as file:
        image = _first(file)
        pages = [page for page in image.pages if page is not None]
        ends = (at + size for page in pages for at, size in zip(page.dataoffsets, page.databytecounts, strict=True))
        if max(ends, default=0) > path.stat().st_size:
            raise ValueError("a truncated one")
        planes, *sides = image.shape
        return ((*sides, planes) if _in_planes(image) else image.shape), image.dtype


def _first(file: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """The first image of an open file; a ValueError at one that tifffile would take for ever, or all memory, for."""
    seen: set[int] = set()
    for page in file.pages:
        if page.offset in seen:
            raise ValueError("pages in a circle")
        seen.add(page.offset)
    series = file.series[0]
    size, most = series.size * series.dtype.itemsize, max(SMALL, PACKED * file.filehandle.size)
    if size > most:
        raise ValueError(f"a header of {series.size} numbers in a file of {file.filehandle.size} bytes")
    return series


def _by_libtiff(path: Path, series: tifffile.TiffPageSeries) -> np.ndarray:
    """An image packed by LZW: imagecodecs' own decoder, which tifffile takes, crashes at damaged codes."""
    import imagecodecs  # 0.1 s, imported only where needed

    pages = [page.index for page in series.pages if page is not None]
    image = imagecodecs.tiff_decode(path.read_bytes(), index=pages)
    if image.size != series.size or image.dtype != series.dtype:
        raise ValueError(f"{image.dtype} of shape {sides_text(image.shape)} where the header says otherwise")
    return image.reshape(series.shape)


def _in_planes(series: tifffile.TiffPageSeries) -> bool:
    """Whether the first of three axes counts channels: samples, or three pages."""
    shape = series.shape
    return len(shape) == 3 and (series.axes[0] == "S" or (shape[0] == 3 and shape[2] != 3))
