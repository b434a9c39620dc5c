"""Images: one split's scans as voxel grids or depth images, in one HDF5 file; what the baselines take.

`values` (images, channels, ...) float32: channel 0 is the shape (voxels: 1 where a point lies, else -1; depth: metres
from the camera's centre, 0 where invalid), channels 1 to 3 the colour in [0, 1] (voxels: -1 where no point lies), where
the scans have RGB images. `sample` names, `copy` (images,) 0 for the scan as it is, else its rotated copy's number,
`size` (images, 2) rows and columns of the scan. The attribute `frame` is JSON: voxels' grid and camera. Every dataset
carries Fletcher-32 checksums; equal images give equal bytes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from st3d.formats.errors import sides_text
from st3d.formats.hdf5 import File, column, dataset, names, new_file

Kind = Literal["voxels", "depth"]
Modality = Literal["3d", "3d_rgb"]
COMPRESSION = 1  # gzip's level: grids are mostly empty


@dataclass(frozen=True)
class Image:
    """One scan, or a rotated copy of it."""

    values: np.ndarray  # (channels, ...) float32
    sample: str  # such as "crack/003"
    copy_number: int  # 0: as it was scanned
    size: tuple[int, int]  # rows and columns of the scan


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
        voxels or depth.
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

    Attributes
    ----------
    kind
        voxels or depth.
    frame
        Of voxels: their grid and camera.
    channels, sides
        Of every image.
    copies
        (images,) 0 where the image is a scan as it is.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "images", {"values", "sample", "copy", "size"})
        try:
            self.kind: Kind = self.attributes["kind"]
            self.frame: dict[str, Any] = json.loads(self.attributes["frame"])
        except (KeyError, json.JSONDecodeError):
            self.close()
            raise self.bad("images of st3d", "a file that does not say of which kind") from None
        self.channels: int = self.file["values"].shape[1]
        self.sides: tuple[int, ...] = self.file["values"].shape[2:]
        self.copies: np.ndarray = self.guarded(lambda: self.read("copy", slice(None)))

    def __len__(self) -> int:
        return len(self.copies)

    def properties(self, modality: Modality) -> dict[str, Any]:
        """Kind, channels, sides and frame, which a model keeps so that it is used with equal images only."""
        channels = self.channels_of(modality)
        sides = {"channels": channels.stop - channels.start, "sides": list(self.sides)}
        return {"input": self.kind, "modality": modality, "frame": self.frame} | sides

    def check_alike(self, model: Mapping[str, Any]) -> None:
        """Raise a ValueError that names the first of `properties` in which these images differ from the model's."""
        own = self.properties(model["modality"])
        for name in ("input", "channels", "sides", "frame"):
            if own[name] != model[name]:
                raise self.bad(f"{name} {model[name]}, as the model was trained on", f"{own[name]}")

    def channels_of(self, modality: Modality) -> slice:
        """The channels that a method of this modality sees; coloured voxels are their colour alone."""
        if modality == "3d":
            return slice(0, 1)
        if self.channels == 1:
            raise self.bad("images with colour for modality 3d_rgb", "none: the scans have no RGB images (rgb/)")
        return slice(1, 4) if self.kind == "voxels" else slice(0, 4)

    def image(self, index: int, modality: Modality) -> Image:
        """Image `index` with the channels of `modality`."""
        values = self.read("values", (index, self.channels_of(modality)))
        height, width = self.read("size", index)
        return Image(values, self.read("sample", index).decode(), int(self.copies[index]), (int(height), int(width)))
