"""Shape-Guided's patches of an object's points, and the queries that its network of signed distances is trained on.

Letters: n points of a scan, p patches, k points of a patch, q queries.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from st3d.formats.images import Images
from st3d.kernels.points import farthest_points

NEAR_SHARE = 0.625  # of a patch's sets of queries, those that lie half as far off the surface
HALF = 0.5


def cut(points: np.ndarray, size: int, overlap: float, seed: int) -> np.ndarray:
    """Overlapping patches: the points nearest to centres that are spread over the scan.

    Parameters
    ----------
    points
        (n, 3) float, any one length unit, finite; 1 or more.
    size
        Points of a patch; a scan with fewer has one patch or more of them all.
    overlap
        Patches that a point is in, on average: p = round(overlap n / size), at least 1, at most n.
    seed
        Of the first centre: default_rng([seed, n]), so that a scan has the same patches whichever others there are.

    Returns
    -------
    (p, min(size, n)) int64, rows of `points`, the nearest to the centre first, the centre among them
    """
    from scipy.spatial import cKDTree  # 0.3 s, imported only where needed

    n = len(points)
    first = int(np.random.default_rng([seed, n]).integers(n))
    centres = farthest_points(points, min(n, max(1, round(overlap * n / size))), first)
    near = cKDTree(points).query(points[centres], np.arange(1, min(size, n) + 1))[1]
    return np.asarray(near, np.int64)


def normalised(patches: np.ndarray) -> np.ndarray:
    """Patches without their place and size, so that equal shapes anywhere are equal; a rotation stays.

    Parameters
    ----------
    patches
        (p, k, 3) float, any one length unit.

    Returns
    -------
    (p, k, 3) float32: the longest side of a patch's bounding box is 1, its mean 0
    """
    side = np.ptp(patches.astype(np.float64), axis=1).max(axis=1)  # (p,)
    centred = patches - patches.mean(axis=1, keepdims=True, dtype=np.float64)
    return (centred / np.where(side > 0, side, 1)[:, None, None]).astype(np.float32)


def by_name(images: Images) -> list[int]:
    """The indices of object images in the order of their samples' names, whatever order the file has them in.

    Parameters
    ----------
    images
        Of a split.

    Returns
    -------
    Indices

    Raises
    ------
    ValueError
        One line with the file if it holds other images.
    """
    if images.kind != "objects":
        raise images.bad("object images", images.kind)
    names = images.read("sample", slice(None))
    return sorted(range(len(images)), key=lambda index: names[index])


def cut_image(xyz: np.ndarray, size: int, overlap: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The patches of an object image.

    Parameters
    ----------
    xyz
        (3, s, s) float32, metres; (0, 0, 0) where there is no point.
    size, overlap, seed
        As for `cut`.

    Returns
    -------
    pixel
        (p, k) int64, each point's place in the flattened object image.
    patches
        (p, k, 3) float32, normalised.
    """
    values = xyz.reshape(3, -1)
    pixel = np.flatnonzero((values != 0).any(axis=0))
    points = values[:, pixel].T
    rows = cut(points, size, overlap, seed)
    return pixel[rows], normalised(points[rows])


class Queries(NamedTuple):
    """Places near some patches.

    Attributes
    ----------
    place
        (p, q, 3) float32, in the patches' unit.
    target
        (p, q, 3) float32, of each the nearest point of its patch.
    """

    place: Tensor
    target: Tensor


def queries(patches: Tensor, near: int, draws: int, seeds: np.ndarray) -> Queries:
    """Places near the points of some patches, one for each, and the points that are nearest to them.

    Parameters
    ----------
    patches
        (p, k, 3) float32.
    near
        A place lies off its point by a Gaussian of c times the point's distance to its `near`-th other; c = 1/2 in the
        first 5/8 of the sets, else 1.
    draws
        Sets of queries that there are of each patch.
    seeds
        (p, m) integers that a patch's set is drawn by, the last one the set's number, in [0, draws).

    Returns
    -------
    Queries, q = k
    """
    k = patches.shape[1]
    apart = torch.cdist(patches, patches, compute_mode="donot_use_mm_for_euclid_dist")  # (p, k, k)
    spread = apart.kthvalue(min(near + 1, k), dim=2).values  # the point itself comes first
    drawn = np.stack([np.random.default_rng(row).standard_normal((k, 3), np.float32) for row in seeds.tolist()])
    factor = torch.from_numpy(np.where(seeds[:, -1] < np.ceil(NEAR_SHARE * draws), HALF, 1).astype(np.float32))
    noise = torch.from_numpy(drawn).to(patches.device) * factor.to(patches.device)[:, None, None]
    place = patches + noise * spread[:, :, None]
    nearest = torch.cdist(place, patches, compute_mode="donot_use_mm_for_euclid_dist").argmin(dim=2)  # (p, k)
    return Queries(place, patches.gather(1, nearest[:, :, None].expand(-1, -1, 3)))
