"""Shards: the clouds of one part of a split in one HDF5 file.

`points` (clouds, n, 3) float32, unscaled, in the order of farthest point sampling; `count` (clouds,)
says how many of the n are real, the rest are zeros. `neighbours` (clouds, n, k) uint16 or uint32, nearest first. For
scans also `pixel` (clouds, n) uint32 into the flattened image, `size` (clouds, 2) rows and columns, `sample` names.
Every dataset carries Fletcher-32 checksums; equal clouds give equal bytes.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from st3d.formats.hdf5 import File, column, dataset, names, new_file

# name, kinds of types, axes
FIELDS = (
    ("points", "f", 3),
    ("count", "u", 1),
    ("neighbours", "u", 3),
    ("pixel", "u", 2),
    ("size", "u", 2),
    ("sample", "S", 1),
)
_ROWS = 4096  # points in one chunk: a chunk of the neighbours stays under 1 MB, the library's cache


@dataclass(frozen=True)
class Cloud:
    """One scene or scan; a prefix of its points is a farthest point sample.

    Attributes
    ----------
    points
        (n, 3) float32, unscaled (scans: metres).
    neighbours
        (n, k) integer, rows of `points`, nearest first; None before stage `graph`.
    pixel
        (n,) uint32, of a scan: place in the flattened image.
    size
        Of a scan: rows and columns of the image.
    sample
        Of a scan: name such as "crack/003".
    """

    points: np.ndarray
    neighbours: np.ndarray | None = None
    pixel: np.ndarray | None = None
    size: tuple[int, int] | None = None
    sample: str | None = None


def index_type(points: int) -> type[np.unsignedinteger]:
    """The narrowest stored type that can number points.

    Parameters
    ----------
    points
        How many there are, at most 2^32.

    Returns
    -------
    np.uint16 or np.uint32
    """
    return np.uint16 if points <= 2**16 else np.uint32


def write_shard(path: Path, clouds: Iterable[Cloud], *, settings: Mapping[str, Any], code: str) -> None:
    """Write clouds one by one (memory for one of them), under a temporary name until all are there.

    Parameters
    ----------
    path
        The HDF5 file to write.
    clouds
        All with the same fields; the neighbours' type is kept.
    settings
        The stage's flags; they go with `code`, the version and the format into the attributes.
    code
        Fingerprint of the stage's source.
    """
    with new_file(path, settings, code) as (file, check):
        sizes: list[tuple[int, int]] = []
        samples: list[str] = []
        counts: list[int] = []
        for index, cloud in enumerate(clouds):
            _append(file, "points", index, np.asarray(cloud.points, np.float32))
            if cloud.neighbours is not None:
                _append(file, "neighbours", index, cloud.neighbours)
            if cloud.pixel is not None:
                _append(file, "pixel", index, np.asarray(cloud.pixel, np.uint32))
            counts.append(len(cloud.points))
            sizes += [cloud.size] if cloud.size is not None else []
            samples += [cloud.sample] if cloud.sample is not None else []
            check()
        if not counts:  # a part may be empty, where a split has fewer items than parts
            _append(file, "points", -1, np.empty((0, 3), np.float32))
        assert len(sizes) in (0, len(counts)) and len(samples) in (0, len(counts)), path
        column(file, "count", np.array(counts, np.uint32))
        if sizes:
            column(file, "size", np.array(sizes, np.uint32))
        if samples:
            column(file, "sample", names(samples))


class Shard(File):
    """An open shard; a context manager. `attributes` says how it was made.

    Parameters
    ----------
    path
        What `write_shard` wrote.

    Raises
    ------
    ValueError
        As `read_shard`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "a shard", {"points", "count"})
        self._count = self.guarded(self._counts)

    def __len__(self) -> int:
        return len(self._count)

    def _counts(self) -> np.ndarray:
        """How many points each cloud has, once all fields are as `write_shard` writes them."""
        for name, kinds, rank in FIELDS:
            if name in self.file:
                self.expect(name, kinds, rank)
        if self.file["points"].dtype != np.float32 or self.file["points"].shape[2] != 3:
            raise self.bad("points of 3 float32", f"{self.file['points'].dtype} {self.file['points'].shape}")
        if "size" in self.file and self.file["size"].shape[1] != 2:
            raise self.bad("a size of rows and columns", f"{self.file['size'].shape[1]} numbers")
        clouds = len(self.file["count"])
        if clouds * self.file["count"].dtype.itemsize > self.stored("count"):
            raise self.bad("a count of each cloud", f"none of some of {clouds}")
        count = self.read("count", slice(None))
        for name in ("points", "neighbours", "pixel"):
            if name not in self.file:
                continue
            stored, row = self.file[name], np.prod([self.file[name].dtype.itemsize, *self.file[name].shape[2:]])
            most = int(count.max(initial=0))
            if most > stored.shape[1] or float(row) * int(count.sum(dtype=np.uint64)) > self.stored(name):
                raise self.bad(f"{most} rows of a cloud in '{name}'", f"{stored.shape[1]}, or fewer written")
        return count

    def check(self, points: int | None, neighbours: int | None) -> None:
        """Refuse clouds that were made for another n or k.

        Parameters
        ----------
        points
            n; None: any.
        neighbours
            k; None or 0: any.

        Raises
        ------
        ValueError
            One line with the file if they differ.
        """
        n = self.attributes["settings"].get("points", points)  # a cloud may have fewer
        if points is not None and n != points:
            raise self.bad(f"clouds of {points} points", f"{n}")
        k = self.file["neighbours"].shape[2] if "neighbours" in self.file else "none"
        if neighbours and len(self) and k != neighbours:
            raise self.bad(f"{neighbours} neighbours a point", f"{k}")

    def cloud(self, index: int, neighbours: bool = True) -> Cloud:
        """Read one cloud.

        Parameters
        ----------
        index
            In [0, len(self)).
        neighbours
            Whether its neighbours are read, where it has some.

        Returns
        -------
        Cloud, as it is stored

        Raises
        ------
        ValueError
            One line with the file if the data are damaged.
        """
        n = int(self._count[index])
        near = self.read("neighbours", np.s_[index, :n]) if neighbours and "neighbours" in self.file else None
        pixel = self.read("pixel", np.s_[index, :n]) if "pixel" in self.file else None
        size = None
        if "size" in self.file:
            height, width = self.read("size", index)
            size = int(height), int(width)
        sample = self.read("sample", index).decode("utf-8", "replace") if "sample" in self.file else None
        # the kernels look into memory at these places
        if near is not None and near.max(initial=0) >= max(n, 1):
            raise self.bad(f"neighbours below {n} in cloud {index}", f"{near.max()}")
        pixels = 0 if size is None else size[0] * size[1]
        if pixel is not None and not (0 < pixels <= 2**32 and pixel.max(initial=0) < pixels):
            raise self.bad(f"pixels of an image of {size} in cloud {index}", f"{pixel.max(initial=0)}")
        return Cloud(self.read("points", np.s_[index, :n]), near, pixel, size, sample)


def read_shard(path: Path) -> Shard:
    """Open a shard for reading: `with read_shard(path) as shard: shard.cloud(0)`.

    Parameters
    ----------
    path
        What `write_shard` wrote.

    Returns
    -------
    Shard

    Raises
    ------
    ValueError
        One line with the file, what is wrong with it and how to remake it. Damaged data inside a whole
        file are found by their checksums when they are read.
    """
    return Shard(path)


class Clouds(Sequence[Cloud]):
    """The clouds of all parts of a split, in the order of its samples; a context manager. See `clouds`."""

    def __init__(self, paths: Sequence[Path], points: int | None = None, neighbours: int | None = None) -> None:
        self._with_neighbours = neighbours != 0
        with contextlib.ExitStack() as stack:
            self._shards = [stack.enter_context(read_shard(path)) for path in paths]
            lengths = [len(shard) for shard in self._shards]
            total, parts = sum(lengths), len(paths)
            expected = [len(range(part, total, parts)) for part in range(parts)]
            if lengths != expected:
                names = ", ".join(str(path) for path in paths)
                raise ValueError(f"{names}: expected {expected} clouds in the parts of one split, found {lengths}")
            for shard in self._shards:
                shard.check(points, neighbours)
            self._length = total
            self._stack = stack.pop_all()

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self._length:  # also ends iteration
            raise IndexError(index)
        part, place = index % len(self._shards), index // len(self._shards)
        return self._shards[part].cloud(place, self._with_neighbours)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def clouds(paths: Sequence[Path], points: int | None = None, neighbours: int | None = None) -> Clouds:
    """All parts of a split as one sequence, as if there had been one part (item i of part p of N is i * N + p).

    Parameters
    ----------
    paths
        The parts' files, in the order of their numbers.
    points
        n that the clouds were made for; None: any.
    neighbours
        k that they must have; None: any; 0: neighbours are not read.

    Returns
    -------
    Clouds

    Raises
    ------
    ValueError
        One line with the file: another n or k, a part too few, or what `read_shard` says.
    """
    return Clouds(paths, points, neighbours)


def _append(file: h5py.File, name: str, index: int, values: np.ndarray) -> None:
    """Put `values` (count, ...) at `index` of a dataset that grows as needed."""
    if name not in file:
        assert index <= 0, f"cloud {index} is the first with {name}"
        chunk = (1, max(1, min(_ROWS, len(values))), *values.shape[1:])
        dataset(file, name, (0, 0, *values.shape[1:]), chunk, values.dtype)
    data = file[name]
    data.resize(index + 1, axis=0)
    data.resize(max(data.shape[1], len(values)), axis=1)
    if len(values):
        data[index, : len(values)] = values
