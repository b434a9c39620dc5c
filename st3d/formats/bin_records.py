"""BIN point clouds: records of four float32, as KITTI's velodyne; records of other lengths are recognised."""

from pathlib import Path

import numpy as np

POINT = 16  # bytes of a BIN file's point
RECORDS = (3, 5, 6, 7, 8)  # numbers a point that other programs write into BIN files
NEGATIVE = 0.01  # of the fourth numbers
FEW = 50  # points, of which nothing can be concluded
LOOKED_AT = 840 * 36  # numbers at the start of a BIN file, whole records of any of these lengths


def read_bin(path: Path) -> np.ndarray:
    """Map a BIN file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    (n, 4) float32, mapped: x, y, z, reflectance

    Raises
    ------
    ValueError
        If its size is no number of points, or its records seem to have another length or type; without the file's name.
    """
    size = path.stat().st_size
    wanted = f"expected x, y, z, reflectance as float32, {POINT} bytes a point"
    if size == 0 or size % POINT:
        raise ValueError(f"{wanted}, found {size} bytes")
    numbers = np.memmap(path, np.dtype("<f4"), "r")
    start = np.asarray(numbers[:LOOKED_AT])
    other = _record_length(start, size // 4)
    if other is None and size % 12 == 0 and size >= FEW * POINT and np.mean(start[3::4] < 0) > NEGATIVE:
        other = 3  # no sensor gives a reflectance below 0; of a part about its origin x, y and z spread alike
    if other is not None:
        advice = (
            f"numpy.save('{path.stem}.npy', numpy.fromfile('{path.name}', '<f4').reshape(-1, {other})) makes points"
        )
        raise ValueError(f"{wanted}, found records of {other} numbers; {advice}")
    if _are_other_numbers(start):
        raise ValueError(f"{wanted}, found numbers from 1e-20 or less to 1e20 or more, of another type or byte order")
    return numbers.reshape(-1, 4)


def _record_length(numbers: np.ndarray, total: int) -> int | None:
    """How many numbers a point has, if the fields of 4 are alike and those of another number are not.

    x and y spread wider than z, and reflectance, ring or time otherwise: the ranks of magnitudes differ between the
    fields of a point. Split at a wrong length, each field is a mixture of all.
    """
    ranks = np.empty(len(numbers))
    ranks[np.argsort(np.abs(numbers), kind="stable")] = np.arange(len(numbers))
    lengths = [length for length in RECORDS if total % length == 0]
    fields = {length: ranks[: len(ranks) // length * length].reshape(-1, length) for length in (4, *lengths)}
    explained = {
        length: float(each.mean(axis=0).var() / each.var()) for length, each in fields.items() if each.size > 1
    }
    most = max(explained.values(), default=0.0)
    least = max(1.5 * explained.get(4, 0.0), 0.1 + 20 / len(numbers))  # of few numbers, some fields differ by chance
    # a multiple of the right length explains as much
    return min(length for length in explained if explained[length] > 0.9 * most) if most > least else None


def _are_other_numbers(numbers: np.ndarray) -> bool:
    """Whether doubles, integers or swapped bytes were read as float32: exponents are as in no measured number."""
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    tiny, huge = np.count_nonzero(sizes < 1e-20), np.count_nonzero(sizes > 1e20)
    return bool(min(tiny, huge) > 0.01 * sizes.size or tiny > 0.5 * sizes.size > 0)
