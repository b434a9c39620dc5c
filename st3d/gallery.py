"""Stage `gallery`: a category's test scans and maps in one picture."""

import csv
from pathlib import Path

import numpy as np

from st3d.pictures import GAP, picture, save_png
from st3d.scans import read_map, read_mask, read_scan


def gallery(*, dataset: Path, category: str, maps: Path, manifest: Path, samples: int, output: Path, code: str) -> None:
    """Draw test scans and their maps, the ground truth outlined, below each other.

    Parameters
    ----------
    dataset : folder in MVTec 3D-AD's layout
    category : name
    maps : folder of all categories' maps
    manifest : CSV of the category's maps, as stage `maps` writes it
    samples : scans to show per kind of defect, the first ones
    output : PNG to write
    code : fingerprint of the code; not kept
    """
    with manifest.open(newline="") as file:
        names = [row["sample"] for row in csv.DictReader(file)]
    kinds = dict.fromkeys(name.split("/")[0] for name in names)
    chosen = [name for kind in kinds for name in [each for each in names if each.split("/")[0] == kind][:samples]]
    panels = []
    for name in chosen:
        kind, number = name.split("/")
        folder = dataset / category / "test" / kind
        scan = read_scan(folder / "xyz" / f"{number}.tiff")
        mask = read_mask(folder / "gt" / f"{number}.png")
        panels.append(picture(scan, read_map(maps / category / "test" / f"{name}.tiff"), mask))
    save_png(output, _below_each_other(panels))


def _below_each_other(panels: list[np.ndarray]) -> np.ndarray:
    """Pictures (h, w, 3) of any sizes in one column, white between."""
    width = max(panel.shape[1] for panel in panels)
    rows = [np.pad(panel, ((0, GAP), (0, width - panel.shape[1]), (0, 0)), constant_values=255) for panel in panels]
    return np.concatenate(rows)
