"""Stage `interval`: how far one category's scores would lie apart for other test scans of the same kinds."""

import logging
from pathlib import Path

import numpy as np

from st3d.evaluation.scored_scans import ScoredScans
from st3d.formats.atomic import write_json
from st3d.formats.provenance import provenance
from st3d.kernels.auroc import auroc
from st3d.kernels.bootstrap import ScanCounts, resamples

log = logging.getLogger("st3d")
COVERED = 0.95  # of the resamples lie in the interval


def interval(
    *,
    dataset: Path,
    category: str,
    maps: Path,
    manifest: Path,
    output: Path,
    limits: list[float],
    count: int,
    seed: int,
    code: str,
) -> None:
    """Measure the spread of a category's AU-PRO and image AUROC over bootstrap resamples of its test scans.

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
    output
        JSON to write: `au_pro_at` and `au_roc`, each [low, high], the central 95 % of the resamples, in [0, 1].
    limits
        False positive rates up to which AU-PRO is integrated, in (0, 1].
    count
        Resamples; each draws as many scans of each kind of defect as there are, with repetition.
    seed
        Of the draws.
    code
        Fingerprint of the code, kept with the result.

    Raises
    ------
    ValueError
        If maps and test samples differ, a mask is missing or of another size, or no pixel is anomalous.
    """
    scans = ScoredScans(dataset, category, maps, manifest)
    with scans.named():
        counted = ScanCounts(scans.maps(), scans.masks())
    weights = resamples([sample.defect for sample in scans.samples], count, seed)
    drawn = np.array([counted.au_pro(each, limits) for each in weights])
    of_images = [auroc(np.repeat(scans.image_scores, each), np.repeat(scans.anomalous, each)) for each in weights]
    au_pro_at = {str(limit): _central(values) for limit, values in zip(limits, drawn.T, strict=True)}
    result = {
        "au_pro_at": au_pro_at,
        "au_roc": _central(np.array(of_images)),
        "samples": len(scans.samples),
    }
    log.info("%s: AU-PRO between %.3f and %.3f at %g", category, *au_pro_at[str(limits[-1])], limits[-1])
    settings = {"category": category, "limits": limits, "resamples": count, "seed": seed}
    write_json(output, provenance(settings, code) | result)


def _central(values: np.ndarray) -> list[float]:
    outside = (1 - COVERED) / 2
    return [float(value) for value in np.quantile(values, [outside, 1 - outside])]
