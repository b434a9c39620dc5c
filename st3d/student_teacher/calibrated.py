"""Stage `calibrated`: what teacher and student make of anomaly-free scans, in cells, to score others by."""

import json
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from st3d.formats.checkpoints import content_of, load, plain, save
from st3d.formats.images import Images
from st3d.formats.provenance import provenance, sha256
from st3d.kernels.mahalanobis import Clusters, centres_of, clusters_of
from st3d.kernels.nearest_rows import NearestRows
from st3d.student_teacher.cell_terms import BANKS, CellSettings, Scan, Term, scans_of
from st3d.student_teacher.pair import Pair, load_pair
from st3d.training.device import choose_device, set_threads
from st3d.training.progress_bar import counted
from st3d.training.settings import Machine

log = logging.getLogger("st3d")
SAMPLED = 4096  # points of a scan that the clusters' centres come from


@dataclass(frozen=True, kw_only=True)
class CalibratedSettings(CellSettings):
    """How scans are scored.

    Parameters
    ----------
    terms
        What a cell's score is the sum of, each in units of its mean over the validation scans: descriptors, residuals
        (distance of the cell's mean to the nearest of the training scans'), error (mean of the points' norms of the
        residuals, the score of 3D-ST), mahalanobis (mean of the points' Mahalanobis distances of the residuals in
        their clusters).
    rows
        Cells of training scans that a bank has at most.
    clusters
        Clusters of the teacher's descriptors; for mahalanobis.
    shrinkage
        Share of the scaled identity in each cluster's covariance, in (0, 1]; for mahalanobis.
    smoothing
        Standard deviation of the Gaussian that smooths a map, as a fraction of the scan's larger side.
    highest
        Fraction of a map's pixels, those with the highest scores, whose mean is the scan's score, in (0, 1].
    seed
        Of the choice of rows and of the clusters' first centres.
    """

    terms: list[Term]
    rows: int
    clusters: int
    shrinkage: float
    smoothing: float
    highest: float
    seed: int


@dataclass(frozen=True)
class Calibrated:
    """A pair, and what its features are compared with.

    Attributes
    ----------
    pair
        Teacher and student.
    settings
        How scans are scored.
    banks
        Rows (b, c) of each term that is compared with a bank.
    clusters
        None without the term mahalanobis.
    units
        Of each term, its mean over the cells of the validation scans that have a score.
    """

    pair: Pair
    settings: CalibratedSettings
    banks: dict[str, NearestRows]
    clusters: Clusters | None
    units: dict[str, float]

    def cells(self, scan: Scan) -> dict[Term, Tensor]:
        """Each term's scores of the cells of a scan.

        Parameters
        ----------
        scan
            The scan.

        Returns
        -------
        (m * m,) float32 of each term
        """
        found: dict[Term, Tensor] = {}
        for term, features in cell_features(self.pair, scan, self.settings, self.clusters).items():
            found[term] = self.banks[term](features).distance[:, 0] if term in BANKS else features[:, 0]
        return found

    def score(self, scan: Scan) -> np.ndarray:
        """The scores of a scan's cells.

        Parameters
        ----------
        scan
            The scan.

        Returns
        -------
        (m, m) float32, the sum of the terms, in their units
        """
        total = torch.stack([scores / self.units[term] for term, scores in self.cells(scan).items()]).sum(dim=0)
        return total.view(self.settings.cells, self.settings.cells).cpu().numpy()


def calibrated(
    *,
    teacher: Path,
    student: Path,
    train: list[Path],
    validation: list[Path],
    train_images: Path,
    validation_images: Path,
    model: Path,
    scoring: CalibratedSettings,
    machine: Machine,
    code: str,
) -> None:
    """Keep what teacher and student make of one category's anomaly-free scans.

    Parameters
    ----------
    teacher
        The teacher, or another extractor.
    student
        A student that learned from it.
    train
        Shards (HDF5) of the category's training scans, with graphs; the banks come from these.
    validation
        Shards of its validation scans; clusters and the terms' units come from these.
    train_images, validation_images
        The same scans as object images; without their background, cells of the background have no score.
    model
        The model to write.
    code
        Fingerprint of this stage's source, kept with the model.

    Raises
    ------
    ValueError
        One line: a file is not what its flag says, or a setting is out of its range.
    """
    set_threads(machine.threads)
    _check(scoring)
    pair = load_pair(teacher, student, choose_device(machine.device))
    clusters = _clusters(pair, validation, validation_images, scoring) if "mahalanobis" in scoring.terms else None
    banks = _banks(pair, train, train_images, scoring)
    prepared = {name: NearestRows(rows) for name, rows in banks.items()}
    units = _units(Calibrated(pair, scoring, prepared, clusters, {}), scans_of(pair, validation, validation_images))
    log.info("rows %s, units %s", {name: len(rows) for name, rows in banks.items()}, units)
    content = provenance(asdict(scoring) | asdict(machine), code) | {"kind": "calibrated", "scoring": asdict(scoring)}
    content |= {"teacher": sha256(teacher), "student": sha256(student), "units": units}
    content |= {"banks": {name: rows.cpu() for name, rows in banks.items()}}
    content |= {"clusters": {name: each.cpu() for name, each in vars(clusters).items()} if clusters else None}
    save(model, content)


def cell_features(
    pair: Pair, scan: Scan, settings: CalibratedSettings, clusters: Clusters | None
) -> dict[Term, Tensor]:
    """The features of each term, averaged in cells.

    Parameters
    ----------
    pair
        Teacher and student.
    scan
        The scan.
    settings
        Terms, cells and window.
    clusters
        For the term mahalanobis.

    Returns
    -------
    (m * m, c) float32 of each term; c is 1 for error and mahalanobis
    """
    descriptors, residuals = pair.features(scan.graph)
    of: dict[Term, Tensor] = {}
    for term in settings.terms:
        if term == "mahalanobis":
            assert clusters is not None
            of[term] = clusters.distances(descriptors, residuals)[:, None]
        elif term == "error":
            of[term] = residuals.norm(dim=1, keepdim=True)
        else:
            of[term] = descriptors if term == "descriptors" else residuals
    together = scan.averaged(torch.cat(list(of.values()), dim=1), settings)
    parts = together.split([each.shape[1] for each in of.values()], dim=1)
    return {term: part.contiguous() for term, part in zip(of, parts, strict=True)}


def load_calibrated(teacher: Path, student: Path, model: Path, device: torch.device) -> Calibrated:
    """What stage `calibrated` wrote, with its pair.

    Parameters
    ----------
    teacher, student
        The pair that it was made with.
    model
        The file.
    device
        Where the networks and searches run.

    Returns
    -------
    Calibrated

    Raises
    ------
    ValueError
        If the file is none, or was made with another pair; one line with the file.
    """
    content = load(model, "calibrated")
    for name, path in (("teacher", teacher), ("student", student)):
        if content.get(name) != sha256(path):
            raise ValueError(f"{model}: expected a model made with {path}, found one of another {name}")
    pair = load_pair(teacher, student, device)
    with content_of(model, "a model of calibrated 3D-ST"):
        json.dumps([content["scoring"], content["units"]])  # a TypeError at a tensor, which compares element by element
        _check(settings := CalibratedSettings(**content["scoring"]))
        banks = {name: NearestRows(plain(rows).to(device)) for name, rows in content["banks"].items()}
        c, terms, units, clusters = pair.student.outputs, set(settings.terms), content["units"], content["clusters"]
        found = Clusters(**{name: plain(each).to(device) for name, each in clusters.items()}) if clusters else None
        fits = set(banks) == terms & set(BANKS) and all(each.bank.shape[1] == c for each in banks.values())
        fits &= all(0 < units[term] < math.inf for term in terms) and 0 < settings.cells <= 4096
        if found:
            shapes, k = [tuple(each.shape) for each in vars(found).values()], len(found.centres)
            fits &= k > 0 and shapes == [(k, c), (k, c), (k, c, c)]
            fits &= all(bool(torch.isfinite(each).all()) for each in vars(found).values())
        if not fits or (found is None) == ("mahalanobis" in terms):
            raise ValueError(f"{model}: expected banks, clusters and units of its terms, found others")
        return Calibrated(pair, settings, banks, found, units)


def _check(settings: CalibratedSettings) -> None:
    if not settings.terms or len(set(settings.terms)) < len(settings.terms):
        raise ValueError(f"--terms: expected one or more, each once, found {' '.join(settings.terms) or 'none'}")
    if settings.window % 2 == 0 or settings.window > settings.cells:
        raise ValueError(f"--window: expected an odd number up to {settings.cells}, found {settings.window}")


def _clusters(pair: Pair, shards: Sequence[Path], images: Path, settings: CalibratedSettings) -> Clusters:
    """Of the validation scans' points: the student has not seen them."""

    def features() -> Iterator[tuple[Tensor, Tensor]]:
        return (pair.features(scan.graph) for scan in scans_of(pair, shards, images))

    some = []
    for number, (descriptors, _) in enumerate(features()):
        chosen = np.random.default_rng([settings.seed, number]).permutation(len(descriptors))[:SAMPLED]
        some.append(descriptors[torch.from_numpy(chosen)].cpu())
    centres = centres_of(torch.cat(some), settings.clusters, settings.seed)
    return clusters_of(centres.to(pair.mean.device), features(), settings.shrinkage)


def _banks(pair: Pair, shards: Sequence[Path], images: Path, settings: CalibratedSettings) -> dict[str, Tensor]:
    """Cells of the training scans, as many of each, drawn at random; those without a point are left out."""
    terms = [term for term in settings.terms if term in BANKS]
    if not terms:
        return {}
    with Images(images) as pictures:
        count = len(pictures)
    quota = max(1, settings.rows // count)
    kept: dict[str, list[Tensor]] = {term: [] for term in terms}
    only = CalibratedSettings(**(asdict(settings) | {"terms": terms}))
    for number, scan in enumerate(counted(scans_of(pair, shards, images), "scans", count)):
        found = cell_features(pair, scan, only, None)
        filled = torch.stack([each.abs().sum(dim=1) > 0 for each in found.values()]).any(dim=0).nonzero()[:, 0].cpu()
        drawn = np.random.default_rng([settings.seed, number]).permutation(len(filled))[:quota]
        chosen = filled[torch.from_numpy(np.sort(drawn))]
        for term, features in found.items():
            kept[term].append(features[chosen.to(features.device)])
    return {term: torch.cat(rows) for term, rows in kept.items()}


def _units(model: Calibrated, scans: Iterator[Scan]) -> dict[str, float]:
    """Each term's mean over the cells of the validation scans that have a score."""
    sums: dict[str, Any] = dict.fromkeys(model.settings.terms, 0.0)
    counts = dict.fromkeys(sums, 0)
    for scan in scans:
        for term, scores in model.cells(scan).items():
            sums[term] += float(scores.double().sum())
            counts[term] += int((scores > 0).sum())
    return {term: max(sums[term] / max(counts[term], 1), 1e-12) for term in sums}
