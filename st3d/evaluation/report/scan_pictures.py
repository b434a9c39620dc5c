"""Pictures of a category's test scans: score and ground truth, on one colour scale."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from PIL import Image

from st3d.evaluation.report.cutout import cutout
from st3d.evaluation.report.figures import STYLE
from st3d.evaluation.report.oblique import oblique
from st3d.formats.atomic import atomic
from st3d.formats.scans import Sample, read_colours, read_map, read_mask, read_scan
from st3d.kernels.pro import au_pro

log = logging.getLogger("st3d")

LIMIT = 0.3  # of the AU-PRO by which scans are ordered
STOPS = ("#e2e7ec", "#fbe3a6", "#f7a24f", "#d9412f", "#7c1246", "#2f0a2e")  # from normal to anomalous
SCALE = LinearSegmentedColormap.from_list("scores", STOPS)
SOUND, DEFECT = (0.84, 0.86, 0.88), (0.10, 0.42, 0.80)  # ground truth
LOW, HIGH = 90.0, 99.9  # percentiles of all maps of a category, the ends of its colour scale: most pixels are sound
GAP = 8  # pixels between the two pictures


@dataclass(frozen=True)
class Scan:
    """A test scan, cut out around its object.

    Attributes
    ----------
    sample
        Its name and files.
    au_pro
        Of this scan alone, in [0, 1]; None of an anomaly-free one.
    rank
        What the caption says of its place among the scans of its kind.
    """

    sample: Sample
    au_pro: float | None
    rank: str


@dataclass(frozen=True)
class Layers:
    """What is drawn of a scan; h, w rows and columns of the part around its object.

    Attributes
    ----------
    xyz
        (h, w, 3) float32, metres; an invalid pixel is (0, 0, 0).
    scores
        (h, w) float32, in the method's unit.
    mask
        (h, w) bool, the ground truth.
    colours
        (h, w, 3) float32 in [0, 1], or None.
    """

    xyz: np.ndarray
    scores: np.ndarray
    mask: np.ndarray
    colours: np.ndarray | None


def choose(samples: Sequence[Sample], maps: Path) -> list[Scan]:
    """Of each kind of defect the best and the worst scan by AU-PRO, and one anomaly-free scan.

    Parameters
    ----------
    samples
        A category's test samples, sorted by name.
    maps
        Folder of the category's maps, <defect>/<id>.tiff.

    Returns
    -------
    Scans, in the order of the kinds, best first

    Raises
    ------
    ValueError
        If a map or mask is missing or not what its name says.
    """
    kinds: dict[str, list[tuple[float, Sample]]] = {}
    good: list[Scan] = []
    chosen = []
    for sample in samples:
        scores, mask = read_map(maps / f"{sample.name}.tiff"), _mask(sample)
        if sample.defect == "good" or not mask.any() or mask.all():
            if sample.defect == "good" and not good:
                good.append(Scan(sample, None, "anomaly-free"))
        else:
            kinds.setdefault(sample.defect, []).append((au_pro([scores], [mask], limit=LIMIT), sample))
    for found in kinds.values():
        ordered = sorted(found, key=lambda each: -each[0])
        chosen.append(Scan(ordered[0][1], ordered[0][0], _of("best", len(ordered))))
        if len(ordered) > 1:
            chosen.append(Scan(ordered[-1][1], ordered[-1][0], _of("worst", len(ordered))))
    return chosen + good


def colour_scale(samples: Sequence[Sample], maps: Path) -> tuple[float, float]:
    """The ends of the colour scale that all pictures of a category share.

    Parameters
    ----------
    samples
        All of the category's test samples.
    maps
        Folder of their maps.

    Returns
    -------
    Percentiles LOW and HIGH of the values of all maps
    """
    # every third pixel in each direction: the ends hardly change
    values = np.concatenate([read_map(maps / f"{each.name}.tiff")[::3, ::3].ravel() for each in samples])
    low, high = np.percentile(values, [LOW, HIGH])
    return float(low), float(high if high > low else low + 1)


def layers(sample: Sample, maps: Path) -> Layers:
    """Read a scan, its map and its ground truth, around its object.

    Parameters
    ----------
    sample
        The scan.
    maps
        Folder of the category's maps.

    Returns
    -------
    Layers
    """
    scan, scores = read_scan(sample.scan, "drop"), read_map(maps / f"{sample.name}.tiff")
    mask = read_mask(sample.mask, scores.shape) if sample.mask else np.zeros(scores.shape, bool)
    colours = None
    try:
        colours = read_colours(sample.rgb, scores.shape) if sample.rgb else None
    except ValueError as error:  # 3D-ST does not read them, and a report is not lost for want of them
        log.warning("%s; drawn without", error)
    part = cutout(scan, mask)
    return Layers(scan[part], scores[part], mask[part], None if colours is None else colours[part])


def draw(path: Path, drawn: Layers, scale: tuple[float, float]) -> tuple[int, int]:
    """Write a scan's picture as PNG: left coloured by score, right the ground truth.

    Parameters
    ----------
    path
        The file.
    drawn
        The scan.
    scale
        Scores of the first and of the last colour; others are clipped to them.

    Returns
    -------
    Width and height, pixels
    """
    view, (low, high) = oblique(drawn.xyz), scale
    truth = np.where(drawn.mask[..., None], DEFECT, SOUND)
    both = [view.picture(SCALE((drawn.scores - low) / (high - low))[..., :3]), view.picture(truth)]
    gap = np.full((len(both[0]), GAP, 3), 255, np.uint8)
    image = Image.fromarray(np.concatenate([both[0], gap, both[1]], axis=1))
    with atomic(path) as partial:  # 256 colours: a third of the size
        image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(partial, format="PNG")
    return image.size


def draw_scale(path: Path, scale: tuple[float, float], unit: str, threshold: float | None) -> None:
    """Write a category's colour bar as SVG.

    Parameters
    ----------
    path
        The file.
    scale
        Its ends.
    unit
        Text below it.
    threshold
        A score to mark, if it lies on the bar.
    """
    norm = mpl.colors.Normalize(*scale)
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(4.6, 0.62), layout="constrained")
        place = canvas.add_subplot()
        bar = canvas.colorbar(mpl.cm.ScalarMappable(norm, SCALE), cax=place, orientation="horizontal", extend="both")
        bar.set_label(unit, fontsize=8.5)
        if threshold is not None and scale[0] <= threshold <= scale[1]:
            place.axvline(threshold, color="#1f2733", linewidth=1.6)
        with atomic(path) as partial:
            canvas.savefig(partial, format="svg", metadata={"Date": None})


def _mask(sample: Sample) -> np.ndarray:
    assert sample.mask is not None  # every test sample has one
    return read_mask(sample.mask)


def _of(which: str, count: int) -> str:
    return f"{which} of {count}" if count > 1 else "the only one"
