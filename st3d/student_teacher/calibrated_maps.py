"""Calibrated 3D-ST's anomaly maps: from the scores of cells to pixels."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from st3d.formats.images import Images
from st3d.formats.scans import Map
from st3d.kernels.squares import to_scan
from st3d.student_teacher.calibrated import CalibratedSettings, load_calibrated
from st3d.student_teacher.cell_terms import scans_of
from st3d.student_teacher.point_maps import check_graphs
from st3d.training.progress_bar import progress_bar


def maps_of(models: Sequence[Path], test: Sequence[Path], device: torch.device) -> Iterator[Map]:
    """Calibrated 3D-ST's maps: the cells' scores at the scan's size, smoothed.

    Parameters
    ----------
    models
        Teacher, or another extractor, student, and what stage `calibrated` made of them.
    test
        Shards of the category's test scans, with graphs; then one file of their object images.
    device
        Where the networks and searches run.

    Yields
    ------
    Map, of each scan by name; its score is the mean of its highest pixels

    Raises
    ------
    ValueError
        If there is another number of files, they do not belong together, or a shard holds graphs of another n or k than
        the student's.
    """
    if len(models) != 3 or len(test) < 2:
        found = f"{len(models)} models and {len(test)} files"
        raise ValueError(
            "--models: expected a teacher, a student and a calibrated model, and as --test graphs and object images,"
            f" found {found}"
        )
    *shards, images = test
    model = load_calibrated(models[0], models[1], models[2], device)
    for path in shards:
        check_graphs(path, model.pair, models[1])
    with Images(images) as pictures:
        count = len(pictures)
    for scan in progress_bar(scans_of(model.pair, shards, images), "scans", count):
        assert scan.cloud.sample is not None and scan.cloud.size is not None  # scans_of found its object image
        height, width = scan.cloud.size
        scores = smoothed(model.score(scan), (int(height), int(width)), model.settings)
        yield Map(scan.cloud.sample, scores, len(scan.cloud.points), image_score(scores, model.settings.highest))


def smoothed(cells: np.ndarray, size: tuple[int, int], settings: CalibratedSettings) -> np.ndarray:
    """Scores of cells at a scan's size.

    Parameters
    ----------
    cells
        (m, m) float32.
    size
        h and w of the scan.
    settings
        Its `smoothing`.

    Returns
    -------
    (h, w) float32
    """
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(to_scan(cells, size), settings.smoothing * max(size))


def image_score(scores: np.ndarray, highest: float) -> float:
    """A scan's score: the mean of its highest pixels.

    Parameters
    ----------
    scores
        (h, w) float32.
    highest
        Fraction of the pixels that count, in (0, 1]; one or more.

    Returns
    -------
    float
    """
    count = max(1, round(highest * scores.size))
    return float(np.partition(scores, scores.size - count, axis=None)[-count:].astype(np.float64).mean())
