"""Stage `score`: AU-PRO and image AUROC of one category's maps against the ground truth."""

import logging
from pathlib import Path
from typing import Literal

import numpy as np

from st3d.evaluation.protocol import Protocol
from st3d.evaluation.scored_scans import ScoredScans
from st3d.formats.atomic import write_json
from st3d.formats.provenance import provenance
from st3d.kernels.auroc import auroc
from st3d.kernels.pro import Scores, area

log = logging.getLogger("st3d")
Pixels = Literal["scan", "objects"]
CURVE_POINTS = 500  # at most, of the curve in the JSON, for plots; the areas come from the whole curve


def score(
    *,
    dataset: Path,
    category: str,
    maps: Path,
    manifest: Path,
    objects: list[Path],
    output: Path,
    pixels: Pixels,
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
        CSV that lists the maps and the image scores, as stage `maps` writes it.
    objects
        The category's object images of the test scans; only where `pixels` are theirs.
    output
        JSON to write, with the keys of MVTec's evaluation (au_pro, au_roc, pro_curve_fpr, pro_curve_pro).
    pixels
        What is compared: scan, the scans' own pixels, all of them; objects, those of the object images.
    limits
        False positive rates up to which AU-PRO is integrated, in (0, 1]; `au_pro` is that of the largest.
    thresholds
        Thresholds of the sampled AU-PRO, given beside the exact one.
    code
        Fingerprint of the code, kept with the result.

    Raises
    ------
    ValueError
        If maps and test samples differ, a mask is missing or of another size, no pixel is anomalous, or there is not
        one file of object images where `pixels` asks for it.
    """
    if len(objects) != (pixels == "objects"):
        raise ValueError(f"--objects: expected {int(pixels == 'objects')} files for {pixels}, found {len(objects)}")
    settings = {"category": category, "limits": limits, "thresholds": thresholds}
    if objects:
        settings["pixels"] = pixels
    scans = ScoredScans(dataset, category, maps, manifest, Protocol(objects[0]) if objects else None)
    with scans.named():
        scores = Scores.collect(scans.maps(), scans.masks())
        fpr, pro = scores.curve()
        image_auroc = auroc(scans.image_scores, scans.anomalous)
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
        "samples": len(scans.samples),
        "components": len(scores.components),
    } | ({"protocol": scans.protocol.name} if scans.protocol else {})
    log.info("%s: AU-PRO %.3f at %g, image AUROC %.3f", category, result["au_pro"], max(limits), image_auroc)
    write_json(output, provenance(settings, code) | result)
