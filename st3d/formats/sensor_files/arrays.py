"""Arrays of numbers: which of their shapes are images of points, clouds, or depths and heights."""

import warnings
from pathlib import Path

import numpy as np

from st3d.formats.errors import one_line, sides_text
from st3d.formats.sensor_files.scan import Numbers, Reading
from st3d.formats.sensor_files.sensor import image_points, sensor_of
from st3d.formats.sensor_files.tables import WIDEST

NAMED = ("xyz", "points", "scan")  # arrays of an NPZ file that are a scan


def array_numbers(array: np.ndarray, reading: Reading, floats: bool = False) -> Numbers:
    """What an array holds.

    Parameters
    ----------
    array
        (h, w, 3 or more) or (3, h, w): an image of points. (n, 3 to 16): a cloud with further columns. (h, w) or
        (h, w, 1): depths or heights, as `reading.sensor` says. (n,) or (h, w) records with fields x, y and z.
    reading
        How it is to be read.
    floats
        Refuse coordinates of integers.

    Returns
    -------
    Numbers

    Raises
    ------
    ValueError
        One line.
    """
    array = _records(np.asarray(array))
    found = f"{array.dtype} of shape {sides_text(array.shape)}"
    if array.dtype.kind not in "fiu" or array.dtype == np.uint8:
        raise ValueError(f"expected coordinates, depths or heights, found {found}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.size == 0:
        raise ValueError(f"expected points, found {found}")
    points = _points(array, reading)
    if points is None:
        if array.ndim == 2:
            return image_points(array, sensor_of(reading), reading)
        raise ValueError(f"expected points of shape (h, w, 3) or (n, 3), found {found}")
    if floats and array.dtype.kind != "f":
        raise ValueError(f"expected coordinates as floats, found {found}")
    if points.ndim == 3:
        return Numbers(points, [f"an image of {sides_text(points.shape[:2])} pixels"])
    return Numbers(points, [f"a cloud of {len(points)} points"])


def _points(array: np.ndarray, reading: Reading) -> np.ndarray | None:
    """The points (h, w, 3) or (n, 3) of an array; None if it has another shape."""
    if array.ndim == 3:
        if array.shape[0] == 3 and array.shape[2] != 3:
            return np.moveaxis(array, 0, -1)
        return array[..., :3] if 3 <= array.shape[2] <= WIDEST else None
    columns = array.shape[1] if array.ndim == 2 else 0
    return array[:, :3] if columns == 3 or (3 < columns <= WIDEST and reading.sensor is None) else None


def _records(array: np.ndarray) -> np.ndarray:
    """An array of records with x, y and z as one of numbers (..., 3)."""
    if array.dtype.names is None:
        return array
    names = {name.lower(): name for name in array.dtype.names}
    if not {"x", "y", "z"} <= set(names):
        raise ValueError(f"expected fields x, y and z, found {', '.join(array.dtype.names)}")
    with one_line("expected numbers as x, y and z"):
        return np.stack([array[names[axis]].astype(np.float64) for axis in "xyz"], axis=-1)


def read_numpy(path: Path) -> np.ndarray:
    """Read an NPY file, or the one scan of an NPZ file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Any array

    Raises
    ------
    ValueError
        One line without the file: damaged, several arrays of which none is named xyz, points or scan.
    """
    kind = path.suffix[1:].upper()
    with one_line(f"expected a whole {kind} file of numbers"), warnings.catch_warnings(action="ignore"):
        content = np.load(path, "r" if path.suffix.lower() == ".npy" else None, allow_pickle=False)
        if isinstance(content, np.ndarray):  # mapped at first: more than the file holds would be allocated before
            return np.array(content)
        with content:
            names = [name for name in content.files if len(content.files) == 1 or name.lower() in NAMED]
            if len(names) != 1:
                raise ValueError(f"arrays {', '.join(content.files) or 'none'}; name the scan's {' or '.join(NAMED)}")
            return content[names[0]]
