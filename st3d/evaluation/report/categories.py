"""A category's part of the report: pictures of its scans, their colour scale, and the scans to turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from st3d.evaluation.report.curves import ScanScores
from st3d.evaluation.report.page import uri
from st3d.evaluation.report.scan_pictures import Scan, choose, colour_scale, draw, draw_scale, layers
from st3d.evaluation.report.turnable import VERTICES, packed
from st3d.formats.scans import Sample, list_samples

ALL_VERTICES = 500_000  # of all scans to turn, 16 bytes each, so that the page stays small


@dataclass(frozen=True)
class Category:
    """A category's test scans.

    Attributes
    ----------
    name
        Its name.
    maps
        Folder of its maps.
    samples
        All of them.
    shown
        Those that the report shows.
    """

    name: str
    maps: Path
    samples: Sequence[Sample]
    shown: Sequence[Scan]


def chosen(dataset: Path, maps: Path, names: Sequence[str]) -> list[Category]:
    """The scans to show of each category.

    Parameters
    ----------
    dataset
        Folder in MVTec 3D-AD's layout.
    maps
        Folder of all categories' maps.
    names
        The categories.

    Returns
    -------
    Category of each name
    """
    found = []
    for name in names:
        folder, samples = maps / name / "test", list_samples(dataset, name, "test")
        found.append(Category(name, folder, samples, choose(samples, folder)))
    return found


def drawn(categories: Sequence[Category], scores: Sequence[ScanScores], unit: str, folder: Path) -> list[dict]:
    """Pictures and scans to turn, of all categories.

    Parameters
    ----------
    categories, scores
        In the same order.
    unit
        Of the scores.
    folder
        For <category>/<defect>_<id>.png and <category>/scale.svg.

    Returns
    -------
    What the template needs of each category; addresses hold the pictures' content
    """
    count = sum(len(each.shown) for each in categories)
    vertices = min(VERTICES, ALL_VERTICES // max(count, 1))
    return [
        _drawn(category, score, unit, folder / category.name, vertices)
        for category, score in zip(categories, scores, strict=True)
    ]


def _drawn(category: Category, scores: ScanScores, unit: str, folder: Path, vertices: int) -> dict[str, Any]:
    scale = colour_scale(category.samples, category.maps)
    draw_scale(folder / "scale.svg", scale, unit, scores.threshold)
    pictures, views = [], []
    for scan in category.shown:
        name, parts = scan.sample.name, layers(scan.sample, category.maps)
        path = folder / f"{name.replace('/', '_')}.png"
        width, height = draw(path, parts, scale)
        quality = "" if scan.au_pro is None else f", AU-PRO {scan.au_pro:.3f}"
        caption = f"{name}, {scan.rank}{quality}"
        pictures.append({"name": name, "caption": caption, "width": width, "height": height, "uri": uri(path)})
        views.append({"name": name, "caption": caption, "au_pro": scan.au_pro} | packed(parts, scale, vertices))
    on_scale = scores.threshold is not None and scale[0] <= scores.threshold <= scale[1]
    return {
        "name": category.name,
        "scale": uri(folder / "scale.svg"),
        "threshold_on_scale": on_scale,
        "pictures": pictures,
        "view": {"low": scale[0], "high": scale[1], "scans": views},
    }
