"""The project's HDF5 files: written whole or not at all, with checksums, saying in attributes how they were made."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import h5py
import numpy as np

from st3d.formats.atomic import atomic
from st3d.formats.errors import error_text, refuse_devices, sides_text
from st3d.formats.hdf5_disk import Disk
from st3d.formats.provenance import FORMAT, provenance

T = TypeVar("T")

LONGEST = 300  # characters of what is found, in an error
_REMAKE = "delete it and run the same command again to remake it"


@contextlib.contextmanager
def new_file(path: Path, settings: Mapping[str, Any], code: str, **attributes: str) -> Iterator[tuple[h5py.File, Any]]:
    """Write an HDF5 file under a temporary name until all of it is there.

    Parameters
    ----------
    path
        The file to write.
    settings
        The stage's flags; with `code`, the version and the format they go into the attributes.
    code
        Fingerprint of the stage's source.
    attributes
        Further ones.

    Yields
    ------
    The open file, and a function that raises if the disk refused anything

    Raises
    ------
    OSError
        One line with the file, where the disk is full.
    """
    with atomic(path) as partial, Disk(partial, "w+") as disk:
        # this layout has checksums of its headers too, and is the same in later versions of the library
        with h5py.File(disk, "w", libver=("v110", "v110")) as file:
            yield file, disk.check
            about = provenance(settings, code) | ({"seed": settings["seed"]} if "seed" in settings else {}) | attributes
            about["settings"] = json.dumps(about["settings"], sort_keys=True, default=str)
            for key, value in sorted(about.items()):
                # text of fixed length: HDF5 keeps other text in a heap without checksums, and hangs on damage there
                file.attrs[key] = np.bytes_(value.encode() or b"\0") if isinstance(value, str) else value
        disk.check()


def dataset(
    file: h5py.File, name: str, shape: tuple, chunk: tuple, dtype: Any, compression: int | None = None
) -> h5py.Dataset:
    """Make a dataset with checksums.

    Parameters
    ----------
    file
        Open for writing.
    name
        Of the dataset.
    shape
        Sides at first; the first two may grow.
    chunk
        Sides of a chunk, 1 or more each.
    dtype
        NumPy type.
    compression
        gzip's level, with bytes shuffled; None: not compressed.

    Returns
    -------
    h5py.Dataset
    """
    most = (None,) * min(2, len(shape)) + shape[2:]
    packed = {} if compression is None else {"compression": "gzip", "compression_opts": compression, "shuffle": True}
    return file.create_dataset(
        name, shape, dtype, maxshape=most, chunks=chunk, fletcher32=True, track_times=False, fillvalue=None, **packed
    )


def column(file: h5py.File, name: str, values: np.ndarray) -> None:
    """Write a dataset with one row per item.

    Parameters
    ----------
    file
        Open for writing.
    name
        Of the dataset.
    values
        (items, ...), of a type that HDF5 has.
    """
    dataset(file, name, values.shape, (max(1, len(values)), *values.shape[1:]), values.dtype)[...] = values


def names(samples: Sequence[str]) -> np.ndarray:
    """Sample names as a column.

    Parameters
    ----------
    samples
        One or more names.

    Returns
    -------
    (samples,) fixed-length UTF-8, as long as the longest
    """
    encoded = [sample.encode() for sample in samples]
    return np.array(encoded, dtype=h5py.string_dtype("utf-8", max(map(len, encoded))))


class File:
    """An open file, checked; a context manager.

    Parameters
    ----------
    path
        The HDF5 file.
    what
        What it should be, for errors: "a shard".
    fields
        Datasets that it must have; all that it has are of one length.

    Raises
    ------
    ValueError
        One line with the file, what is wrong with it and how to remake it.
    """

    def __init__(self, path: Path, what: str, fields: set[str]) -> None:
        self.path, self._what = Path(path), what
        refuse_devices(self.path, f"{path}: expected {what}")
        if not self.path.is_file():
            raise ValueError(f"{path}: expected {what}, found no such file")
        try:
            self.file = h5py.File(self.path, "r")
        except OSError as error:
            raise self.bad("a whole HDF5 file", f"a truncated or other one ({error_text(error)})") from None
        self.attributes = self.guarded(lambda: self._checked(fields))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self.file.close()

    def guarded(self, call: Callable[[], T]) -> T:
        """Call a function; if it fails, the file is closed.

        Parameters
        ----------
        call
            A function without arguments.

        Returns
        -------
        What it returns
        """
        try:
            return call()
        except BaseException:
            self.close()
            raise

    def read(self, name: str, place: Any) -> Any:
        """Read a part of a dataset.

        Parameters
        ----------
        name
            Of the dataset.
        place
            An index as h5py takes it.

        Returns
        -------
        Array or scalar, of the dataset's type

        Raises
        ------
        ValueError
            One line with the file if the data are damaged.
        """
        try:
            return self.file[name][place]
        except (OSError, RuntimeError) as error:
            raise self.bad(f"whole data in '{name}'", f"damaged data ({error_text(error)})") from None

    def stored(self, name: str) -> int:
        """The bytes of a dataset in the file.

        Parameters
        ----------
        name
            Of the dataset.

        Returns
        -------
        0 or more, as they are packed

        Raises
        ------
        ValueError
            One line with the file if its record of them is damaged.
        """
        try:
            return self.file[name].id.get_storage_size()
        except (OSError, RuntimeError) as error:
            raise self.bad(f"whole data in '{name}'", f"damaged data ({error_text(error)})") from None

    def expect(self, name: str, kinds: str, *ranks: int) -> None:
        """Refuse a dataset of another type or shape.

        Parameters
        ----------
        name
            Of a dataset that the file has.
        kinds
            Letters of NumPy's kinds of types that it may have.
        ranks
            Numbers of axes that it may have.

        Raises
        ------
        ValueError
            One line with the file.
        """
        found = self.file[name]
        if found.dtype.kind not in kinds or len(found.shape) not in ranks:
            raise self.bad(f"'{name}' as st3d writes it", f"{found.dtype} of shape {sides_text(found.shape)}")

    def bad(self, expected: str, found: str) -> ValueError:
        """An error of one line that says how to remake the file.

        Parameters
        ----------
        expected, found
            Its two sides.

        Returns
        -------
        ValueError, to be raised
        """
        return ValueError(f"{self.path}: expected {expected}, found {found[:LONGEST]}; {_REMAKE}")

    def _checked(self, fields: set[str]) -> dict[str, Any]:
        """The attributes, once all that every reader relies on is there."""
        try:
            attributes = {key: _plain(key, value) for key, value in self.file.attrs.items()}
            missing = {"format", "settings", "code"} - set(attributes) | fields - set(self.file)
            if missing:
                raise self.bad(f"{self._what} of st3d", f"an HDF5 file without {', '.join(sorted(missing))}")
            if attributes["format"] != FORMAT:
                raise self.bad(f"format {FORMAT}", f"format {attributes['format']}")
            for name in self.file:
                link = self.file.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink) or not isinstance(self.file[name], h5py.Dataset):
                    raise self.bad(f"'{name}' as a dataset of the file", "a link or a group")
                if self.file[name].is_virtual or self.file[name].external:
                    raise self.bad(f"the data of '{name}' in the file", "those of another file")
            lengths = {name: self.file[name].shape[0] for name in self.file}
            if len(set(lengths.values())) > 1:
                raise self.bad("all fields of one length", f"{lengths}")
            return attributes | {"settings": _named_values(attributes["settings"])}
        except (OSError, RuntimeError, KeyError, IndexError, AttributeError, TypeError) as error:
            raise self.bad(f"{self._what} of st3d", f"a damaged or other file ({error_text(error)})") from None


def _plain(name: str, value: Any) -> Any:
    """An attribute as a text or a number; a TypeError if it is neither."""
    found = np.asarray(value)
    if found.size != 1 or found.dtype.kind not in "SUiufb":
        raise TypeError(f"attribute {name} of shape {sides_text(found.shape)}")
    item = found.item()
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else item


def _named_values(text: Any) -> dict[str, Any]:
    """Names and values in JSON; a TypeError if there are none."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise TypeError(str(error)) from None
    if not isinstance(found, dict):
        raise TypeError(f"expected names and values, found {type(found).__name__}")
    return found
