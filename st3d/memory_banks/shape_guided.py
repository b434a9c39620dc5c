"""Stage `shape_guided`: a memory bank of the features of anomaly-free scans' patches (Shape-Guided, its shape half)."""

import logging
from pathlib import Path

import torch

from st3d.formats.checkpoints import load, save
from st3d.formats.images import Images, Modality
from st3d.formats.provenance import provenance, sha256
from st3d.memory_banks.patches import by_name, patches_of
from st3d.memory_banks.sdf_network import expert_of
from st3d.training.device import Device, choose_device, set_threads
from st3d.training.progress_bar import counted

log = logging.getLogger("st3d")


def shape_guided(
    *,
    train: Path,
    expert: Path,
    model: Path,
    modality: Modality,
    overlap: float,
    atoms: int,
    nonzero: int,
    blur: float,
    seed: int,
    device: Device,
    threads: int,
    code: str,
) -> None:
    """Fill one category's memory bank with the features of its training scans' patches.

    Parameters
    ----------
    train
        The category's training object images.
    expert
        The network of signed distances; the model has a copy of it.
    model
        The model to write.
    modality
        3d.
    overlap
        Patches that a point of a scan is in, on average.
    atoms
        Nearest rows of the bank that a patch's feature is put together from; kept with the model, like the next two.
    nonzero
        Of these, those that it takes.
    blur
        Standard deviation of the blur of the maps, pixels of an object image.
    seed
        Of a scan's first patch; kept with the model.
    device
        Where the patches are encoded: auto, cpu or cuda.
    threads
        CPU threads.
    code
        Fingerprint of the code, kept with the model.

    Raises
    ------
    ValueError
        If a file is not what it should be, or colours are asked for.
    """
    set_threads(threads)
    if modality != "3d":
        raise ValueError(
            f"--modality: expected 3d, found {modality}: shape_guided has no colour expert here, its shape expert alone"
        )
    target, found = choose_device(device), load(expert, "sdf_expert")
    network = expert_of(found["weights"], expert).to(target)
    with Images(train) as images:
        order = by_name(images)  # another order would give another bank
        patches = patches_of(images, order, found["points"], overlap, seed)
        rows = [
            network.encoded(torch.from_numpy(own).to(target)).cpu() for _, own in counted(patches, "scans", len(order))
        ]
        properties = images.properties(modality)
    bank = torch.cat(rows)
    log.info("%s: %d scans, %d rows", train, len(rows), len(bank))
    sizes = {"overlap": overlap, "atoms": atoms, "nonzero": nonzero, "blur": blur}
    content = provenance({"modality": modality, "seed": seed} | sizes, code)
    content |= {"kind": "memory_bank", "method": "shape_guided", "expert": sha256(expert)} | properties
    sizes |= {"points": found["points"], "seed": seed}
    save(model, content | {"sizes": sizes, "weights": found["weights"], "bank": bank})
