"""Stage `depth`: a split's scans as depth images, for the baselines."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from st3d.baselines.category_frame import Frame, View, ViewSettings, views
from st3d.baselines.depth_images import distance, resized
from st3d.formats.images import Image, write_images
from st3d.kernels.geometry.camera import Camera


def depth(*, scans: ViewSettings, size: int, output: Path, code: str) -> None:
    """Make depth images of one split: each pixel's distance from the camera, and its colour.

    Parameters
    ----------
    size
        Rows and columns of an image, pixels; 0 keeps the scan's own.
    output
        Images (HDF5) to write.
    code
        Fingerprint of this stage's source, kept with the images.

    Raises
    ------
    ValueError
        If the frame's file holds none, or a scan or its RGB image does not suit it or the other scans.
    """
    settings = scans.provenance() | {"size": size}
    common = Frame.read(scans.frame)

    def images() -> Iterator[Image]:
        for view in views(scans, common):
            yield Image(depth_image(view, common.camera, size), view.sample, view.copy_number, view.scan.shape[:2])

    write_images(output, images(), "depth", {}, settings=settings, code=code)


def depth_image(view: View, camera: Camera, size: int) -> np.ndarray:
    """A scan as a depth image.

    Parameters
    ----------
    view
        The scan (h, w, 3), metres, and its colours, or none.
    camera
        With the shift that sends the scan's points to their pixels.
    size
        Rows and columns of the result, pixels; 0: h and w.

    Returns
    -------
    (1, size, size) float32, distances from the camera, metres, 0 where invalid, taken from the nearest pixel; with
    colours (4, size, size), these in [0, 1], interpolated
    """
    channels = [distance(view.scan, camera)]
    if view.colours is not None:
        channels += list(np.moveaxis(view.colours, 2, 0))
    if size:
        channels = [resized(each, (size, size), smooth=number > 0) for number, each in enumerate(channels)]
    return np.stack(channels)
