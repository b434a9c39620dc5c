"""The pictures of the evidence: the paper's figures and losses of its rows; the best and worst maps, without scans."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from st3d.evaluation.evidence.sums import TEACHERS
from st3d.evaluation.report import paper_figures
from st3d.evaluation.report.figures import COLOURS, Figure, Panel, Series
from st3d.evaluation.report.scan_pictures import DEFECT, GAP, SCALE, SOUND, choose, colour_scale
from st3d.formats.atomic import atomic
from st3d.formats.scans import list_samples, read_map, read_mask


def figures(rows: Sequence[Mapping[str, Any]], tables: Mapping[str, pd.DataFrame]) -> list[Figure]:
    """The paper's figures of what was run, and the losses of the first row.

    Parameters
    ----------
    rows
        As stage `evidence_row` writes them.
    tables
        The tables that show any of these rows, by name.

    Returns
    -------
    Those of which something was measured
    """
    first: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if "table1" in row["tables"] and row["protocol"] == "full" and row["repeats"] == row["variant"]:
            first.setdefault(paper_figures.method_name(row["scores"]), row["scores"])
    found = [paper_figures.figure5(list(first.values()))] if first else []
    if "table3" in tables:
        found.append(paper_figures.figure6(tables["table3"]))
    if "table4" in tables:
        found.append(paper_figures.figure7(tables["table4"]))
    return found + _losses(rows[0])


def _losses(row: Mapping[str, Any]) -> list[Figure]:
    panels = []
    for teachers, title in ((True, "Pretraining"), (False, "Students and models")):
        series = [
            Series(name=f"{row['variant']}/{name}", x=[each[0] for each in epochs], y=[each[2] for each in epochs],
                   colour=COLOURS[number % len(COLOURS)])
            for number, (name, epochs) in enumerate(row["losses"].items())
            if epochs and (name in TEACHERS) == teachers
        ]  # fmt: skip
        if series:
            panels.append(Panel(title=title, x="epoch", y="validation loss", series=series, logarithmic="y"))
    caption = "Validation losses of the first variant per epoch, each in its network's unit."
    return [Figure(name="loss_curves", title="Losses", caption=caption, panels=panels)] if panels else []


def draw_maps(dataset: Path, category: str, maps: Path, folder: Path) -> None:
    """Of each kind of defect the best and the worst map: left the map, right the ground truth; no scan.

    Parameters
    ----------
    dataset
        Folder in MVTec 3D-AD's layout.
    category
        Its category.
    maps
        Folder of a variant's maps, of all categories.
    folder
        Where PNGs are written, <category>_<defect>_<rank>.png; made if need be.
    """
    samples, own = list_samples(dataset, category, "test"), maps / category / "test"
    low, high = colour_scale(samples, own)
    folder.mkdir(exist_ok=True)
    for scan in choose(samples, own):
        scores = read_map(own / f"{scan.sample.name}.tiff")
        mask = read_mask(scan.sample.mask, scores.shape) if scan.sample.mask else np.zeros(scores.shape, bool)
        both = [SCALE(np.clip((scores - low) / (high - low), 0, 1))[..., :3], np.where(mask[..., None], DEFECT, SOUND)]
        gap = np.ones((len(scores), GAP, 3))
        picture = Image.fromarray((255 * np.concatenate([both[0], gap, both[1]], axis=1)).round().astype(np.uint8))
        name = f"{category}_{scan.sample.defect}_{scan.rank.split()[0]}.png"
        with atomic(folder / name) as partial:
            picture.quantize(256, dither=Image.Dither.NONE).save(partial, format="PNG")
