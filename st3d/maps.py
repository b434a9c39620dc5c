"""Stage `maps`: an anomaly score for every pixel of a category's test scans, by 3D-ST or by a baseline."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from st3d import harmonic, harmonic_torch, runtime
from st3d.aggregation import Graph
from st3d.baselines import Baseline, load_baseline
from st3d.depth_images import resized
from st3d.frames import camera_of
from st3d.grids import Grid, to_pixels
from st3d.images import Image, Images
from st3d.inputs import Inputs
from st3d.memory import ahead
from st3d.models import Pair, load_pair
from st3d.scans import write_map
from st3d.shards import Cloud

log = logging.getLogger("st3d")


def maps(
    *,
    models: list[Path],
    test: list[Path],
    output: Path,
    manifest: Path,
    device: runtime.Device,
    threads: int,
    code: str,
) -> None:
    """Score every pixel of every test scan of a category.

    Parameters
    ----------
    models : teacher and student of 3D-ST, or a baseline's one model
    test : the category's test scans: shards with graphs for 3D-ST, one file of images for a baseline
    output : folder for one float32 TIFF per scan, test/<defect>/<id>.tiff; an earlier `test` is replaced as a whole
    manifest : CSV to write: sample, height and width in pixels, scored points (voxels, pixels), largest score
    device : auto, cpu or cuda
    threads : CPU threads
    code : fingerprint of the code; not kept, a map is only numbers
    """
    runtime.set_threads(threads)
    where = runtime.device(device)
    if len(models) == 2:
        maps = point_maps(load_pair(models[0], models[1], where), test, where)
    elif len(models) == len(test) == 1:
        maps = image_maps(load_baseline(models[0], where), test[0], where)
    else:
        raise ValueError(
            "--models: expected a teacher and a student, or one baseline with one file of images, found"
            f" {len(models)} models and {len(test)} files"
        )
    rows = []
    with runtime.replaced_folder(output / "test") as folder:
        for each in maps:
            write_map(folder / f"{each.sample}.tiff", each.scores)
            height, width = each.scores.shape
            row = {"sample": each.sample, "height": height, "width": width, "points": each.points}
            rows.append(row | {"score": repr(float(each.scores.max()))})
    runtime.write_csv(manifest, rows, ["sample", "height", "width", "points", "score"])


@dataclass(frozen=True)
class Map:
    """The scores of one scan (h, w), and from how many points, voxels or pixels they come."""

    sample: str
    scores: np.ndarray
    points: int


def point_maps(pair: Pair, test: list[Path], device: torch.device) -> Iterator[Map]:
    """3D-ST's maps: each point's score at its pixel, the pixels in between filled harmonically."""
    with Inputs(test, pair.points, pair.neighbours, pair.scale, device) as scans:

        def read(index: int) -> tuple[Cloud, Graph]:
            cloud = scans.cloud(index)
            return cloud, scans.scaled(cloud)

        clouds = ahead((partial(read, index) for index in range(len(scans))), device)
        for cloud, graph in runtime.steps(clouds, "scans", len(scans)):
            if cloud.sample is None or cloud.size is None or cloud.pixel is None:
                raise ValueError(f"{test[0]}: expected scans, found clouds without pixels")
            scores = pair.scores(graph)
            yield Map(cloud.sample, score_map(scores, cloud.pixel, cloud.size), len(scores))


@torch.no_grad()
def image_maps(baseline: Baseline, test: Path, device: torch.device) -> Iterator[Map]:
    """A baseline's maps: depth images' scores at the scan's size, voxels' projected into the image."""
    with Images(test) as images:
        images.check_alike(baseline.images)
        if images.kind == "voxels":
            grid, camera = Grid.from_parameters(images.frame["grid"]), camera_of(images.frame["camera"])

        def read(index: int) -> tuple[Image, Tensor]:
            image = images.image(index, baseline.images["modality"])
            return image, torch.from_numpy(image.values)[None].to(device)

        read_ahead = ahead((partial(read, index) for index in range(len(images))), device)
        for image, values in runtime.steps(read_ahead, "scans", len(images)):
            scores = baseline.scores(values)[0].cpu().numpy()
            if images.kind == "voxels":
                pixels = to_pixels(scores, grid, camera)
            else:
                pixels = scores if scores.shape == image.size else resized(scores, image.size, smooth=True)
            yield Map(image.sample, pixels, scores.size)


def score_map(scores: Tensor, pixel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scores (q,) at the first of `pixel` (n,) of an image of `size` (h, w), filled harmonically: (h, w) float32.

    Section 3.3; q is n, or less where the teacher describes the first points of a cloud alone.
    """
    place = torch.from_numpy(pixel[: len(scores)].astype(np.int64)).to(scores.device)
    values, known = torch.zeros(size, device=scores.device), torch.zeros(size, dtype=torch.bool, device=scores.device)
    values.view(-1)[place] = scores
    known.view(-1)[place] = True
    if scores.device.type == "cpu":
        return harmonic.fill(values.numpy(), known.numpy())
    if not bool(torch.isfinite(scores).all()):
        raise ValueError("fill: expected finite values at known pixels, found NaN or infinity")
    return harmonic_torch.fill(values, known).cpu().numpy()
