"""Images: one split's scans as voxel grids, depth images or object images, in one HDF5 file.

`values` (images, channels, ...) float32. Of voxels and depth images, what the baselines take, channel 0 is the shape
(voxels: 1 where a point lies, else -1; depth: metres from the camera's centre, 0 where invalid), channels 1 to 3 the
colour in [0, 1] (voxels: -1 where no point lies), where the scans have RGB images. Of object images, what the memory
banks take, channels 0 to 2 are xyz in metres, (0, 0, 0) where invalid or removed, channels 3 to 5 the colour, if any.
`sample` names, `copy` (images,) 0 for the scan as it is, else its rotated copy's number, `size` (images, 2) rows and
columns of the scan. The attribute `frame` is JSON: voxels' grid and camera. Every dataset carries Fletcher-32
checksums; equal images give equal bytes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from st3d.formats.errors import sides_text
from st3d.formats.hdf5 import File, column, dataset, names, new_file
from st3d.formats.tiff import PACKED

Kind = Literal["voxels", "depth", "objects"]
Modality = Literal["3d", "3d_rgb"]
COMPRESSION = 1  # gzip's level: grids are mostly empty


@dataclass(frozen=True)
class Image:
    """One scan, or a rotated copy of it.

    Attributes
    ----------
    values
        (channels, ...) float32.
    sample
        Name such as "crack/003".
    copy_number
        0 as it was scanned, else the number of the rotated copy.
    size
        Rows and columns of the scan.
    """

    values: np.ndarray
    sample: str
    copy_number: int
    size: tuple[int, int]


def write_images(
    path: Path, images: Iterable[Image], kind: Kind, frame: Mapping[str, Any], *, settings: Mapping[str, Any], code: str
) -> None:
    """Write images one by one (memory for one of them), under a temporary name until all are there.

    Parameters
    ----------
    path
        The HDF5 file to write.
    images
        One or more, all of the same channels and sides.
    kind
        voxels, depth or objects.
    frame
        Of voxels: `grid` and `camera`, as JSON can hold it; kept as an attribute.
    settings
        The stage's flags; they go with `code`, the version and the format into the attributes.
    code
        Fingerprint of the stage's source.

    Raises
    ------
    ValueError
        One line with the scan whose image has another shape than the first.
    """
    text = json.dumps(frame, sort_keys=True)
    with new_file(path, settings, code, kind=kind, frame=text) as (file, check):
        samples: list[str] = []
        copies: list[int] = []
        sizes: list[tuple[int, int]] = []
        for index, image in enumerate(images):
            values = np.asarray(image.values, np.float32)
            if "values" not in file:
                chunk = (1, 1, *values.shape[1:])  # a channel of an image is read without the others
                dataset(file, "values", (0, *values.shape), chunk, np.float32, COMPRESSION)
            stored = file["values"]
            if values.shape != stored.shape[1:]:
                wanted, found = sides_text(stored.shape[1:]), sides_text(values.shape)
                raise ValueError(f"{image.sample}: expected an image of {wanted} like the first, found {found}")
            stored.resize(index + 1, axis=0)
            stored[index] = values
            samples.append(image.sample)
            copies.append(image.copy_number)
            sizes.append(image.size)
            check()
        assert samples, path
        column(file, "sample", names(samples))
        column(file, "copy", np.array(copies, np.uint32))
        column(file, "size", np.array(sizes, np.uint32))


class Images(File):
    """The images of one split; a context manager.

    Parameters
    ----------
    path
        What `write_images` wrote.

    Attributes
    ----------
    kind
        voxels, depth or objects.
    frame
        Of voxels: their grid and camera.
    channels, sides
        Of every image.
    copies
        (images,) uint32, 0 where the image is a scan as it is.

    Raises
    ------
    ValueError
        One line with the file, what is wrong with it and how to remake it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "images", {"values", "sample", "copy", "size"})
        try:
            self.kind: Kind = self.attributes["kind"]
            self.frame: dict[str, Any] = json.loads(self.attributes["frame"])
            if self.kind not in get_args(Kind) or not isinstance(self.frame, dict):
                raise TypeError
        except (KeyError, TypeError, ValueError, RecursionError):
            self.close()
            raise self.bad("images of st3d", "a file that does not say of which kind") from None
        self.guarded(self._refuse_other_fields)
        self.channels: int = self.file["values"].shape[1]
        self.sides: tuple[int, ...] = self.file["values"].shape[2:]
        self.copies: np.ndarray = self.guarded(lambda: self.read("copy", slice(None)))

    def __len__(self) -> int:
        return len(self.copies)

    def _refuse_other_fields(self) -> None:
        """Refuse fields that `write_images` does not write, and more values than the file's bytes can hold."""
        for name, kinds, ranks in (
            ("values", "f", (4, 5)),
            ("sample", "S", (1,)),
            ("copy", "u", (1,)),
            ("size", "u", (2,)),
        ):
            self.expect(name, kinds, *ranks)
            stored = self.file[name]
            size, most = stored.size * stored.dtype.itemsize, PACKED * self.stored(name)
            if size > most:
                raise self.bad(f"at most {most} bytes of '{name}', by its size in the file", f"{size}")
        if self.file["values"].dtype != np.float32 or self.file["size"].shape[1] != 2:
            raise self.bad("values of float32 and a size of rows and columns", "others")

    def properties(self, modality: Modality) -> dict[str, Any]:
        """What a model keeps of its images, so that it is used with equal ones only.

        Parameters
        ----------
        modality
            3d, or 3d_rgb.

        Returns
        -------
        input (the kind), modality, frame, channels (how many) and sides, by name

        Raises
        ------
        ValueError
            As `channels_of`.
        """
        channels = self.channels_of(modality)
        sides = {"channels": channels.stop - channels.start, "sides": list(self.sides)}
        return {"input": self.kind, "modality": modality, "frame": self.frame} | sides

    def check_alike(self, model: Mapping[str, Any]) -> None:
        """Refuse images that differ from those that a model was trained on.

        Parameters
        ----------
        model
            The model's `properties`, and more.

        Raises
        ------
        ValueError
            One line with the file and the first property that differs.
        """
        own = self.properties(model["modality"])
        for name in ("input", "channels", "sides", "frame"):
            if own[name] != model[name]:
                raise self.bad(f"{name} {model[name]}, as the model was trained on", f"{own[name]}")

    def channels_of(self, modality: Modality) -> slice:
        """The channels that a method of a modality sees; coloured voxels are their colour alone.

        Parameters
        ----------
        modality
            3d, or 3d_rgb.

        Returns
        -------
        slice

        Raises
        ------
        ValueError
            One line with the file if 3d_rgb is asked of scans without RGB images.
        """
        shape = 3 if self.kind == "objects" else 1
        if modality == "3d":
            return slice(0, shape)
        if self.channels == shape:
            raise self.bad("images with colour for modality 3d_rgb", "none: the scans have no RGB images (rgb/)")
        return slice(1, 4) if self.kind == "voxels" else slice(0, shape + 3)

    def image(self, index: int, modality: Modality) -> Image:
        """Read one image.

        Parameters
        ----------
        index
            In [0, len(self)).
        modality
            3d, or 3d_rgb: its channels are read.

        Returns
        -------
        Image

        Raises
        ------
        ValueError
            As `channels_of`, or if the data are damaged.
        """
        values = self.read("values", (index, self.channels_of(modality)))
        height, width = self.read("size", index)
        return Image(
            values,
            self.read("sample", index).decode("utf-8", "replace"),
            int(self.copies[index]),
            (int(height), int(width)),
        )
