"""Shape-Guided's anomaly maps: how far points lie off the surfaces, and colours off those, that the banks expect."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from st3d.formats.checkpoints import content_of
from st3d.formats.images import Images
from st3d.formats.scans import Map
from st3d.kernels.squares import to_scan
from st3d.memory_banks.bank_files import read_bank
from st3d.memory_banks.bank_scores import blurred
from st3d.memory_banks.fusion import Alignment, fused
from st3d.memory_banks.sdf_network import FEATURE
from st3d.memory_banks.shape_guided_banks import Banks
from st3d.training.progress_bar import progress_bar

SIZES = ("points", "overlap", "atoms", "colour_atoms", "nonzero", "blur", "seed")


def maps_of(models: Sequence[Path], test: Sequence[Path], device: torch.device) -> Iterator[Map]:
    """Shape-Guided's maps: distances of the points to the expected surfaces, blurred, at the scan's size.

    With colours, the larger one of shape's and of colour's score, on shape's scale, before the blur.

    Parameters
    ----------
    models
        The category's one model.
    test
        One file with the category's object images.
    device
        Where the networks run and the banks are searched.

    Yields
    ------
    Map, of each scan in the order of the file: 0 where no patch has a point; its score is the largest distance of a
    patch's feature to what the bank makes of it, with colours times the same of a cell's colour feature

    Raises
    ------
    ValueError
        If there is another number of files, the model is none of Shape-Guided, or its object images were others.
    """
    if len(models) != 1 or len(test) != 1:
        found = f"{len(models)} models and {len(test)} files"
        raise ValueError(f"--models: expected one memory bank and one file of object images, found {found}")
    model = read_bank(models[0], "shape_guided", FEATURE, SIZES)
    banks, modality = Banks(model, models[0], device), model["modality"]
    with content_of(models[0], "a memory bank of shape_guided"):
        alignment = Alignment(**model["colour"]["alignment"]) if modality == "3d_rgb" else None
    with Images(test[0]) as images:
        images.check_alike(model)
        for index in progress_bar(range(len(images)), "scans"):
            image = images.image(index, modality)
            shape = banks.shape(image)
            scores, score = np.where(np.isfinite(shape.scores), shape.scores, np.float32(0)), shape.score
            if alignment is not None:
                colour = banks.colour(image, shape)
                scores = fused(shape.scores, colour.scores, alignment)
                score *= colour.score
            pixels = blurred(scores, banks.sizes["blur"])
            yield Map(image.sample, to_scan(pixels, image.size), int(np.isfinite(shape.scores).sum()), score)
