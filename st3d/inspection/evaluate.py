"""Command `evaluate`: how well a model judges scans of which it is known what they are."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from st3d.detector import Detector, UnlikeTraining
from st3d.formats.atomic import write_json
from st3d.formats.errors import Faults
from st3d.formats.scans import read_mask
from st3d.formats.sensor_files.read import read_sensor_scan
from st3d.formats.sensor_files.scan import SensorScan, Unit
from st3d.inspection.places import AS_FOUND, ReadingSettings, found, refuse_other_unit, without
from st3d.training.device import Device
from st3d.training.progress_bar import counted

GOOD = ("good", "ok", "pass", "normal", "anomaly_free")
NO_KIND = ("xyz", "test")  # folders that say nothing of a scan
FITTED_TO = ("train", "validation")  # folders of scans that a model has perhaps seen
LIMITS = (0.01, 0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True)
class Labelled:
    """A scan of which it is known what it is.

    Attributes
    ----------
    path
        Its file.
    kind
        "good", or the name of its defect.
    mask
        Where it is defective; None: not known.
    """

    path: Path
    kind: str
    mask: Path | None


@dataclass(frozen=True)
class _Judged:
    kind: str
    score: float
    unlike: bool
    unit: Unit
    map: np.ndarray
    mask: np.ndarray | None


def evaluate(
    scans: Path,
    /,
    *,
    model: Path,
    output: Path | None = None,
    reading: ReadingSettings = AS_FOUND,
    device: Device = "auto",
    threads: int = 0,
) -> None:
    """Measure false alarms, detections, AUROC and, where masks say where defects are, AU-PRO; nothing is adapted.

    Parameters
    ----------
    scans
        Folder with a folder for each kind: good (or ok, pass, normal, anomaly_free), any other name is a defect's.
        Masks, if there are some: 000_mask.png beside 000.tiff, KIND/gt/000.png, or ground_truth/KIND/000_mask.png.
    model
        What `fit` wrote.
    output
        JSON to write.
    device
        auto, cpu or cuda.
    threads
        CPU threads; 0: all cores.

    Raises
    ------
    ValueError
        A line for each file at fault, or for the folder: no labels.
    """
    if not scans.is_dir():
        raise ValueError(f"{scans}: expected a folder, found none")
    labelled = labelled_scans(scans, found([scans]))
    detector = Detector.load(model, device=device, threads=threads)
    how = reading.over(detector.reading)
    judged: list[_Judged] = []
    faults: list[str] = []
    started = time.monotonic()
    for each in counted(labelled, "evaluating", len(labelled)):
        try:
            scan = read_sensor_scan(each.path, how)
            refuse_other_unit(each.path, scan.unit, judged[0].unit if judged else None)
            judged.append(_judge(detector, scan, each))
        except ValueError as error:
            faults.append(f"{each.path}: {without(error, f'{each.path}: ', 'scan: ')}")
    if faults:
        raise Faults(faults)
    seconds = (time.monotonic() - started) / len(labelled)
    threshold = detector.image_threshold.value
    result = measures(judged, threshold) | {"threshold": threshold, "seconds_a_scan": seconds, "model": str(model)}
    seen = sum(not {*each.path.relative_to(scans).parts}.isdisjoint(FITTED_TO) for each in labelled)
    if seen:
        result["notes"].append(f"{seen} scans lie in train or validation; of scans fitted to, the figures say too much")
    sys.stdout.write("".join(f"{line}\n" for line in _lines(result)))
    if output is not None:
        write_json(output, result)


def labelled_scans(folder: Path, files: Sequence[Path]) -> list[Labelled]:
    """What each scan is, by its folder.

    Parameters
    ----------
    folder
        That holds all.
    files
        The scans.

    Returns
    -------
    Labelled, in the same order

    Raises
    ------
    ValueError
        If a scan lies in no folder of a kind.
    """
    labelled = []
    for path in files:
        parts = [part for part in path.relative_to(folder).parts[:-1] if part.lower() not in NO_KIND]
        if not parts:
            raise ValueError(
                f"{path}: expected it in a folder that says what it is, such as good/ or scratch/, found it in none"
            )
        kind = "good" if any(part.lower() in GOOD for part in parts) else parts[0]
        labelled.append(Labelled(path, kind, None if kind == "good" else _mask_of(path, folder, kind)))
    return labelled


def _mask_of(path: Path, folder: Path, kind: str) -> Path | None:
    beside = path.parent.parent if path.parent.name == "xyz" else path.parent
    names = [f"{path.stem}_mask.png", f"{path.stem}.mask.png", f"{path.stem}.png"]
    places = [path.parent / name for name in names[:2]] + [beside / "gt" / name for name in names]
    places += [above / "ground_truth" / kind / name for above in (folder, folder.parent) for name in names]
    return next((place for place in places if place.is_file()), None)


def _judge(detector: Detector, scan: SensorScan, labelled: Labelled) -> _Judged:
    unlike = False
    try:
        result = detector.predict(scan)
    except UnlikeTraining:
        unlike, result = True, detector.predict(scan, accept_unlike=True)
    mask = None
    if result.map.ndim == 2:
        size = result.map.shape[0], result.map.shape[1]
        if labelled.kind == "good":
            mask = np.zeros(size, bool)
        elif labelled.mask is not None:
            mask = read_mask(labelled.mask, size)
    return _Judged(labelled.kind, result.score, unlike, scan.unit, result.map, mask)


def measures(judged: Sequence[_Judged], threshold: float) -> dict[str, Any]:
    """All figures of some judged scans.

    Parameters
    ----------
    judged
        One or more.
    threshold
        Of a scan's score; a scan that is unlike the training scans counts as called anomalous.

    Returns
    -------
    Values by name; None where a figure is undefined, with the reason in `notes`
    """
    from st3d.kernels.auroc import auroc
    from st3d.kernels.pro import Scores, area  # with scipy

    anomalous = np.array([each.unlike or each.score > threshold for each in judged])
    good = np.array([each.kind == "good" for each in judged])
    rates = {}
    for kind in sorted({each.kind for each in judged}, key=lambda name: (name != "good", name)):
        of = np.array([each.kind == kind for each in judged])
        rates[kind] = {"scans": int(of.sum()), "called_anomalous": int((of & anomalous).sum())}
    counts = {
        "true_fail": anomalous & ~good, "false_pass": ~anomalous & ~good, "true_pass": ~anomalous & good,
        "false_fail": anomalous & good,
    }  # fmt: skip
    notes = []
    image_auroc = None
    if good.all() or not good.any():
        notes.append("AUROC needs good and defective scans")
    else:
        image_auroc = auroc([each.score for each in judged], (~good).tolist())
    au_pro = None
    masks = [each.mask for each in judged if each.mask is not None]
    if len(masks) < len(judged):
        notes.append("AU-PRO needs images, and a mask for every defective one")
    elif not any(mask.any() for mask in masks):
        notes.append("AU-PRO needs a defective scan")
    else:
        fpr, pro = Scores.collect([each.map for each in judged], masks).curve()
        au_pro = {str(limit): area(fpr, pro, limit) for limit in LIMITS}
    unlike = sum(each.unlike for each in judged)
    if unlike:
        notes.append(f"{unlike} scans are unlike the training scans; they count as called anomalous")
    return {
        "scans": len(judged), "kinds": rates, "confusion": {name: int(each.sum()) for name, each in counts.items()},
        "unlike": unlike, "auroc": image_auroc, "au_pro": au_pro, "notes": notes,
    }  # fmt: skip


def _lines(result: dict[str, Any]) -> list[str]:
    """The figures as a table for a user."""
    lines = [f"{'kind':16}{'scans':>6}{'called anomalous':>18}"]
    for kind, counts in result["kinds"].items():
        share = counts["called_anomalous"] / counts["scans"]
        lines.append(f"{kind:16}{counts['scans']:6}{counts['called_anomalous']:10} {100 * share:5.0f} %")
    confusion = result["confusion"]
    lines.append(
        f"at threshold {result['threshold']:.4g}: {confusion['true_fail']} defective scans fail,"
        f" {confusion['false_pass']} pass; {confusion['true_pass']} good ones pass, {confusion['false_fail']} fail"
    )
    if result["auroc"] is not None:
        lines.append(f"image AUROC {result['auroc']:.3f}")
    if result["au_pro"] is not None:
        lines.append("AU-PRO " + ", ".join(f"{value:.3f} at {limit}" for limit, value in result["au_pro"].items()))
    return [*lines, *result["notes"], f"{result['seconds_a_scan']:.2f} s a scan"]
