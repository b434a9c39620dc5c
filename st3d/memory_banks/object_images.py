"""Object images: a scan as the memory banks read it, square and small, without its background; and the way back.

Letters: h, w rows and columns of a scan; s rows and columns of an object image. A scan is padded to a square, itself in
the middle, and each pixel of the object image is the one at the centre of its block there.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from st3d.kernels.geometry.parts import largest_part
from st3d.kernels.geometry.plane import fit_plane
from st3d.kernels.squares import padded, to_square

Mask = Literal["none", "plane"]


@dataclass(frozen=True, kw_only=True)
class ObjectSettings:
    """How object images are made of scans.

    Parameters
    ----------
    size
        Rows and columns of an object image, pixels.
    mask
        none: the whole scan; plane: what is left without the background plane, its largest connected part.
    plane_distance
        Points this near to the background plane, on both sides, are removed; metres.
    fit_distance
        Up to which the plane's own points lie off it when it is looked for, metres.
    border
        Rows and columns at each edge of the scan where the plane is looked for, pixels.
    cluster_radius
        Points this near to each other are neighbours (DBSCAN), metres.
    cluster_points
        Neighbours, itself included, that a point inside the object has at least (DBSCAN).
    seed
        Seed of the search for the plane; the same for each scan.
    """

    size: int
    mask: Mask
    plane_distance: float
    fit_distance: float
    border: int
    cluster_radius: float
    cluster_points: int
    seed: int


def object_image(scan: np.ndarray, colours: np.ndarray | None, settings: ObjectSettings) -> np.ndarray:
    """A scan as an object image.

    Parameters
    ----------
    scan
        (h, w, 3) float32, metres; invalid pixels are (0, 0, 0).
    colours
        (h, w, 3) float32 in [0, 1], or None.
    settings
        Size and mask.

    Returns
    -------
    (3, s, s) float32, xyz in metres, (0, 0, 0) where invalid or removed; with colours (6, s, s), these in [0, 1],
    interpolated (bicubic), 0 where removed

    Raises
    ------
    ValueError
        If no object is left.
    """
    if settings.mask == "plane":
        removed = (scan != 0).any(axis=2) & ~object_pixels(scan, settings)
        scan = np.where(removed[..., None], np.float32(0), scan)
        colours = None if colours is None else np.where(removed[..., None], np.float32(0), colours)
    image = np.moveaxis(to_square(scan, settings.size), 2, 0)
    if not image.any():
        raise ValueError("expected valid pixels in the scan, found none")
    if colours is None:
        return image
    bytes_of = (padded(colours) * 255).round().astype(np.uint8)  # of 8 bits, as the image was
    small = Image.fromarray(bytes_of).resize((settings.size, settings.size), Image.Resampling.BICUBIC)
    return np.concatenate([image, np.moveaxis(np.asarray(small, np.float32) / 255, 2, 0)])


def object_pixels(scan: np.ndarray, settings: ObjectSettings) -> np.ndarray:
    """The pixels of the object: off the background plane, and in the largest of the parts that are left.

    Parameters
    ----------
    scan
        (h, w, 3) float32, metres; invalid pixels are (0, 0, 0).
    settings
        Distances, and what makes a part.

    Returns
    -------
    (h, w) bool

    Raises
    ------
    ValueError
        If the border has no plane, or nothing is left.
    """
    valid = (scan != 0).any(axis=2)
    edge = np.ones_like(valid)
    edge[settings.border : -settings.border, settings.border : -settings.border] = False
    if (valid & edge).sum() < 3:
        raise ValueError(f"expected valid pixels of the background in the {settings.border} at each edge, found none")
    plane = fit_plane(scan[valid & edge], settings.fit_distance, settings.seed)
    kept = valid.copy()
    kept[valid] = np.abs(plane.height(scan[valid])) > settings.plane_distance
    kept[kept] = largest_part(scan[kept], settings.cluster_radius, settings.cluster_points)
    if not kept.any():
        raise ValueError(
            f"expected an object more than {1000 * settings.plane_distance:g} mm off the background plane, found none;"
            " for scans without a background set objects.mask to none"
        )
    return kept


def removed_pixels(scan: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The pixels that a mask removed from a scan.

    Parameters
    ----------
    scan
        (s, s, 3), the scan by `to_square`; invalid pixels are (0, 0, 0).
    image
        (3, s, s), its object image.

    Returns
    -------
    (s, s) bool; an invalid pixel, which shows neither object nor background, goes with the nearest valid one
    """
    from scipy.ndimage import distance_transform_edt

    valid = (scan != 0).any(axis=2)
    row, column = distance_transform_edt(~valid, return_distances=False, return_indices=True)
    return (valid & ~(image != 0).any(axis=0))[row, column]
