"""Shape-Guided's patches: overlapping pieces of an object, and queries near their surface.

Letters: n points of an object, p patches, m points of a patch, q queries of one.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from st3d.kernels.native import threads
from st3d.kernels.points import farthest_points

NARROW, WIDE = 0.5, 1.0  # spreads of queries, in units of the distance to a near point
NARROW_SHARE = 0.65  # of the patches, at each visit


class Patches(NamedTuple):
    """The patches of an object.

    Attributes
    ----------
    rows
        (p, m) int64, the points of each, nearest to its centre first; over and over where an object has fewer than m.
    points
        (p, m, 3) float32, normalised: see `normalised`.
    """

    rows: NDArray[np.int64]
    points: NDArray[np.float32]


def patches(points: NDArray, size: int, overlap: float, seed: int) -> Patches:
    """Cut an object into patches.

    Parameters
    ----------
    points
        (n, 3) finite, metres.
    size
        m.
    overlap
        Patches that a point is in, on average: p = round(overlap n / m), 1 or more, at most n.
    seed
        Of the first patch's centre; the others are farthest points.

    Returns
    -------
    Patches
    """
    from scipy.spatial import cKDTree

    exact = np.asarray(points, np.float64)
    exact = exact - exact[0]  # no digits are lost by a place far away
    count = min(max(1, round(overlap * len(exact) / size)), len(exact))
    centres = farthest_points(exact, count, int(np.random.default_rng(seed).integers(len(exact))))
    found = min(size, len(exact))
    near = cKDTree(exact).query(exact[centres], k=[*range(1, found + 1)], workers=threads())[1]
    rows = near[:, np.arange(size) % found].astype(np.int64)
    return Patches(rows, normalised(exact[rows]).astype(np.float32))


def normalised(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Patches in units of their longest side, their mean at the origin: neither place nor scale is left.

    Parameters
    ----------
    points
        (p, m, 3), any unit.

    Returns
    -------
    (p, m, 3); patches that are one place stay one
    """
    side = (points.max(axis=1) - points.min(axis=1)).max(axis=1)[:, None, None]
    scaled = points / np.where(side > 0, side, 1)
    return scaled - scaled.mean(axis=1, keepdims=True)


def queries_of(points: Tensor, near: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Places near the surface of patches, and the patch's point that is nearest to each.

    Parameters
    ----------
    points
        (p, m, 3) float32.
    near
        A point's queries are spread as far as the distance to this neighbour of it, in [1, m).
    count
        q, at most m: queries of as many points, drawn at random.
    generator
        On the CPU.

    Returns
    -------
    queries, targets
        (p, q, 3) float32 each. Of a patch's queries all have the half of that spread, or, of about a third of the
        patches, the whole.
    """
    p, m, _ = points.shape
    distance = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    spread = distance.kthvalue(min(near + 1, m), dim=2).values  # the first is the point itself
    chosen = torch.rand(p, m, generator=generator).argsort(dim=1)[:, :count].to(points.device)
    wide = torch.rand(p, 1, 1, generator=generator) >= NARROW_SHARE
    noise = torch.randn(p, chosen.shape[1], 3, generator=generator) * torch.where(wide, WIDE, NARROW)
    own = points.gather(1, chosen[:, :, None].expand(-1, -1, 3))
    queries = own + noise.to(points.device) * spread.gather(1, chosen)[:, :, None]
    nearest = torch.cdist(queries, points, compute_mode="donot_use_mm_for_euclid_dist").argmin(dim=2)
    return queries, points.gather(1, nearest[:, :, None].expand(-1, -1, 3))
