"""Point clouds as sensors and their data sets give them: BIN, NPY, PCD, PLY, XYZ, and ITODD's coordinate images.

n points in a file, p points of it that are read. Binary files are mapped and text is read line by line: at any time,
only a block of rows and the points are in memory. TIFF images and what `ply_pcd` names are read whole.
"""

import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from st3d.formats.bin_records import read_bin
from st3d.formats.errors import one_line, refuse_devices, sides_text
from st3d.formats.ply_pcd import lines, parsed, pcd_header, ply_header, ply_points_header, read_pcd, read_ply
from st3d.formats.row_numbers import refuse_row_numbers
from st3d.formats.tiff import read_tiff, tiff_header

SUFFIXES = (".bin", ".npy", ".pcd", ".ply", ".xyz")
IMAGES = "_x.tif"  # ends the first of an ITODD scan's three images
WIDEST = 16  # columns of a table of points
MARK = "ï»¿"  # of UTF-8 at a file's start, as Latin-1
TITLES = 2  # lines of an XYZ file that may come before its numbers
BLOCK = 2**14  # rows looked at at once: what is computed of them takes 0.6 MB at most
FAR = 100  # longest sides from the origin: farther clouds lose digits as float32


def read_cloud(path: Path, most: int, rng: np.random.Generator) -> np.ndarray:
    """Read a point cloud, or a random sample of it.

    Parameters
    ----------
    path
        .bin (float32 x, y, z, reflectance, as KITTI's velodyne), .npy (n, 3 or more columns), .pcd or .ply (x, y, z
        among other fields, as text or binary), .xyz (text, the first three columns), or the x image of an ITODD scan
        (<name>_x.tif, with <name>_y.tif and <name>_z.tif beside it).
    most
        Points to read at most, each as likely as any other.
    rng
        The random stream; nothing is drawn from it for a cloud of `most` points or fewer.

    Returns
    -------
    (p, 3) float32, 1 <= p <= most, in the file's order and length unit; points that are NaN or infinite are left out.

    Raises
    ------
    ValueError
        One line with the file and its fault: unknown ending, truncated or other content, no points, none finite.

    Notes
    -----
    A cloud of doubles that lies more than 100 times its longest side from the origin is moved there before it is
    rounded to float32: UTM coordinates would lose their decimals. XYZ and PLY count as doubles in any case.
    """
    with _faults(path):
        columns = _columns(path)
        return _sample(columns, most, rng, doubles=path.suffix.lower() == ".ply")


def check_cloud(path: Path) -> None:
    """Look at a point cloud's header, for what `read_cloud` would refuse.

    Parameters
    ----------
    path
        As for `read_cloud`.

    Raises
    ------
    ValueError
        One line with the file: empty, or not of the format that its name says; faults in text and in images' pixels
        go unseen.
    """
    with _faults(path):
        if path.name.lower().endswith(IMAGES):
            _refuse_unequal_images(path)
            return
        match path.suffix.lower():
            case ".pcd":
                pcd_header(path)
            case ".ply":
                ply_points_header(path)
            case ".xyz":
                _first_row(path)
            case _:  # mapped, not read
                if len(_columns(path)[0]) == 0:
                    raise ValueError("expected points, found none")


def random_rows(table: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a random sample of the finite rows of a table, as `read_cloud` does.

    Parameters
    ----------
    table
        (n, 3 or more) numbers, of which the first three columns are coordinates.
    most, rng
        As for `read_cloud`.

    Returns
    -------
    (p, 3) float32, 1 <= p <= most, in the table's order.

    Raises
    ------
    ValueError
        If there is no finite row, or the table has another shape.
    """
    return _sample(_checked(table), most, rng, doubles=False)


def _checked(table: np.ndarray) -> Sequence[np.ndarray]:
    """The first three columns of a table of numbers."""
    if table.ndim != 2 or table.shape[1] < 3 or table.dtype.kind not in "fiu":
        found = f"{table.dtype} of shape {sides_text(table.shape)}"
        raise ValueError(f"expected numbers of shape (n, 3) or with more columns, found {found}")
    if table.shape[1] > max(WIDEST, len(table)):
        found = f"{sides_text(table.shape)}: coordinates come first; save the transposed array"
        raise ValueError(f"expected a row for each point, shape (n, 3) or with more columns, found {found}")
    return list(table.T[:3])


def _sample(columns: Sequence[np.ndarray], most: int, rng: np.random.Generator, doubles: bool) -> np.ndarray:
    """`random_rows` of three columns; `doubles`: count as such in any type."""
    if len(columns[0]) == 0:
        raise ValueError("expected points, found none")
    starts = range(0, len(columns[0]), BLOCK)
    edges = np.cumsum([0, *(len(_finite(columns, at)) for at in starts)])  # finite rows before each block
    total = int(edges[-1])
    if total == 0:
        raise ValueError(f"expected finite points, found NaN or infinity in all {len(columns[0])}")
    ranks = np.sort(rng.choice(total, most, replace=False)) if total > most else None  # among the finite rows
    middle = np.zeros(3)
    if doubles or np.result_type(*columns) != np.float32:
        ends = [(block.min(axis=0), block.max(axis=0)) for _, block in _blocks(columns, edges, ranks)]
        low, high = np.array(ends, np.float64).transpose(1, 2, 0)
        low, high = low.min(axis=1), high.max(axis=1)
        if np.abs([low, high]).max() > FAR * (high - low).max():
            middle = (low + high) / 2
    points = np.empty((min(total, most), 3), np.float32)
    for place, block in _blocks(columns, edges, ranks):
        points[place : place + len(block)] = block - middle
    return points


def _blocks(
    columns: Sequence[np.ndarray], edges: np.ndarray, ranks: np.ndarray | None
) -> Iterator[tuple[int, np.ndarray]]:
    """The rows (k, 3) of `ranks` among the finite ones, or all of these, block by block, and where each block goes."""
    places = edges if ranks is None else np.searchsorted(ranks, edges)
    for at, before, low, high in zip(range(0, len(columns[0]), BLOCK), edges, places, places[1:]):
        if low < high:
            rows = _finite(columns, at)
            rows = rows if ranks is None else rows[ranks[low:high] - before]
            yield low, np.stack([column[rows] for column in columns], axis=1)


def _finite(columns: Sequence[np.ndarray], at: int) -> np.ndarray:
    """Which rows of the block from row `at` on float32 can hold."""
    with np.errstate(over="ignore"):  # what float32 cannot hold counts as infinite
        block = [np.isfinite(column[at : at + BLOCK].astype(np.float32, copy=False)) for column in columns]
    return at + np.flatnonzero(np.logical_and.reduce(block))


def has_faces(path: Path) -> bool:
    """Whether a PLY file is a mesh, by its header.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        One line with the file if it is missing or its header is none.
    """
    with _faults(path):
        return ply_header(path).element("face").rows > 0


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        refuse_devices(path)
        yield
    except FileNotFoundError as error:
        raise ValueError(f"{error.filename or path}: expected a point cloud, found no such file") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _columns(path: Path) -> Sequence[np.ndarray]:
    """x, y and z of all points of a file, (n,) each, mapped where the format allows."""
    if path.name.lower().endswith(IMAGES):
        return _checked(_read_images(path))
    match path.suffix.lower():
        case ".bin":
            return _checked(read_bin(path))
        case ".npy":
            return _checked(_read_npy(path))
        case ".pcd":
            return read_pcd(path)
        case ".ply":
            return read_ply(path)
        case ".xyz":
            return _read_xyz(path)
    raise ValueError(f"expected a point cloud ending in {', '.join((*SUFFIXES, IMAGES))}, found '{path.suffix}'")


def _read_npy(path: Path) -> np.ndarray:
    with one_line("expected a whole NPY file of numbers"), warnings.catch_warnings(action="ignore"):  # of old headers
        return np.lib.format.open_memmap(path, mode="r")


def _first_row(path: Path) -> tuple[int, list[str]]:
    """The place of the first row of numbers among the lines of an XYZ file, and its words."""
    titles = list(islice(_rows(path), TITLES + 1))
    first = next((at for at, row in enumerate(titles) if _are_numbers(row.split()[:3])), None)
    if first is None:
        found = repr(titles[0].strip()[:30]) if titles else "none"
        raise ValueError(f"expected lines of x, y and z with white space between them, found {found}")
    return first, titles[first].split()


def _read_xyz(path: Path) -> Sequence[np.ndarray]:
    first, words = _first_row(path)
    (end,) = deque(_rows(path), 1)
    width, last = len(words), len(end.split())
    if last < width:
        raise ValueError(f"expected {width} columns in the last line, found {last}: the file is truncated")
    with one_line("expected numbers in the first three columns"):
        columns = parsed(islice(_rows(path), first, None), (0, 1, 2), np.float64)
    refuse_row_numbers(columns[0])
    return columns


def _rows(path: Path) -> Iterator[str]:
    """The lines of a text file without comments."""
    rows = (line.removeprefix(MARK).partition("#")[0] for line in lines(path))
    return (row for row in rows if row.strip() and not row.lstrip().startswith("//"))


def _are_numbers(words: list[str]) -> bool:
    try:
        return len([float(word) for word in words]) == 3
    except ValueError:
        return False


def _read_images(path: Path) -> np.ndarray:
    _refuse_unequal_images(path)
    names = _image_names(path)
    images = [read_tiff(path.with_name(name), f"expected {name} as a TIFF file") for name in names]
    points = np.stack([image.ravel() for image in images], axis=1)
    points[points[:, 2] == 0] = np.nan  # a depth of 0 is an invalid pixel
    return points


def _refuse_unequal_images(path: Path) -> None:
    headers = [tiff_header(path.with_name(name), f"expected {name} as a TIFF file") for name in _image_names(path)]
    shapes = {shape for shape, _ in headers}
    if len(shapes) > 1 or len(headers[0][0]) != 2 or any(dtype.kind != "f" for _, dtype in headers):
        found = ", ".join(f"{dtype} {sides_text(shape)}" for shape, dtype in headers)
        raise ValueError(f"expected images of floats with 1 channel and equal sides for x, y and z, found {found}")


def _image_names(path: Path) -> list[str]:
    """The files with x, y and z of an ITODD scan."""
    return [path.name[: -len(IMAGES)] + IMAGES.replace("x", axis) for axis in "xyz"]
