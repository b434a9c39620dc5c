"""Scans of any sensor: the file's ending says which reader takes it; units and invalid pixels are found for all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from st3d.formats.errors import error_text, refuse_devices, sides_text
from st3d.formats.image_files import open_image
from st3d.formats.plausible_scans import is_reversed
from st3d.formats.ply_pcd import pcd_header, ply_header, read_pcd, read_ply
from st3d.formats.sensor_files.arrays import array_numbers, read_numpy
from st3d.formats.sensor_files.scan import Numbers, Reading, SensorScan
from st3d.formats.sensor_files.sensor import image_points, sensor_of
from st3d.formats.sensor_files.tables import Heights, read_table
from st3d.formats.sensor_files.units import in_metres
from st3d.formats.tiff import read_tiff

SIZES = (("num_cols", "num_rows"), ("width", "height"))  # names of columns and rows in a PLY header's remarks


def read_sensor_scan(path: Path, reading: Reading = Reading()) -> SensorScan:  # noqa: B008  a frozen one
    """Read a scan as a sensor's program wrote it.

    Parameters
    ----------
    path
        .tif, .tiff: an xyz image of floats, or depths or heights of 1 channel. .png: depths or heights of 16 bits.
        .ply, .pcd: points; an image if the header has its size. .npy, .npz: see `sensor_scan`. .xyz, .txt, .csv, .asc,
        .pts: rows of x, y and z and more columns, or a matrix of heights. Endings in either case.
    reading
        Unit, invalid values and sensor, as far as they are not to be found.

    Returns
    -------
    SensorScan

    Raises
    ------
    ValueError
        One line with the file and its fault.
    """
    path = Path(path)
    with _faults(path):
        read = READERS.get(path.suffix.lower())
        if read is None:
            raise ValueError(f"expected a scan ending in {', '.join(READERS)}, found '{path.suffix}'")
        refuse_devices(path)
        if not path.stat().st_size:
            raise ValueError("expected a scan, found an empty file")
        return in_metres(read(path, reading), reading)


def sensor_scan(array: np.ndarray, reading: Reading = Reading(), name: str = "scan") -> SensorScan:  # noqa: B008
    """Take an array as a scan, by the rules of `read_sensor_scan`.

    Parameters
    ----------
    array
        (h, w, 3) or (3, h, w): an image of points. (n, 3 to 16): a cloud, x, y and z first. (h, w): depths or heights,
        as `reading.sensor` says. (n,) or (h, w) records with fields x, y and z.
    reading
        As for `read_sensor_scan`.
    name
        What errors begin with.

    Returns
    -------
    SensorScan

    Raises
    ------
    ValueError
        One line with the name and the fault.
    """
    with _faults(name):
        return in_metres(array_numbers(array, reading), reading)


def any_scan(scan: SensorScan | Path | str | np.ndarray, reading: Reading, name: str) -> SensorScan:
    """Take what a user's program has of a scan.

    Parameters
    ----------
    scan
        One that was read before, a file, or an array.
    reading
        How a file or an array is read.
    name
        What errors of an array begin with.

    Returns
    -------
    SensorScan

    Raises
    ------
    ValueError
        One line with the file or the name, and the fault.
    """
    if isinstance(scan, SensorScan):
        return scan
    if isinstance(scan, str | Path):
        return read_sensor_scan(Path(scan), reading)
    return sensor_scan(np.asarray(scan), reading, name)


@contextmanager
def _faults(name: object) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        link = isinstance(name, Path) and name.is_symlink()
        raise ValueError(f"{name}: expected a scan, found {'a link to nowhere' if link else 'no such file'}") from None
    except OSError as error:
        raise ValueError(f"{name}: expected a scan, found {error_text(error.strerror or error)}") from None
    except MemoryError:
        raise ValueError(f"{name}: expected a scan that fits into memory, found a larger one") from None
    except ValueError as error:
        raise ValueError(f"{name}: {' '.join(str(error).split())}") from None


def _tiff(path: Path, reading: Reading) -> Numbers:
    image = read_tiff(path, "expected a TIFF file")
    if image.ndim == 2 and image.dtype != np.uint8:
        return image_points(image, sensor_of(reading), reading)
    if image.ndim != 3 or image.shape[2] != 3:
        found = f"{image.dtype} of shape {sides_text(image.shape)}"
        raise ValueError(f"expected an image of 3 channels (x, y, z), or depths or heights in 1, found {found}")
    numbers = array_numbers(image, reading, floats=True)
    if is_reversed(image):
        numbers.points = image[..., ::-1]
        numbers.notes.append("channels reversed: OpenCV wrote them as z, y, x")
    return numbers


def _png(path: Path, reading: Reading) -> Numbers:
    with open_image(path, "expected a PNG file") as image:
        depth = np.asarray(image)
    if depth.ndim != 2 or depth.dtype.kind not in "iu" or depth.dtype == np.uint8:
        found = f"{depth.dtype} of shape {sides_text(depth.shape)}"
        raise ValueError(f"expected a depth image of 16 bits and 1 channel, found {found}")
    return image_points(depth, sensor_of(reading), reading)


def _ply(path: Path, _: Reading) -> Numbers:
    points = np.stack(read_ply(path), axis=-1)
    header = ply_header(path)
    sides = next((pair for pair in SIZES if set(pair) <= set(header.remarks)), None)
    size = [header.remarks[name] for name in sides or ()]
    notes = ["a mesh, of which the vertices are read"] if header.element("face").rows else []
    return _organised(points, size, notes)


def _pcd(path: Path, _: Reading) -> Numbers:
    points = np.stack(read_pcd(path), axis=-1)
    header, _start = pcd_header(path)
    size = [*header.get("WIDTH", []), *header.get("HEIGHT", [])]
    return _organised(points, size, [])


def _organised(points: np.ndarray, size: list[str], notes: list[str]) -> Numbers:
    """Points as an image, if its columns and rows are given and fit."""
    columns, rows = (int(side) for side in size) if len(size) == 2 and all(map(str.isdecimal, size)) else (0, 0)
    if rows > 1 and rows * columns == len(points):
        return Numbers(points.reshape(rows, columns, 3), [f"an image of {rows} x {columns} pixels", *notes])
    return Numbers(points, [f"a cloud of {len(points)} points", *notes])


def _numpy(path: Path, reading: Reading) -> Numbers:
    return array_numbers(read_numpy(path), reading)


def _text(path: Path, reading: Reading) -> Numbers:
    table = read_table(path, reading)
    if isinstance(table, Heights):
        return image_points(table.values, table.pitch or sensor_of(reading), reading)
    return table


Reader = Callable[[Path, Reading], Numbers]
READERS: dict[str, Reader] = {".tif": _tiff, ".tiff": _tiff, ".png": _png, ".ply": _ply, ".pcd": _pcd}
READERS |= {".npy": _numpy, ".npz": _numpy}
READERS |= dict.fromkeys((".xyz", ".txt", ".csv", ".asc", ".pts"), _text)
