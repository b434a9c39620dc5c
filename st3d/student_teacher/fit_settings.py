"""The numbers of a fit to a user's own scans; the one place for their defaults."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from st3d.kernels.image_scores import ImageScore


@dataclass(kw_only=True)
class FitSettings:
    """The numbers of a fit; each has a default that suits scans of 100,000 to 700,000 points.

    Parameters
    ----------
    method
        3d_st.
    points
        n, points of a scan that the networks see, by farthest point sampling.
    neighbours
        k, nearest neighbours of a point.
    steps
        Training steps, of one scan each.
    learning_rate
        Of Adam, at the first epoch; it falls to 0 along half a cosine.
    held_out
        Share of the scans that is kept for validation and for the thresholds, in (0, 1).
    false_alarms
        Share of good scans that may be called anomalous, in (0, 1).
    pixel_false_alarms
        Share of a good scan's pixels that may be called anomalous, in (0, 1).
    image_score
        A scan's score, from its points': maximum, top_100, top_1_percent, top_5_percent (means of the highest) or
        quantile_99.
    teacher
        A teacher.pt of your own, or another feature extractor's file; without: the package's teacher.
    seed
        Of the choice of the scans held out, of the initial weights and of all other random draws.
    """

    method: Literal["3d_st"] = "3d_st"
    points: int = 16000
    neighbours: int = 16
    steps: int = 1500
    learning_rate: float = 0.012  # of 0.003 to 0.03 the lowest validation loss
    held_out: float = 0.25
    false_alarms: float = 0.01
    pixel_false_alarms: float = 0.01
    image_score: ImageScore = "top_5_percent"
    teacher: Path | None = None
    seed: int = 0
