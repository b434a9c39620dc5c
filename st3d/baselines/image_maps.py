"""A baseline's anomaly maps: from voxel or depth image scores to pixels."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from st3d.baselines.category_frame import camera_of
from st3d.baselines.depth_images import resized
from st3d.baselines.scoring import load_baseline
from st3d.formats.images import Image, Images
from st3d.formats.scans import Map
from st3d.kernels.geometry.voxel_grid import Grid, to_pixels
from st3d.training.memory import read_ahead
from st3d.training.progress_bar import progress_bar


@torch.no_grad()
def maps_of(models: Sequence[Path], test: Sequence[Path], device: torch.device) -> Iterator[Map]:
    """A baseline's maps: depth images' scores at the scan's size, voxels' projected into the image.

    Parameters
    ----------
    models
        The baseline's one model.
    test
        One file with the category's test images.
    device
        Where the networks run.

    Returns
    -------
    Iterator of maps (h, w) float32, one per test scan, in the unit of the baseline's scores

    Raises
    ------
    ValueError
        If there is another number of files, or the model was trained on other images.
    """
    if len(models) != 1 or len(test) != 1:
        found = f"{len(models)} models and {len(test)} files"
        raise ValueError(f"--models: expected one baseline and one file of images, found {found}")
    baseline = load_baseline(models[0], device)
    with Images(test[0]) as images:
        images.check_alike(baseline.images)
        if images.kind == "voxels":
            grid, camera = Grid.from_parameters(images.frame["grid"]), camera_of(images.frame["camera"])

        def read(index: int) -> tuple[Image, Tensor]:
            image = images.image(index, baseline.images["modality"])
            return image, torch.from_numpy(image.values)[None].to(device)

        loaded = read_ahead((partial(read, index) for index in range(len(images))), device)
        for image, values in progress_bar(loaded, "scans", len(images)):
            scores = baseline.scores(values)[0].cpu().numpy()
            if images.kind == "voxels":
                pixels = to_pixels(scores, grid, camera)
            else:
                pixels = scores if scores.shape == image.size else resized(scores, image.size, smooth=True)
            yield Map(image.sample, pixels, scores.size, float(pixels.max()))
