"""Stage `score`: AU-PRO and image AUROC of one category's maps against the ground truth."""

import csv
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from st3d.formats.atomic import write_json
from st3d.formats.provenance import provenance
from st3d.formats.scans import Sample, list_samples, read_map, read_mask
from st3d.kernels.pro import Scores, area, auroc

log = logging.getLogger("st3d")
CURVE_POINTS = 500  # at most, of the curve in the JSON, for plots; the areas come from the whole curve


def score(
    *,
    dataset: Path,
    category: str,
    maps: Path,
    manifest: Path,
    output: Path,
    limits: list[float],
    thresholds: int,
    code: str,
) -> None:
    """Measure how well a category's maps find its defects.

    Parameters
    ----------
    dataset
        Folder in MVTec 3D-AD's layout, with the ground truth.
    category
        Name of a folder in it.
    maps
        Folder of maps, <category>/test/<defect>/<id>.tiff.
    manifest
        CSV that lists the maps, as stage `maps` writes it.
    output
        JSON to write, with the keys of MVTec's evaluation (au_pro, au_roc, pro_curve_fpr, pro_curve_pro).
    limits
        False positive rates up to which AU-PRO is integrated, in (0, 1]; `au_pro` is that of the largest.
    thresholds
        Thresholds of the sampled AU-PRO, given beside the exact one.
    code
        Fingerprint of the code, kept with the result.

    Raises
    ------
    ValueError
        If maps and test samples differ, a mask is missing or of another size, or no pixel is anomalous.
    """
    settings = {"category": category, "limits": limits, "thresholds": thresholds}
    samples = list_samples(dataset, category, "test")
    _check_listed(manifest, samples)
    image_scores: list[float] = []
    sizes: list[tuple[int, int]] = []

    def all_maps() -> Iterator[np.ndarray]:
        for sample in samples:
            scores = read_map(maps / category / "test" / f"{sample.name}.tiff")
            image_scores.append(float(scores.max()))
            sizes.append(scores.shape)
            yield scores

    def all_masks() -> Iterator[np.ndarray]:
        for index, sample in enumerate(samples):
            assert sample.mask is not None  # list_samples refuses a test sample without one
            yield read_mask(sample.mask, sizes[index])  # asked for after its map

    try:
        scores = Scores.collect(all_maps(), all_masks())
        fpr, pro = scores.curve()
        image_auroc = auroc(image_scores, [sample.defect != "good" for sample in samples])
    except ValueError as error:
        if str(error).startswith(("no ", "map ", "auroc")):  # of the whole category; others name their file
            raise ValueError(f"{dataset / category}: {error}") from None
        raise
    sampled = scores.sampled_curve(thresholds)
    exact_at = {str(limit): area(fpr, pro, limit) for limit in limits}
    shown = np.unique(np.linspace(0, len(fpr) - 1, CURVE_POINTS).astype(int))
    result = {
        "au_pro": exact_at[str(max(limits))],
        "au_pro_at": exact_at,
        "au_pro_sampled": {str(limit): area(*sampled, limit) for limit in limits},
        "au_roc": image_auroc,
        "pro_curve_fpr": fpr[shown].tolist(),
        "pro_curve_pro": pro[shown].tolist(),
        "samples": len(samples),
        "components": len(scores.components),
    }
    log.info("%s: AU-PRO %.3f at %g, image AUROC %.3f", category, result["au_pro"], max(limits), image_auroc)
    write_json(output, provenance(settings, code) | result)


def _check_listed(manifest: Path, samples: list[Sample]) -> None:
    """The maps must be those of exactly the data set's test samples."""
    try:
        with manifest.open(newline="") as file:
            listed = [row["sample"] for row in csv.DictReader(file)]
    except (FileNotFoundError, UnicodeDecodeError, KeyError, csv.Error):
        raise ValueError(f"{manifest}: expected the list of maps, found none; make the maps again") from None
    wanted, found = Counter(sample.name for sample in samples), Counter(listed)
    differing = sorted((wanted - found) | (found - wanted))
    if differing:
        raise ValueError(
            f"{manifest}: expected the data set's {len(samples)} test samples, found a difference in {differing[0]};"
            " make the maps again"
        )
