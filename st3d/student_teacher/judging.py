"""One scan in, a score, a verdict and a map out. It imports torch when needed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from st3d.kernels.image_scores import image_score
from st3d.kernels.interpolation import from_nearest
from st3d.kernels.points import downsample_scan, neighbours

if TYPE_CHECKING:
    from st3d.student_teacher.calibration import Model


class UnlikeTraining(ValueError):  # noqa: N818 a verdict, not a fault
    """A scan that is unlike all scans that the detector was fitted to: a wrong part, or another sensor or pose."""


@dataclass(frozen=True)
class Result:
    """What a detector says of a scan.

    Attributes
    ----------
    score
        Of the whole scan, above 0, larger where more anomalous.
    is_anomalous
        Whether `score` is above `threshold`.
    map
        Score per pixel (h, w), or per point (n,) of a cloud, float32.
    threshold
        Of `score`.
    pixel_threshold
        Of `map`.
    scored
        Points that the networks saw; the scores of all others are interpolated.
    """

    score: float
    is_anomalous: bool
    map: NDArray[np.float32]
    threshold: float
    pixel_threshold: float
    scored: int

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(h, w) or (n,) bool, where the map is above its threshold."""
        return self.map > self.pixel_threshold


def judge(model: "Model", points: np.ndarray, accept_unlike: bool) -> Result:
    """Score a scan: the workflow's stages one after the other.

    Parameters
    ----------
    model
        A calibrated pair.
    points
        (h, w, 3) float32, metres, (0, 0, 0) where invalid; or (n, 3), a cloud of valid points.
    accept_unlike
        Whether a scan that is unlike all training scans is scored.

    Returns
    -------
    Result

    Raises
    ------
    UnlikeTraining
        Where it is unlike them.
    ValueError
        If it has too few valid points.
    """
    from st3d.student_teacher.likeness import summary
    from st3d.training.inputs import scaled

    pair = model.pair
    chosen, place = downsample_scan(points, pair.points, pair.downsampling_seed)
    if len(chosen) <= pair.neighbours:
        raise ValueError(f"expected at least {pair.neighbours + 1} valid points, found {len(chosen)}")
    near = neighbours(chosen, pair.neighbours)
    found, descriptors = pair.compare(scaled(chosen, near, pair.scale, pair.mean.device))
    unlike = None if accept_unlike else model.likeness.difference(summary(chosen, descriptors))
    if unlike:
        raise UnlikeTraining(f"unlike all training scans, so not scored: {unlike}")
    scores = found.cpu().numpy()
    score = image_score(model.image_score, scores)
    spread = _of_image if points.ndim == 3 else _of_cloud
    filled = spread(points, place, scores)
    return Result(score, score > model.image.value, filled, model.image.value, model.pixel.value, len(scores))


def _of_image(points: np.ndarray, place: np.ndarray, scores: np.ndarray) -> NDArray[np.float32]:
    import torch

    from st3d.student_teacher.point_maps import score_map

    return score_map(torch.from_numpy(scores), place, (points.shape[0], points.shape[1]))


def _of_cloud(points: np.ndarray, place: np.ndarray, scores: np.ndarray) -> NDArray[np.float32]:
    """Scored points keep their scores, others have the mean of the nearest ones', weighted by inverse distance."""
    scored = place[: len(scores)]
    result = from_nearest(points[scored], scores, points).astype(np.float32)
    result[scored] = scores
    return result
