"""How unusual a residual is where it occurs: Mahalanobis distances in clusters of descriptors.

Letters: n points, c descriptor dimension, k clusters.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from st3d.kernels.nearest_rows import NearestRows

ITERATIONS = 20  # of k-means


@dataclass(frozen=True)
class Clusters:
    """Clusters of descriptors, and how the residuals in each are distributed.

    Attributes
    ----------
    centres
        (k, c) float32.
    means
        (k, c) float32, of the residuals in each cluster.
    factors
        (k, c, c) float32, lower triangular: the inverse of the Cholesky factor of each cluster's covariance.
    """

    centres: Tensor
    means: Tensor
    factors: Tensor

    def distances(self, descriptors: Tensor, residuals: Tensor) -> Tensor:
        """Mahalanobis distance of each residual from the mean of its cluster.

        Parameters
        ----------
        descriptors
            (n, c) float32; a point belongs to the cluster with the nearest centre.
        residuals
            (n, c) float32.

        Returns
        -------
        (n,) float32, without a unit
        """
        own = NearestRows(self.centres)(descriptors).row[:, 0]
        result = torch.empty(len(own), device=residuals.device)
        for cluster in own.unique().tolist():
            of = own == cluster
            result[of] = ((residuals[of] - self.means[cluster]) @ self.factors[cluster].T).norm(dim=1)
        return result


def centres_of(descriptors: Tensor, count: int, seed: int) -> Tensor:
    """Centres of clusters by k-means (Lloyd's algorithm from k-means++).

    Parameters
    ----------
    descriptors
        (n, c) float32, finite, on the CPU.
    count
        k; less where there are fewer points.
    seed
        Of the first centres.

    Returns
    -------
    (k, c) float32
    """
    import numpy as np
    from scipy.cluster.vq import kmeans2

    exact = descriptors.double().numpy()
    count = min(count, len(np.unique(exact, axis=0)))
    # an empty cluster keeps its centre, and no point
    centres, _ = kmeans2(exact, count, iter=ITERATIONS, minit="++", missing="warn", rng=np.random.default_rng(seed))
    return torch.from_numpy(centres).float()


def clusters_of(centres: Tensor, points: Iterable[tuple[Tensor, Tensor]], shrinkage: float) -> Clusters:
    """Mean and covariance of the residuals in each cluster, summed in float64.

    Parameters
    ----------
    centres
        (k, c) float32.
    points
        Descriptors and residuals, (n, c) float32 each, of one scan after the other.
    shrinkage
        Share of the identity, times the mean variance of all residuals, that is mixed into a covariance, in (0, 1]: a
        cluster of few points has none that could be inverted.

    Returns
    -------
    Clusters; one without a point has the mean 0 and the scaled identity
    """
    k, c = centres.shape
    rows = NearestRows(centres)
    counts = torch.zeros(k, dtype=torch.float64)
    sums, squares = torch.zeros(k, c, dtype=torch.float64), torch.zeros(k, c, c, dtype=torch.float64)
    for descriptors, residuals in points:
        own, exact = rows(descriptors).row[:, 0].cpu(), residuals.double().cpu()
        for cluster in own.unique().tolist():
            some = exact[own == cluster]
            counts[cluster] += len(some)
            sums[cluster] += some.sum(dim=0)
            squares[cluster] += some.T @ some
    many = counts.clamp(min=1)
    means = sums / many[:, None]
    covariances = squares / many[:, None, None] - means[:, :, None] * means[:, None, :]
    variance = (squares.sum(dim=0).trace() / (c * counts.sum().clamp(min=1))).clamp(min=1e-12)
    identity = variance * torch.eye(c, dtype=torch.float64)
    mixed = (1 - shrinkage) * covariances + shrinkage * identity
    mixed[counts == 0] = identity
    factors = torch.linalg.solve_triangular(
        torch.linalg.cholesky(mixed), torch.eye(c, dtype=torch.float64).expand(k, c, c), upper=False
    )
    return Clusters(centres, means.float().to(centres.device), factors.float().to(centres.device))
