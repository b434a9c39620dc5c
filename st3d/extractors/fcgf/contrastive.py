"""The hardest-contrastive loss on two overlapping views of a scene (Choy, Park, Koltun, ICCV 2019, section 4).

Letters: n points of a scene, v voxels of a view, p positive pairs, q candidates for negatives, c dimensions.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from st3d.kernels.geometry.rotation import random_rotation
from st3d.kernels.sparse import voxelise

JITTER = 0.1  # standard deviation of the noise on a view's points, in voxels
SAME = 1.5  # voxels; a candidate nearer to the positive is not a negative
TINY = 1e-7  # added to squared distances: the root of 0 has no gradient


@dataclass(frozen=True)
class View:
    """A part of a scene, rotated at random, in voxels.

    Attributes
    ----------
    voxel
        Side of a voxel, in the scene's unit.
    keys
        (v,) int64 sorted, its voxels.
    centres
        (v, 3) float32, mean of each voxel's points in the scene's frame.
    positives
        (p,) int64 rows; number i of one view and of the other hold a common point.
    candidates
        (q,) int64 distinct rows, to look for negatives of the other view's positives.
    """

    voxel: float
    keys: Tensor
    centres: Tensor
    positives: Tensor
    candidates: Tensor


def overlapping(
    points: NDArray, overlap: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two parts of a scene, divided by two parallel planes of random direction.

    Parameters
    ----------
    points
        (n, 3) float.
    overlap
        Fraction of a part's points that are also in the other, in (0, 1].
    rng
        Of the planes' direction.

    Returns
    -------
    Two (m,) of indices, each sorted, of equal length; together all of n, and `overlap` * m in common up to rounding

    Raises
    ------
    ValueError
        If the two would have no point in common.
    """
    n = len(points)
    count = min(n, round(n / (2 - overlap)))
    if 2 * count <= n:
        raise ValueError(f"overlapping: expected parts with common points, found none of {n} at overlap {overlap}")
    order = np.argsort(points @ rng.standard_normal(3), kind="stable")
    return np.sort(order[:count]), np.sort(order[n - count :])


def draw_views(
    points: NDArray,
    voxel: float,
    overlap: float,
    pairs: int,
    candidates: int,
    rng: np.random.Generator,
    device: torch.device,
) -> tuple[View, View]:
    """Two views of a scene with what a step needs to compare them.

    Each is a part of the scene, `overlapping`, whose points are rotated at random and moved by Gaussian
    noise, independently of the other's.

    Parameters
    ----------
    points
        (n, 3) float, any one length unit.
    voxel
        Side of a voxel, in the same unit.
    overlap
        Fraction of a view's points that are in both.
    pairs
        p at most; there may be fewer pairs of voxels with a common point.
    candidates
        q at most, no more than a view has voxels.
    rng
        Generator of all draws.
    device
        Device of the views.

    Returns
    -------
    Two views; row i of the positives of one and of the other hold a common point

    Raises
    ------
    ValueError
        If the two parts would have no point in common.
    """
    parts = overlapping(points, overlap, rng)
    grids = [_rotated_voxels(points[part], voxel, rng) for part in parts]
    _, first, second = np.intersect1d(*parts, assume_unique=True, return_indices=True)
    corresponding = np.unique(np.column_stack([grids[0][1][first], grids[1][1][second]]), axis=0)
    chosen = corresponding[rng.choice(len(corresponding), min(pairs, len(corresponding)), replace=False)]
    views = []
    for part, (keys, place), positives in zip(parts, grids, chosen.T, strict=True):
        v = len(keys)
        sums = np.column_stack([np.bincount(place, points[part, axis], v) for axis in range(3)])
        centres = (sums / np.bincount(place, minlength=v)[:, None]).astype(np.float32)
        negatives = rng.choice(v, min(candidates, v), replace=False)
        rows = [torch.from_numpy(np.ascontiguousarray(each)) for each in (centres, positives, negatives)]
        views.append(View(voxel, *(each.to(device) for each in (keys, *rows))))
    return views[0], views[1]


def _rotated_voxels(points: NDArray, voxel: float, rng: np.random.Generator) -> tuple[Tensor, NDArray[np.int64]]:
    rotated = points @ random_rotation(rng).T + rng.normal(0, JITTER * voxel, points.shape)
    keys, place = voxelise(torch.from_numpy(rotated), voxel)
    return keys, place.numpy()


def hardest_contrastive(
    descriptors: tuple[Tensor, Tensor], views: tuple[View, View], positive_margin: float, negative_margin: float
) -> Tensor:
    """Pull corresponding voxels' descriptors together and push each from its hardest negative in the other view.

    Parameters
    ----------
    descriptors
        (v, c) of either view.
    views
        The two.
    positive_margin
        Squared distance up to which a positive pair costs nothing.
    negative_margin
        Distance from which a negative costs nothing.

    Returns
    -------
    () : mean of (d^2 - positive_margin)+ over positives, plus, averaged over the two views, the mean of
        ((negative_margin - d)+)^2 over each positive's nearest candidate of the other view; one that lies within `SAME`
        voxels of the positive itself in the scene is no negative and left out

    Notes
    -----
    As the authors' HardestContrastiveLossTrainer has it: the positive margin is one of the squared distance, and false
    negatives are dropped after the nearest is found. There, false are all positives: voxels up to 1.5 voxels away.
    """
    anchors = [each.index_select(0, view.positives) for each, view in zip(descriptors, views, strict=True)]
    loss = (_squared(*anchors) - positive_margin).relu().mean()
    for this, other in ((0, 1), (1, 0)):
        pool = descriptors[other].index_select(0, views[other].candidates)
        with torch.no_grad():
            # lengths of the anchors do not change which candidate is nearest
            nearest = (pool.square().sum(dim=1) - 2 * anchors[this] @ pool.T).argmin(dim=1)
            found = views[other].centres[views[other].candidates[nearest]]
            apart = _squared(found, views[this].centres[views[this].positives]).sqrt()
            true = (apart > SAME * views[this].voxel).float()
        distance = (_squared(anchors[this], pool.index_select(0, nearest)) + TINY).sqrt()
        loss = loss + ((negative_margin - distance).relu().square() * true).sum() / true.sum().clamp(min=1) / 2
    return loss


def _squared(first: Tensor, second: Tensor) -> Tensor:
    """Squared distances (p,) of the rows of two (p, c)."""
    return (first - second).square().sum(dim=1)
