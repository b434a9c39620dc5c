"""BTF's anomaly maps: each cell's distance to the nearest row of the bank."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from st3d.formats.checkpoints import content_of
from st3d.formats.images import Images
from st3d.formats.scans import Map
from st3d.kernels.nearest_rows import NearestRows
from st3d.kernels.squares import to_scan
from st3d.memory_banks.bank_files import read_bank
from st3d.memory_banks.bank_scores import blurred, enlarged, reweighted
from st3d.memory_banks.histograms import NUMBERS, features
from st3d.training.progress_bar import progress_bar

SIZES = ("normals", "neighbours", "cells", "blur")


def maps_of(models: Sequence[Path], test: Sequence[Path], device: torch.device) -> Iterator[Map]:
    """BTF's maps: distances of the cells to the bank, enlarged, blurred, at the scan's size.

    Parameters
    ----------
    models
        The category's one model.
    test
        One file with the category's object images.
    device
        Where the bank is searched.

    Yields
    ------
    Map, of each scan in the order of the file; its score is the largest distance, re-weighted

    Raises
    ------
    ValueError
        If there is another number of files, the model is none of BTF, or its object images were others.
    """
    if len(models) != 1 or len(test) != 1:
        found = f"{len(models)} models and {len(test)} files"
        raise ValueError(f"--models: expected one memory bank and one file of object images, found {found}")
    model = read_bank(models[0], "btf_fpfh", NUMBERS, SIZES)
    with content_of(models[0], "a memory bank of btf_fpfh"):
        bank, sizes = NearestRows(model["bank"].to(device)), model["sizes"]
    with Images(test[0]) as images:
        images.check_alike(model)
        for index in progress_bar(range(len(images)), "scans"):
            image = images.image(index, "3d")
            own = features(image.values, sizes["normals"], sizes["neighbours"], sizes["cells"]).to(device)
            near = bank(own)
            cells = near.distance.view(sizes["cells"], sizes["cells"])
            pixels = blurred(enlarged(cells, image.values.shape[1]), sizes["blur"])
            points = int((image.values != 0).any(axis=0).sum())
            yield Map(image.sample, to_scan(pixels, image.size), points, reweighted(own, near, bank))
