"""Stage `shape_guided`: a memory bank of the features of anomaly-free patches (Shape-Guided's shape expert)."""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from st3d.formats.checkpoints import load, load_weights, save
from st3d.formats.images import Images, Modality
from st3d.formats.provenance import provenance
from st3d.memory_banks.patches import Patches, patches
from st3d.memory_banks.sdf_network import Expert
from st3d.training.device import choose_device, set_threads
from st3d.training.progress_bar import counted
from st3d.training.settings import Machine

log = logging.getLogger("st3d")
AT_ONCE = 16  # patches; the encoder's widest layer takes 1,024 numbers of each of their points


@dataclass(frozen=True, kw_only=True)
class BankSettings:
    """How scans are compared with the bank.

    Parameters
    ----------
    overlap
        Patches that a point is in, on average.
    atoms
        Nearest rows of the bank that a patch's feature is put together from.
    nonzero
        Atoms of these that it takes.
    blur
        Standard deviation of the blur of the maps, pixels of an object image.
    seed
        Of each scan's first patch.
    """

    overlap: float
    atoms: int
    nonzero: int
    blur: float
    seed: int


def shape_guided(
    *,
    expert: Path,
    train: Path,
    model: Path,
    modality: Modality,
    comparison: BankSettings,
    machine: Machine,
    code: str,
) -> None:
    """Fill one category's memory bank with the features of its training scans' patches.

    Parameters
    ----------
    expert
        What stage `sdf_expert` wrote; it is kept with the bank.
    train
        The category's training object images.
    model
        The model to write.
    modality
        3d: the colour expert of the paper is not here.
    code
        Fingerprint of the code, kept with the model.

    Raises
    ------
    ValueError
        If a file is not what its flag says, or colours are asked for.
    """
    set_threads(machine.threads)
    if modality != "3d":
        raise ValueError(f"--modality: expected 3d, the colour expert of shape_guided is not here, found {modality}")
    device = choose_device(machine.device)
    content = load(expert, "extractor")
    network = load_expert(content, expert, device)
    size = content["patch"]["points"]
    with Images(train) as images:
        if images.kind != "objects":
            raise images.bad("object images", images.kind)
        # by name: so no order of the scans counts
        names = images.read("sample", slice(None))
        order = sorted(range(len(images)), key=lambda index: names[index])
        rows = []
        for index in counted(order, "scans", len(order)):
            _, own = of_image(images.image(index, "3d").values, size, comparison)
            rows.append(encoded(network, own, device).cpu())
        properties = images.properties(modality)
    bank = torch.cat(rows)
    log.info("%s: %d scans, %d patches", train, len(rows), len(bank))
    kept = {"kind": "memory_bank", "method": "shape_guided", "bank": bank, "comparison": asdict(comparison)}
    kept |= {"patch": content["patch"], "weights": content["weights"]}
    save(model, provenance({"modality": modality} | asdict(comparison), code) | properties | kept)


def load_expert(content: dict, path: Path, device: torch.device) -> Expert:
    """The expert of a file's content, frozen.

    Parameters
    ----------
    content
        With its weights.
    path
        The file, for errors.
    device
        Of the result.

    Returns
    -------
    Expert

    Raises
    ------
    ValueError
        If the weights are not those of an expert; one line with the file.
    """
    network = Expert()
    load_weights(network, content["weights"], path)
    return network.requires_grad_(False).eval().to(device)


def of_image(xyz: np.ndarray, size: int, comparison: BankSettings) -> tuple[np.ndarray, Patches]:
    """The patches of an object image.

    Parameters
    ----------
    xyz
        (3, s, s) float32, metres, (0, 0, 0) where there is no point.
    size
        m, points of a patch.
    comparison
        Overlap and seed.

    Returns
    -------
    seen
        (s, s) bool, the pixels with a point.
    patches
        Of these pixels' points, in row-major order.
    """
    seen = (xyz != 0).any(axis=0)
    return seen, patches(xyz[:, seen].T, size, comparison.overlap, comparison.seed)


def encoded(network: Expert, own: Patches, device: torch.device) -> Tensor:
    """(p, 128) float32, the features of patches, on `device`."""
    points = torch.from_numpy(own.points)
    return torch.cat(list(_encoded(network, points, device)))


@torch.no_grad()
def _encoded(network: Expert, points: Tensor, device: torch.device) -> Iterator[Tensor]:
    for some in points.split(AT_ONCE):
        yield network.encoder(some.to(device))
