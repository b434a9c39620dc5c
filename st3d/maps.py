"""Stage `maps`: an anomaly score for every pixel of a category's test scans."""

import logging
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from st3d import harmonic, harmonic_torch, runtime
from st3d.aggregation import Graph
from st3d.inputs import Inputs, ahead
from st3d.models import load_pair
from st3d.network import Coordinates
from st3d.scans import write_map
from st3d.shards import Cloud

log = logging.getLogger("st3d")


def maps(
    *,
    teacher: Path,
    student: Path,
    test: list[Path],
    output: Path,
    manifest: Path,
    points: int,
    neighbours: int,
    width: int,
    blocks: int,
    coordinates: Coordinates,
    device: runtime.Device,
    threads: int,
    code: str,
) -> None:
    """Score every test scan of a category and fill the scores in between harmonically.

    Parameters
    ----------
    teacher : the pretrained model
    student : the category's student
    test : shards of the category's test scans
    output : folder for one float32 TIFF per scan, test/<defect>/<id>.tiff; an earlier `test` is replaced as a whole
    manifest : CSV to write: sample, height and width in pixels, points scored, largest score
    points : n, points of a scan
    neighbours : k, neighbours of a point
    width : d, numbers in a descriptor; a teacher of another width is an error
    blocks : residual blocks; likewise
    coordinates : relative or absolute; likewise
    device : auto, cpu or cuda
    threads : CPU threads
    code : fingerprint of the code; not kept, a map is only numbers
    """
    runtime.set_threads(threads)
    where = runtime.device(device)
    pair = load_pair(teacher, student, where, {"width": width, "blocks": blocks, "coordinates": coordinates})
    rows = []
    with (
        runtime.replaced_folder(output / "test") as folder,
        Inputs(test, points, neighbours, pair.scale, where) as scans,
    ):

        def read(index: int) -> tuple[Cloud, Graph]:
            cloud = scans.cloud(index)
            return cloud, scans.scaled(cloud)

        clouds = ahead((partial(read, index) for index in range(len(scans))), where)
        for cloud, graph in runtime.steps(clouds, "scans", len(scans)):
            if cloud.sample is None or cloud.size is None or cloud.pixel is None:
                raise ValueError(f"{test[0]}: expected scans, found clouds without pixels")
            scores = pair.scores(graph)
            filled = score_map(scores, cloud.pixel, cloud.size)
            write_map(folder / f"{cloud.sample}.tiff", filled)
            height, width = filled.shape
            row = {"sample": cloud.sample, "height": height, "width": width, "points": len(cloud.points)}
            rows.append(row | {"score": repr(float(filled.max()))})
    runtime.write_csv(manifest, rows, ["sample", "height", "width", "points", "score"])


def score_map(scores: Tensor, pixel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scores (n,) at `pixel` (n,) of an image of `size` (h, w), filled harmonically: (h, w) float32 (section 3.3)."""
    place = torch.from_numpy(pixel.astype(np.int64)).to(scores.device)
    values, known = torch.zeros(size, device=scores.device), torch.zeros(size, dtype=torch.bool, device=scores.device)
    values.view(-1)[place] = scores
    known.view(-1)[place] = True
    if scores.device.type == "cpu":
        return harmonic.fill(values.numpy(), known.numpy())
    if not bool(torch.isfinite(scores).all()):
        raise ValueError("fill: expected finite values at known pixels, found NaN or infinity")
    return harmonic_torch.fill(values, known).cpu().numpy()
