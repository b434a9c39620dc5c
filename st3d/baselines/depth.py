"""Stage `depth`: a split's scans as depth images, for the baselines."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from st3d.baselines.category_frame import Frame, View, views
from st3d.baselines.depth_images import distance, resized
from st3d.formats.images import Image, write_images
from st3d.formats.scans import Invalid, Split
from st3d.kernels.geometry.camera import Camera


def depth(
    *,
    dataset: Path,
    category: str,
    split: Split,
    frame: Path,
    size: int,
    copies: int,
    angle: float,
    seed: int,
    invalid: Invalid,
    output: Path,
    code: str,
) -> None:
    """Make depth images of one split: each pixel's distance from the camera, and its colour.

    Parameters
    ----------
    dataset
        Folder in MVTec 3D-AD's layout.
    category
        Name of a folder in it.
    split
        train, validation or test.
    frame
        JSON of the category's background plane and camera.
    size
        Rows and columns of an image, pixels; 0 keeps the scan's own.
    copies
        Rotated copies of each training scan; of other splits there are none.
    angle
        Copies are rotated by up to this about the background's normal, degrees.
    seed
        Seed of the angles.
    invalid
        What to do with coordinates that are NaN or infinite: refuse the scan, or drop the pixel.
    output
        Images (HDF5) to write.
    code
        Fingerprint of the code, kept with the images.
    """
    settings = {"category": category, "split": split, "size": size, "copies": copies, "angle": angle, "seed": seed}
    common = Frame.read(frame)

    def images() -> Iterator[Image]:
        for view in views(dataset, category, split, common, copies, angle, seed, invalid):
            yield Image(depth_image(view, common.camera, size), view.sample, view.copy_number, view.scan.shape[:2])

    write_images(output, images(), "depth", {}, settings=settings, code=code)


def depth_image(view: View, camera: Camera, size: int) -> np.ndarray:
    """Distances (1, size, size) in metres, 0 where invalid, and where there are colours these too (4, size, size)."""
    channels = [distance(view.scan, camera)]
    if view.colours is not None:
        channels += list(np.moveaxis(view.colours, 2, 0))
    if size:
        channels = [resized(each, (size, size), smooth=number > 0) for number, each in enumerate(channels)]
    return np.stack(channels)
