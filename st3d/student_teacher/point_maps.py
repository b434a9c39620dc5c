"""3D-ST's anomaly maps: from scores per point to pixels."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from st3d.formats.scans import Map
from st3d.formats.shards import Cloud, read_shard
from st3d.kernels import harmonic
from st3d.kernels.graph import Graph
from st3d.student_teacher.pair import Pair, load_pair
from st3d.training.inputs import Inputs
from st3d.training.memory import read_ahead
from st3d.training.progress_bar import progress_bar


def maps_of(models: Sequence[Path], test: Sequence[Path], device: torch.device) -> Iterator[Map]:
    """3D-ST's maps: each point's score at its pixel, the pixels in between filled harmonically.

    Parameters
    ----------
    models
        Teacher, or another extractor, and student.
    test
        Shards of the category's test scans, with graphs.
    device
        Where the networks run.

    Yields
    ------
    Map, of each scan in the order of the samples

    Raises
    ------
    ValueError
        If there are not two models, the student did not learn from the other one, or a shard holds no scans or graphs
        of another n or k than the student's.
    """
    if len(models) != 2:
        raise ValueError(f"--models: expected a teacher and a student, found {len(models)} files")
    pair = load_pair(models[0], models[1], device)
    for path in test:
        check_graphs(path, pair, models[1])
    with Inputs(test, pair.points, pair.neighbours, pair.scale, device) as scans:

        def read(index: int) -> tuple[Cloud, Graph]:
            cloud = scans.cloud(index)
            return cloud, scans.scaled(cloud)

        clouds = read_ahead((partial(read, index) for index in range(len(scans))), device)
        for cloud, graph in progress_bar(clouds, "scans", len(scans)):
            if cloud.sample is None or cloud.size is None or cloud.pixel is None:
                raise ValueError(f"{test[0]}: expected scans, found clouds without pixels")
            scores = pair.scores(graph)
            pixels = score_map(scores, cloud.pixel, cloud.size)
            yield Map(cloud.sample, pixels, len(scores), float(pixels.max()))


def check_graphs(path: Path, pair: Pair, student: Path) -> None:
    """Refuse graphs of another n or k than the student was trained with.

    Parameters
    ----------
    path
        Shard of a test split.
    pair
        Teacher and student.
    student
        The student's file, for errors.

    Raises
    ------
    ValueError
        If they are others; one line with both files.
    """
    with read_shard(path) as shard:
        found = [shard.attributes["settings"].get(name) for name in ("points", "neighbours")]
    if found != [pair.points, pair.neighbours]:
        raise ValueError(
            f"{path}: expected graphs of {pair.points} points and {pair.neighbours} neighbours like those of {student},"
            f" found {found[0]} and {found[1]}"
        )


def score_map(scores: Tensor, pixel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Interpolate scores of points harmonically to all pixels (section 4.1).

    Parameters
    ----------
    scores
        (q,) float32; q is n, or less where only the first points of a cloud have a descriptor.
    pixel
        (n,) integer, each point's pixel in the flattened image.
    size
        (h, w) of the image.

    Returns
    -------
    (h, w) float32
    """
    place = pixel[: len(scores)].astype(np.int64)
    values, known = np.zeros(size, np.float32), np.zeros(size, bool)
    values.flat[place] = scores.cpu().numpy()
    known.flat[place] = True
    return harmonic.fill(values, known)  # on the CPU whatever the device: 0.06 s for 800 x 800
