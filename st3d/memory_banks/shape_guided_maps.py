"""Shape-Guided's anomaly maps: distances of a scan's points from the surface that anomaly-free patches make of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from st3d.formats.checkpoints import load
from st3d.formats.images import Images
from st3d.formats.scans import Map
from st3d.kernels.matching_pursuit import matching_pursuit
from st3d.kernels.nearest_rows import NearestRows
from st3d.kernels.squares import to_scan
from st3d.memory_banks.bank_scores import blurred
from st3d.memory_banks.patches import Patches
from st3d.memory_banks.sdf_network import Expert
from st3d.memory_banks.shape_guided import AT_ONCE, BankSettings, encoded, load_expert, of_image
from st3d.training.progress_bar import progress_bar


def maps_of(models: Sequence[Path], test: Sequence[Path], device: torch.device) -> Iterator[Map]:
    """Shape-Guided's maps of its shape expert.

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
    Map, of each scan in the order of the file; its score is the largest distance of a patch's feature from what the
    bank's rows make of it

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
    bank, comparison = NearestRows(model["bank"].to(device)), BankSettings(**model["comparison"])
    network = load_expert(model, models[0], device)
    with Images(test[0]) as images:
        images.check_alike(model)
        for index in progress_bar(range(len(images)), "scans"):
            image = images.image(index, "3d")
            seen, own = of_image(image.values, model["patch"]["points"], comparison)
            features = encoded(network, own, device)
            near = bank(features, min(comparison.atoms, len(bank.bank)))
            rebuilt = matching_pursuit(features, bank.bank[near.row], comparison.nonzero)
            pixels = np.zeros(seen.shape, np.float32)
            pixels[seen] = least_distances(network, rebuilt, own, int(seen.sum()))
            score = float((features - rebuilt).norm(dim=1).max())
            yield Map(image.sample, to_scan(blurred(pixels, comparison.blur), image.size), int(seen.sum()), score)


@torch.no_grad()
def least_distances(network: Expert, features: Tensor, own: Patches, count: int) -> np.ndarray:
    """Each point's distance from the surface, the least of those in the patches that hold it.

    Parameters
    ----------
    network
        The expert.
    features
        (p, 128) float32, that the surfaces are decoded from.
    own
        The p patches.
    count
        Points of the object.

    Returns
    -------
    (count,) float32, in units of the patches' longest sides; 0 of a point that no patch holds
    """
    result = np.full(count, np.inf, np.float32)
    points = torch.from_numpy(own.points)
    for start in range(0, len(points), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        distance = network.NIF(features[some], points[some].to(features.device)).abs().cpu().numpy()
        np.minimum.at(result, own.rows[some], distance)
    return np.where(np.isfinite(result), result, np.float32(0))
