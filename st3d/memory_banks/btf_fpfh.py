"""Stage `btf_fpfh`: a memory bank of anomaly-free scans' histograms (BTF, method "FPFH")."""

import logging
from pathlib import Path

import torch

from st3d.formats.checkpoints import save
from st3d.formats.images import Images, Modality
from st3d.formats.provenance import provenance
from st3d.kernels.coreset import coreset as coreset_of
from st3d.memory_banks.histograms import features
from st3d.training.device import Device, choose_device, set_threads
from st3d.training.progress_bar import counted

log = logging.getLogger("st3d")


def btf_fpfh(
    *,
    train: Path,
    model: Path,
    modality: Modality,
    normals: int,
    neighbours: int,
    cells: int,
    coreset: float,
    blur: float,
    device: Device,
    threads: int,
    code: str,
) -> None:
    """Fill one category's memory bank with the histograms of its training scans.

    Parameters
    ----------
    train
        The category's training object images.
    model
        The model to write.
    modality
        3d.
    normals
        Nearest points, itself included, that a normal is fitted to.
    neighbours
        Nearest points, itself included, whose histograms are summed.
    cells
        Cells along each side of an image; each scan gives the bank cells x cells rows.
    coreset
        Fraction of the rows that are kept.
    blur
        Standard deviation of the blur of the maps, pixels of an object image; kept with the model.
    device
        Where the coreset is chosen: auto, cpu or cuda.
    threads
        CPU threads.
    code
        Fingerprint of the code, kept with the model.

    Raises
    ------
    ValueError
        If the file holds no object images, or colours are asked for.
    """
    set_threads(threads)
    if modality != "3d":
        raise ValueError(f"--modality: expected 3d, which alone btf_fpfh reads, found {modality}")
    sizes = {"normals": normals, "neighbours": neighbours, "cells": cells, "blur": blur}
    with Images(train) as images:
        if images.kind != "objects":
            raise images.bad("object images", images.kind)
        # by name: another order would give another coreset
        names = images.read("sample", slice(None))
        order = sorted(range(len(images)), key=lambda index: names[index])
        rows = [
            features(images.image(index, "3d").values, normals, neighbours, cells)
            for index in counted(order, "scans", len(order))
        ]
        properties = images.properties(modality)
    bank = torch.cat(rows)
    count = max(1, int(coreset * len(bank)))
    target = choose_device(device)
    log.info("%s: %d scans, %d of %d rows", train, len(rows), count, len(bank))
    kept = bank[coreset_of(bank.to(target), count).cpu()]
    content = provenance({"modality": modality, "coreset": coreset} | sizes, code)
    save(model, content | {"kind": "memory_bank", "method": "btf_fpfh"} | properties | {"sizes": sizes, "bank": kept})
