"""Stage `calibration`: teacher, student and the thresholds that validation scans give, in one model file."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from st3d.formats.checkpoints import LONGEST, save
from st3d.formats.provenance import provenance
from st3d.formats.shards import Cloud
from st3d.kernels.false_alarms import PixelThreshold, Threshold, pixel_threshold, scan_threshold
from st3d.kernels.image_scores import ImageScore, image_score
from st3d.student_teacher.likeness import Likeness, summary
from st3d.student_teacher.pair import Pair, pair_contents, pair_of
from st3d.student_teacher.point_maps import score_map
from st3d.training.device import choose_device, set_threads
from st3d.training.inputs import Inputs
from st3d.training.settings import Machine

log = logging.getLogger("st3d")


@dataclass(frozen=True, kw_only=True)
class CalibrationSettings:
    """How scans are judged.

    Parameters
    ----------
    false_alarms
        Share of anomaly-free scans that may be called anomalous, in (0, 1).
    pixel_false_alarms
        Share of anomaly-free pixels that may be called anomalous, in (0, 1).
    image_score
        A scan's score, from its points': maximum, top_100, top_1_percent, top_5_percent (means of the highest) or
        quantile_99.
    """

    false_alarms: float
    pixel_false_alarms: float
    image_score: ImageScore


@dataclass(frozen=True)
class Model:
    """A calibrated pair.

    Attributes
    ----------
    pair
        Teacher and student.
    image_score
        How a scan's score comes from its points'.
    image, pixel
        The thresholds.
    likeness
        What the training and validation scans have in common.
    validation_scores
        Scores of the validation scans that the thresholds come from.
    """

    pair: Pair
    image_score: ImageScore
    image: Threshold
    pixel: PixelThreshold
    likeness: Likeness
    validation_scores: tuple[float, ...]


def calibration(
    *,
    teacher: Path,
    student: Path,
    train: list[Path],
    validation: list[Path],
    output: Path,
    calibration: CalibrationSettings,
    machine: Machine,
    code: str,
) -> None:
    """Set the thresholds for the false alarm rates that a user names, and write all that judging a scan needs.

    Parameters
    ----------
    teacher
        The teacher, or another extractor.
    student
        A student that learned from it.
    train
        Shards (HDF5) of the scans that the student was trained on, with graphs; a scan unlike all is not judged.
    validation
        Shards of anomaly-free scans that it was not trained on, 3 or more; the thresholds come from these alone.
    output
        Model file to write.
    code
        Fingerprint of this stage's source, kept with the model.

    Raises
    ------
    ValueError
        One line: a file is not what its flag says, there are too few validation scans, or a rate is out of its range.
    """
    set_threads(machine.threads)
    contents = pair_contents(teacher, student)
    pair = pair_of(*contents, teacher, student, choose_device(machine.device))
    scores, maps, summaries = [], [], []
    for cloud, points, target in _compared(pair, validation):
        scores.append(image_score(calibration.image_score, points))
        maps.append(map_of(points, cloud))
        summaries.append(summary(cloud.points, target))
    summaries += [summary(cloud.points, target) for cloud, _, target in _compared(pair, train)]
    image = scan_threshold(scores, calibration.false_alarms)
    pixel = pixel_threshold(maps, calibration.pixel_false_alarms)
    log.info(
        "threshold %.4g of a scan's score, %.4g of a pixel's, from %d scans", image.value, pixel.value, len(scores)
    )
    content = provenance(asdict(calibration), code) | {"kind": "model", "method": "3d_st"}
    content |= dict(zip(("teacher", "student"), contents, strict=True))
    content |= {"image": image._asdict(), "pixel": pixel._asdict(), "likeness": Likeness.of(summaries).content()}
    save(output, content | {"validation_scores": scores})


def map_of(points: np.ndarray, cloud: Cloud) -> np.ndarray:
    """A score for every pixel of an image; of a cloud, the scores of its sample as they are.

    Parameters
    ----------
    points
        (q,) float32, scores.
    cloud
        That they are of.

    Returns
    -------
    (h, w) float32, or (q,)
    """
    if cloud.pixel is None or cloud.size is None:
        return points
    return score_map(torch.from_numpy(points), cloud.pixel, cloud.size)


def _compared(pair: Pair, shards: Sequence[Path]) -> Iterator[tuple[Cloud, np.ndarray, torch.Tensor]]:
    """Each cloud with its points' scores and the teacher's descriptors."""
    with Inputs(shards, pair.points, pair.neighbours, pair.scale, pair.mean.device) as clouds:
        for index in range(len(clouds)):
            cloud = clouds.cloud(index)
            scores, target = pair.compare(clouds.scaled(cloud))
            yield cloud, scores.cpu().numpy(), target


def model_of(content: Mapping[str, Any], path: Path, device: torch.device) -> Model:
    """A model from its file's content.

    Parameters
    ----------
    content
        What `calibration` wrote.
    path
        The file, for errors.
    device
        Device of both networks.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If it is damaged; one line with the file.
    """
    try:
        if (method := content["settings"]["image_score"]) not in get_args(ImageScore):
            found = str(method)[:LONGEST] if isinstance(method, str) else type(method).__name__
            raise ValueError(f"{path}: expected an image score that is known, found {found}; fit it again")
        pair = pair_of(content["teacher"], content["student"], path, path, device)
        image, pixel = Threshold(**content["image"]), PixelThreshold(**content["pixel"])
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in (*image, *pixel)):
            raise ValueError(f"{path}: expected thresholds of finite numbers, found others; fit it again")
        return Model(
            pair,
            content["settings"]["image_score"],
            image,
            pixel,
            Likeness.restored(content["likeness"]),
            tuple(content["validation_scores"]),
        )
    except (KeyError, TypeError, AttributeError, IndexError, RuntimeError, OverflowError) as error:
        raise ValueError(f"{path}: expected a model of st3d, found one without {error}; fit it again") from None
