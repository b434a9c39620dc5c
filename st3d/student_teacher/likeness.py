"""Whether a scan is of the kind that a student was trained on: a wrong part must not get a score as if it were right.

Letters: n points, q of them with a descriptor, c descriptor dimension, g anomaly-free scans.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

FARTHER = 3.0  # times as far from the nearest anomaly-free scan as any of these is from its nearest
LARGER = 1.5  # times as large as the largest, or as small as the smallest
SIZES = ("length", "width", "height")


@dataclass(frozen=True)
class Summary:
    """One scan in few numbers.

    Attributes
    ----------
    descriptors
        (2 c,) float64, mean and standard deviation per channel of the teacher's standardised descriptors.
    sizes
        (3,) float64, metres: twice the standard deviations of its points along their principal axes, largest first.
    """

    descriptors: np.ndarray
    sizes: np.ndarray


def summary(points: np.ndarray, descriptors: Tensor) -> Summary:
    """Summarise a scan; the same wherever it stands and however it is rotated in its descriptors' reach.

    Parameters
    ----------
    points
        (n, 3) float, metres, n >= 2.
    descriptors
        (q, c) float, standardised.

    Returns
    -------
    Summary
    """
    exact = descriptors.double()
    both = torch.cat([exact.mean(dim=0), exact.std(dim=0, correction=0)]).cpu().numpy()
    variances = np.linalg.eigvalsh(np.cov(points.astype(np.float64).T, bias=True))[::-1]
    return Summary(both, 2 * np.sqrt(np.maximum(variances, 0)))


@dataclass(frozen=True)
class Likeness:
    """What anomaly-free scans have in common.

    Attributes
    ----------
    descriptors
        (g, 2 c) float64, of their summaries.
    sizes
        (g, 3) float64, metres.
    reach
        The largest distance of one of them from its nearest other one, root mean square per channel.
    """

    descriptors: np.ndarray
    sizes: np.ndarray
    reach: float

    @classmethod
    def of(cls, summaries: Sequence[Summary]) -> "Likeness":
        """Of g >= 2 anomaly-free scans."""
        descriptors = np.stack([each.descriptors for each in summaries])
        between = np.array([_distances(each, descriptors) for each in descriptors])
        np.fill_diagonal(between, np.inf)
        return cls(descriptors, np.stack([each.sizes for each in summaries]), float(between.min(axis=1).max()))

    def content(self) -> dict[str, Any]:
        """As a model file keeps it; `restored` is its inverse."""
        kept = {"descriptors": torch.from_numpy(self.descriptors), "sizes": torch.from_numpy(self.sizes)}
        return kept | {"reach": self.reach}

    @classmethod
    def restored(cls, content: dict[str, Any]) -> "Likeness":
        """From `content`."""
        return cls(content["descriptors"].numpy(), content["sizes"].numpy(), content["reach"])

    def difference(self, scan: Summary) -> str | None:
        """In what a scan is unlike all anomaly-free ones.

        Parameters
        ----------
        scan
            Its summary.

        Returns
        -------
        Such as "a surface 7.1 times as far from the nearest training scan's as these are from each other"; None where
        it is alike
        """
        for name, found, known in zip(SIZES, scan.sizes, self.sizes.T, strict=True):
            if not known.min() / LARGER <= found <= known.max() * LARGER:
                span = f"{1e3 * known.min():.3g} to {1e3 * known.max():.3g} mm"
                return (
                    f"expected a {name} (two standard deviations of its points) of {span}, found {1e3 * found:.3g} mm"
                )
        times = self.distance(scan) / max(self.reach, 1e-12)
        if times > FARTHER:
            return (
                f"its surface is {times:.1f} times as far from the nearest training scan's as these are from each other"
            )
        return None

    def distance(self, scan: Summary) -> float:
        """From the nearest anomaly-free scan, root mean square per channel."""
        return float(_distances(scan.descriptors, self.descriptors).min())


def _distances(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(others - one).mean(axis=1))
