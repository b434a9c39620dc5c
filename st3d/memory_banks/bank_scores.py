"""From distances to a bank: a scan's score and its map."""

import math

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import interpolate

from st3d.kernels.nearest_rows import Near, NearestRows

OTHERS = 2  # rows of the bank, beside the nearest one, that a score is weighted by


def reweighted(features: Tensor, near: Near, bank: NearestRows) -> float:
    """A scan's score: the largest distance to the bank, the more weight the denser the bank is there.

    Parameters
    ----------
    features
        (q, d) float32, of the scan.
    near
        The nearest row of each.
    bank
        The bank.

    Returns
    -------
    float, w s, with s the largest distance, of feature m to its nearest row m', and
    w = 1 - exp(s/D) / (exp(d1/D) + exp(d2/D)) in [1/2, 1), where D = sqrt(d) and d1, d2 are the distances of m to the
    two other rows nearest to m'; of a bank without two others, those that it has

    Notes
    -----
    BTF's formula. PatchCore's (Roth et al., CVPR 2022) sums over m' as well.
    """
    at = int(near.distance[:, 0].argmax())
    distance, row = near.distance[at, 0], near.row[at, 0]
    own = bank.bank[row][None]
    others = bank(own, min(1 + OTHERS, len(bank.bank))).row[0, 1:]  # m' is the lowest of its duplicates: it comes first
    further = torch.linalg.vector_norm(bank.bank[others].double() - features[at].double(), dim=1)
    root = math.sqrt(features.shape[1])
    sum_of = torch.exp((further - distance.double()) / root).sum().item()
    return float(distance) * (1 - 1 / sum_of if len(others) else 1)


def enlarged(cells: Tensor, size: int) -> np.ndarray:
    """Scores of cells at an object image's size.

    Parameters
    ----------
    cells
        (c, c) float32.
    size
        Rows and columns of the result.

    Returns
    -------
    (size, size) float32, bilinear between the cells' centres
    """
    found = interpolate(cells[None, None], (size, size), mode="bilinear", align_corners=False)
    return found[0, 0].cpu().numpy()


def blurred(scores: np.ndarray, sigma: float) -> np.ndarray:
    """A map, blurred by a Gaussian; beyond its edge it goes on as at the edge.

    Parameters
    ----------
    scores
        (s, s) float32.
    sigma
        Standard deviation, pixels; 0: not blurred.

    Returns
    -------
    (s, s) float32
    """
    return gaussian_filter(scores, sigma, mode="nearest") if sigma else scores
