"""Point clouds as sensors and their data sets give them: BIN, NPY, PCD, PLY, XYZ, and ITODD's coordinate images.

n points in a file, p points of it that are read. BIN and NPY are mapped: only the rows that were drawn stay in memory.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from st3d.errors import by, short
from st3d.ply_pcd import ply_header, read_pcd, read_ply

# what it would say of a damaged file is said below, in one line
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

SUFFIXES = (".bin", ".npy", ".pcd", ".ply", ".xyz")
IMAGES = "_x.tif"  # ends the first of an ITODD scan's three images
POINT = 16  # bytes of a BIN file's point
TITLES = 2  # lines of an XYZ file that may come before its numbers
BLOCK = 2**20  # rows looked at at once
FAR = 100  # longest sides from the origin: farther clouds lose digits as float32


def read_cloud(path: Path, most: int, rng: np.random.Generator) -> np.ndarray:
    """Read a point cloud, or a random sample of it.

    Parameters
    ----------
    path : .bin (float32 x, y, z, reflectance, as KITTI's velodyne), .npy (n, 3 or more columns), .pcd or .ply (x, y, z
        among other fields, as text or binary), .xyz (text, the first three columns), or the x image of an ITODD scan
        (<name>_x.tif, with <name>_y.tif and <name>_z.tif beside it)
    most : points to read at most, each as likely as any other
    rng : the random stream; nothing is drawn from it for a cloud of `most` points or fewer

    Returns
    -------
    (p, 3) float32, 1 <= p <= most, in the file's order and length unit; points that are NaN or infinite are left out.
    A cloud of doubles that lies more than 100 times its longest side from the origin is moved there before it
    is rounded to float32: UTM coordinates would lose their decimals.

    Raises
    ------
    ValueError
        One line with the file and its fault: unknown ending, cut or foreign content, no points, none finite.
    """
    with _faults(path):
        return drawn(_table(path), most, rng)


def drawn(table: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Coordinates (p, 3) float32 of at most `most` random finite rows of `table` (n, 3 or more); see `read_cloud`."""
    if table.ndim != 2 or table.shape[1] < 3 or table.dtype.kind not in "fiu":
        found = f"{table.dtype} of shape {by(table.shape)}"
        raise ValueError(f"expected numbers of shape (n, 3) or with more columns, found {found}")
    if len(table) == 0:
        raise ValueError("expected points, found none")
    with np.errstate(over="ignore"):  # what float32 cannot hold counts as infinite
        starts = range(0, len(table), BLOCK)
        finite = [np.isfinite(table[at : at + BLOCK, :3].astype(np.float32)).all(axis=1) for at in starts]
    rows = np.flatnonzero(np.concatenate(finite))
    if len(rows) == 0:
        raise ValueError(f"expected finite points, found NaN or infinity in all {len(table)}")
    if len(rows) > most:
        rows = np.sort(rng.choice(rows, most, replace=False))
    points = table[rows, :3]
    if points.dtype != np.float32:
        points = points.astype(np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        if np.abs([low, high]).max() > FAR * (high - low).max():
            points = points - (low + high) / 2
    return np.ascontiguousarray(points, np.float32)


def has_faces(path: Path) -> bool:
    """Whether a PLY file is a mesh, by its header."""
    with _faults(path):
        return ply_header(path).elements.get("face", 0) > 0


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ValueError(f"{error.filename or path}: expected a point cloud, found no such file") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _table(path: Path) -> np.ndarray:
    """All rows (n, columns) of a file, mapped where the format allows."""
    if path.name.lower().endswith(IMAGES):
        return _read_images(path)
    match path.suffix.lower():
        case ".bin":
            return _read_bin(path)
        case ".npy":
            return _read_npy(path)
        case ".pcd":
            return read_pcd(path)
        case ".ply":
            return read_ply(path)
        case ".xyz":
            return _read_xyz(path)
    raise ValueError(f"expected a point cloud ending in {', '.join((*SUFFIXES, IMAGES))}, found '{path.suffix}'")


def _read_bin(path: Path) -> np.ndarray:
    size = path.stat().st_size
    if size == 0 or size % POINT:
        raise ValueError(f"expected x, y, z, reflectance as float32, {POINT} bytes a point, found {size} bytes")
    return np.memmap(path, np.dtype("<f4"), "r").reshape(-1, 4)


def _read_npy(path: Path) -> np.ndarray:
    try:
        with warnings.catch_warnings(action="ignore"):  # of headers that an old Python wrote
            return np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # a foreign header is read as a Python expression
        raise ValueError(f"expected a whole NPY file of numbers, found {short(error)}") from None


def _read_xyz(path: Path) -> np.ndarray:
    lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    lines = [line for line in lines if not line.lstrip().startswith((b"#", b"//"))]
    first = next((at for at, line in enumerate(lines[: TITLES + 1]) if _are_numbers(line.split()[:3])), None)
    if first is None:
        found = repr(lines[0][:30].decode("ascii", "replace")) if lines else "none"
        raise ValueError(f"expected lines of x, y and z with white space between them, found {found}")
    columns, last = len(lines[first].split()), len(lines[-1].split())
    if last < columns:
        raise ValueError(f"expected {columns} columns in the last line, found {last}: the file is cut")
    try:
        return np.loadtxt(lines[first:], usecols=(0, 1, 2), ndmin=2)
    except ValueError as error:
        raise ValueError(f"expected numbers in the first three columns, found {short(error)}") from None


def _are_numbers(words: list[bytes]) -> bool:
    try:
        return len([float(word) for word in words]) == 3
    except ValueError:
        return False


def _read_images(path: Path) -> np.ndarray:
    import tifffile

    images = []
    for name in (path.name[: -len(IMAGES)] + IMAGES.replace("x", axis) for axis in "xyz"):
        try:
            image = tifffile.imread(path.with_name(name))
        except FileNotFoundError:
            raise ValueError(f"expected {name} beside it, found none") from None
        except Exception as error:  # whatever the reader raises at foreign bytes
            raise ValueError(f"expected TIFF files, found a cut or foreign {name} ({short(error)})") from None
        images.append(image)
    shapes = {image.shape for image in images}
    if len(shapes) > 1 or images[0].ndim != 2 or any(image.dtype.kind != "f" for image in images):
        found = ", ".join(f"{image.dtype} {by(image.shape)}" for image in images)
        raise ValueError(f"expected images of floats with 1 channel and equal sides for x, y and z, found {found}")
    points = np.stack([image.ravel() for image in images], axis=1)
    points[points[:, 2] == 0] = np.nan  # a depth of 0 is what the sensor did not see
    return points
