"""Stage `gallery`: a category's test scans and maps in one figure."""

from pathlib import Path

import numpy as np

from st3d.evaluation.pictures import GAP, figure, save_png
from st3d.formats.scans import list_samples, read_map, read_mask, read_scan


def gallery(*, dataset: Path, category: str, maps: Path, manifest: Path, samples: int, output: Path, code: str) -> None:
    """Draw test scans and their maps, the ground truth outlined, below each other.

    Parameters
    ----------
    dataset
        Folder in MVTec 3D-AD's layout.
    category
        Name of a folder in it.
    maps
        Folder of all categories' maps.
    manifest
        CSV of the category's maps; only so that the maps are there.
    samples
        Scans to show per kind of defect, the first ones.
    output
        PNG to write.
    code
        Fingerprint of the code; not kept.

    Raises
    ------
    ValueError
        If a scan, map or mask is missing or not what its name says.
    """
    shown: dict[str, int] = {}
    panels = []
    for sample in list_samples(dataset, category, "test"):
        shown[sample.defect] = shown.get(sample.defect, 0) + 1
        if shown[sample.defect] <= samples:
            assert sample.mask is not None  # every test sample has one
            scores = read_map(maps / category / "test" / f"{sample.name}.tiff")
            panels.append(figure(read_scan(sample.scan, "drop"), scores, read_mask(sample.mask)))
    save_png(output, _below_each_other(panels))


def _below_each_other(panels: list[np.ndarray]) -> np.ndarray:
    """RGB images (h, w, 3) of any sizes in one column, white between."""
    width = max(panel.shape[1] for panel in panels)
    rows = [np.pad(panel, ((0, GAP), (0, width - panel.shape[1]), (0, 0)), constant_values=255) for panel in panels]
    return np.concatenate(rows)
