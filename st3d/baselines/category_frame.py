"""A category's frame: where its scans lie, the plane behind them, the camera; and its scans with rotated copies."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from st3d.baselines.augmentation import rotate_scan
from st3d.formats.atomic import read_json
from st3d.formats.errors import sides_text
from st3d.formats.scans import Invalid, Split, list_samples, read_colours, read_scan
from st3d.kernels.geometry.camera import Camera
from st3d.kernels.geometry.plane import Plane

log = logging.getLogger("st3d")

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Frame:
    """What all scans of a category have in common.

    Attributes
    ----------
    low, high
        Corners of the bounding box of all valid points of the training scans, metres.
    plane
        The background, metres.
    camera
        With the shift that sends the scans' points to their pixels.
    """

    low: Point
    high: Point
    plane: Plane
    camera: Camera

    @property
    def pivot(self) -> np.ndarray:
        """(3,) metres: the plane's point nearest to the box's middle, about which copies are rotated."""
        middle, normal = (np.array(self.low) + self.high) / 2, np.array(self.plane.normal)
        return middle - (middle @ normal - self.plane.offset) * normal

    def content(self) -> dict[str, Any]:
        """The frame as JSON can hold it."""
        plane = {"normal": list(self.plane.normal), "offset": self.plane.offset}
        return {"low": list(self.low), "high": list(self.high), "plane": plane, "camera": camera_content(self.camera)}

    @classmethod
    def read(cls, path: Path) -> Self:
        """The frame in a JSON that stage `frame` wrote.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        Frame

        Raises
        ------
        ValueError
            One line with the file, if it is not JSON or holds no frame.
        """
        content = read_json(path)
        try:
            plane = Plane(tuple(content["plane"]["normal"]), content["plane"]["offset"])
            return cls(tuple(content["low"]), tuple(content["high"]), plane, camera_of(content["camera"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: expected a frame, found none ({error}); delete it and run again") from None


def camera_content(camera: Camera) -> dict[str, Any]:
    """A camera as JSON can hold it.

    Parameters
    ----------
    camera
        The camera.

    Returns
    -------
    Its `parameters()`, and `shift`, metres; see `camera_of`
    """
    return camera.parameters() | {"shift": list(camera.shift)}


def camera_of(content: dict[str, Any]) -> Camera:
    """The camera that `camera_content` gave.

    Parameters
    ----------
    content
        Parameters by name, `shift` among them.

    Returns
    -------
    The camera, with its shift

    Raises
    ------
    ValueError
        If it is not an area_scan_division camera, or a parameter is missing or not a number.
    KeyError
        If there is no `shift`.
    """
    return replace(Camera.from_parameters(content), shift=tuple(content["shift"]))


@dataclass(frozen=True)
class View:
    """A scan, or a rotated copy of it."""

    sample: str
    copy_number: int  # 0: as it was scanned
    scan: np.ndarray  # (h, w, 3) float32, metres
    colours: np.ndarray | None  # (h, w, 3) float32 in [0, 1]; None where there is no RGB image


@dataclass(frozen=True, kw_only=True)
class ViewSettings:
    """The scans of a split and their rotated copies, as voxel grids and depth images are made of them.

    Parameters
    ----------
    dataset
        Folder in MVTec 3D-AD's layout.
    category
        Name of a folder in it.
    split
        train, validation or test.
    frame
        JSON of the category's bounding box, background plane and camera.
    copies
        Rotated copies of each training scan; of other splits there are none.
    angle
        Copies are rotated about the background's normal by U[-angle, angle], degrees.
    seed
        Seed of the angles: copy t of scan i has the stream default_rng([seed, i, t]).
    invalid
        What to do with coordinates that are NaN or infinite: refuse the scan, or drop the pixel.
    """

    dataset: Path
    category: str
    split: Split
    frame: Path
    copies: int
    angle: float
    seed: int
    invalid: Invalid

    def provenance(self) -> dict[str, Any]:
        """What is kept with the images."""
        return {name: getattr(self, name) for name in ("category", "split", "copies", "angle", "seed")}


def views(settings: ViewSettings, frame: Frame) -> Iterator[View]:
    """The scans of a split, one by one; each training scan is followed by its rotated copies.

    Parameters
    ----------
    settings
        Which scans, and how many copies of each.
    frame
        Of the category; its plane and camera make the copies.

    Returns
    -------
    Iterator of views

    Raises
    ------
    ValueError
        One line with the scan, if some scans have an RGB image and it has none, or it has another size than the camera.
    """
    category, split = settings.category, settings.split
    samples = list_samples(settings.dataset, category, split)
    coloured = [sample for sample in samples if sample.rgb is not None]
    for index, sample in enumerate(samples):
        if coloured and sample.rgb is None:
            raise ValueError(
                f"{sample.scan}: expected an RGB image in rgb/ as beside {coloured[0].scan.name}, found none"
            )
        scan = read_scan(sample.scan, settings.invalid)
        size = scan.shape[:2]
        if size != (frame.camera.height, frame.camera.width):
            expected = sides_text((frame.camera.height, frame.camera.width))
            raise ValueError(f"{sample.scan}: expected {expected} pixels like the camera, found {sides_text(size)}")
        colours = read_colours(sample.rgb, size) if sample.rgb is not None else None
        yield View(sample.name, 0, scan, colours)
        for number in range(1, 1 + (settings.copies if split == "train" else 0)):
            rng = np.random.default_rng([settings.seed, index, number])
            degrees = float(rng.uniform(-settings.angle, settings.angle))
            copy = rotate_scan(scan, colours, frame.camera, frame.plane, frame.pivot, degrees)
            yield View(sample.name, number, *copy)
        log.info("%d/%d %s/%s/%s", index + 1, len(samples), category, split, sample.name)
