"""Shape-Guided's anomaly maps, of the shape alone: how far points lie off the surfaces that the bank expects."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from st3d.formats.checkpoints import load
from st3d.formats.images import Images
from st3d.formats.scans import Map
from st3d.kernels.matching_pursuit import matching_pursuit
from st3d.kernels.nearest_rows import NearestRows
from st3d.kernels.squares import to_scan
from st3d.memory_banks.bank_scores import blurred
from st3d.memory_banks.patches import patches_of
from st3d.memory_banks.sdf_network import expert_of
from st3d.training.progress_bar import progress_bar


def maps_of(models: Sequence[Path], test: Sequence[Path], device: torch.device) -> Iterator[Map]:
    """Shape-Guided's maps: distances of the points to the expected surfaces, blurred, at the scan's size.

    Parameters
    ----------
    models
        The category's one model.
    test
        One file with the category's object images.
    device
        Where the networks run and the bank is searched.

    Yields
    ------
    Map, of each scan in the order of the file: 0 where no patch has a point; its score is the largest distance of a
    patch's feature to what the bank makes of it

    Raises
    ------
    ValueError
        If there is another number of files, the model is none of Shape-Guided, or its object images were others.
    """
    if len(models) != 1 or len(test) != 1:
        found = f"{len(models)} models and {len(test)} files"
        raise ValueError(f"--models: expected one memory bank and one file of object images, found {found}")
    model = load(models[0], "memory_bank")
    if model["method"] != "shape_guided":
        raise ValueError(f"{models[0]}: expected a memory bank of shape_guided, found one of {model['method']}")
    bank, sizes = NearestRows(model["bank"].to(device)), model["sizes"]
    expert = expert_of(model["weights"], models[0]).to(device)
    with Images(test[0]) as images:
        images.check_alike(model)
        indices = range(len(images))
        cut = patches_of(images, indices, sizes["points"], sizes["overlap"], sizes["seed"])
        for index, (pixel, own) in progress_bar(zip(indices, cut, strict=True), "scans", len(images)):
            image, patches = images.image(index, "3d"), torch.from_numpy(own).to(device)
            features = expert.encoded(patches)
            rows = bank(features, min(sizes["atoms"], len(bank.bank))).row
            expected = matching_pursuit(features, bank.bank[rows], sizes["nonzero"])
            distance = expert.distances(expected, patches).abs().cpu().numpy()
            scores = least_of(pixel, distance, image.values.shape[1])
            scored = int(np.isfinite(scores).sum())
            pixels = blurred(np.where(np.isfinite(scores), scores, np.float32(0)), sizes["blur"])
            score = float(torch.linalg.vector_norm(features - expected, dim=1).max())
            yield Map(image.sample, to_scan(pixels, image.size), scored, score)


def least_of(pixel: np.ndarray, distance: np.ndarray, size: int) -> np.ndarray:
    """The least of a pixel's distances in the patches that have it.

    Parameters
    ----------
    pixel
        (p, k) integer, places in the flattened object image.
    distance
        (p, k) float32.
    size
        Rows and columns of the object image.

    Returns
    -------
    (size, size) float32, infinite where no patch has the pixel
    """
    result = np.full(size * size, np.inf, np.float32)
    np.minimum.at(result, pixel.ravel(), distance.ravel())
    return result.reshape(size, size)
