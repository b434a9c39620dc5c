"""What a fit is given: every scan read and looked at before anything is trained, all faults told at once."""

import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import numpy as np

from st3d import __version__
from st3d.formats.errors import Faults, sides_text
from st3d.formats.sensor_files.read import any_scan
from st3d.formats.sensor_files.scan import NAMES, Reading, Unit, is_valid
from st3d.kernels.false_alarms import LEAST
from st3d.student_teacher.calibration import CalibrationSettings
from st3d.student_teacher.fit_settings import FitSettings
from st3d.student_teacher.fitting import Sizes, Source
from st3d.student_teacher.student import StudentSettings
from st3d.training.device import Device, cores
from st3d.training.progress_bar import counted
from st3d.training.settings import GraphSettings, Machine

log = logging.getLogger("st3d")
LEAST_TRAINING = 5  # scans
FEW = 20  # scans; of fewer, a warning
WEIGHT_DECAY = 0.00001  # of Adam, the paper's for students


@dataclass(frozen=True)
class _Looked:
    """A scan that was read once."""

    source: Source
    unit: Unit
    points: int
    image: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Gathered:
    """What to fit to.

    Attributes
    ----------
    train, validation
        Scans, each a different one.
    as_clouds
        Whether a scan is no image, so that all count as clouds.
    sizes
        The numbers for the stages.
    found
        What was found, by name, for the model file.
    """

    train: list[Source]
    validation: list[Source]
    as_clouds: bool
    sizes: Sizes
    found: dict[str, Any]


def gather(
    scans: Iterable[Any],
    validation: Iterable[Any],
    reading: Reading,
    settings: FitSettings,
    device: Device,
    threads: int,
) -> Gathered:
    """Read and check all scans, and set some aside for validation.

    Parameters
    ----------
    scans
        Arrays, scans read before, or files.
    validation
        Scans for validation and thresholds; empty: a share of `scans`.
    reading
        How they are read.
    settings
        The numbers of the fit.
    device, threads
        Of the jobs; 0 threads: all cores.

    Returns
    -------
    Gathered

    Raises
    ------
    Faults
        A line for each scan at fault.
    ValueError
        Too few different scans, or a number out of its range.
    """
    _check(settings, threads)
    first, second = _listed(scans), _listed(validation)
    looked = _look(first + second, reading, settings.neighbours)
    _refuse_mixture(looked)
    given, kept_apart = _different(looked[: len(first)]), _different(looked[len(first) :])
    known = {each.source.digest for each in given}
    if both := [f"{each.source.name}: expected a validation scan, found one to train on" for each in kept_apart
                if each.source.digest in known]:  # fmt: skip
        raise Faults(both)
    if not second:
        if len(given) < LEAST_TRAINING + LEAST:
            raise ValueError(
                f"expected {LEAST_TRAINING + LEAST} different scans of good parts or more ({LEAST_TRAINING} to train"
                f" on, {LEAST} for thresholds), found {len(given)}; {len(looked)} were given"
            )
        given, kept_apart = _split(given, settings)
    for what, some, least in (("to train on", given, LEAST_TRAINING), ("for validation", kept_apart, LEAST)):
        if len(some) < least:
            raise ValueError(
                f"expected {least} different scans or more {what}, found {len(some)}; {len(looked)} scans were given"
            )
    if len(given) + len(kept_apart) < FEW:
        log.warning("%d scans are few: expect false alarms and missed defects", len(given) + len(kept_apart))
    found = _found(given, kept_apart, settings)
    as_clouds = not all(each.image for each in given + kept_apart)
    sizes = _sizes(settings, len(given), Machine(device=device, threads=threads or cores()))
    return Gathered([each.source for each in given], [each.source for each in kept_apart], as_clouds, sizes, found)


def _listed(scans: Iterable[Any]) -> list[Any]:
    """The scans; one array or path in place of several would be taken apart into its rows or letters."""
    if isinstance(scans, str | Path):
        raise ValueError(f"expected a list of scans, arrays or files, found one path, {scans}")
    if isinstance(scans, np.ndarray) and scans.ndim < 4 and scans.dtype != object:
        raise ValueError(f"expected a list of scans, found one array of shape {sides_text(scans.shape)}")
    return list(scans)


def _check(settings: FitSettings, threads: int) -> None:
    for name, least in (("points", 100), ("neighbours", 2), ("steps", 1), ("seed", 0)):
        if getattr(settings, name) < least:
            raise ValueError(f"{name}: expected {least} or more, found {getattr(settings, name)}")
    if threads < 0:
        raise ValueError(f"threads: expected 0 or more, found {threads}")
    for name in ("held_out", "false_alarms", "pixel_false_alarms"):
        if not 0 < getattr(settings, name) < 1:
            raise ValueError(f"{name}: expected a share above 0 and below 1, found {getattr(settings, name):g}")
    if not settings.learning_rate > 0:
        raise ValueError(f"learning_rate: expected a number above 0, found {settings.learning_rate:g}")
    for name in ("method", "image_score"):
        known = get_args(FitSettings.__dataclass_fields__[name].type)
        if getattr(settings, name) not in known:
            raise ValueError(f"{name}: expected one of {', '.join(known)}, found {getattr(settings, name)}")
    if settings.neighbours >= settings.points:
        raise ValueError(f"neighbours: expected fewer than the {settings.points} points, found {settings.neighbours}")


def _look(scans: Sequence[Any], reading: Reading, neighbours: int) -> list[_Looked]:
    looked, faults = [], []
    for number, scan in counted(list(enumerate(scans)), "reading", len(scans)):
        name = str(scan) if isinstance(scan, str | Path) else f"scan {number}"
        try:
            found = any_scan(scan, reading, name)
            valid = int(np.count_nonzero(is_valid(found.points)))
            if valid <= neighbours:
                raise ValueError(f"{name}: expected at least {neighbours + 1} valid points, found {valid}")
        except (ValueError, OSError) as error:
            faults.append(str(error))
            continue
        again = partial(_points, scan, reading, name)
        source = Source(name, again, sha256(found.points.tobytes()).hexdigest())
        looked.append(_Looked(source, found.unit, valid, found.points.ndim == 3, found.notes))
    if faults:
        raise Faults(faults)
    return looked


def _points(scan: Any, reading: Reading, name: str) -> np.ndarray:
    return any_scan(scan, reading, name).points


def _refuse_mixture(looked: Sequence[_Looked]) -> None:
    units = Counter(each.unit for each in looked)
    if len(units) < 2:
        return
    usual = units.most_common(1)[0][0]
    raise Faults([
        f"{each.source.name}: expected {NAMES[usual]} like {units[usual]} other scans, found {NAMES[each.unit]};"
        " if all have one unit, declare it (--unit)"
        for each in looked if each.unit != usual
    ])  # fmt: skip


def _different(looked: Sequence[_Looked]) -> list[_Looked]:
    """One of each; a second copy would be in training and validation at once."""
    first: dict[str, _Looked] = {}
    for each in looked:
        same = first.setdefault(each.source.digest, each)
        if same is not each:
            log.warning("%s: the same scan as %s; left out", each.source.name, same.source.name)
    return list(first.values())


def _split(looked: Sequence[_Looked], settings: FitSettings) -> tuple[list[_Looked], list[_Looked]]:
    """Set a random share aside, at least as many as thresholds need."""
    count = min(max(LEAST, math.ceil(settings.held_out * len(looked))), len(looked) - LEAST_TRAINING)
    order = np.random.default_rng([settings.seed, len(looked)]).permutation(len(looked))
    apart = set(order[:count].tolist())
    return (
        [each for number, each in enumerate(looked) if number not in apart],
        [each for number, each in enumerate(looked) if number in apart],
    )


def _sizes(settings: FitSettings, training: int, machine: Machine) -> Sizes:
    epochs = max(1, math.ceil(settings.steps / training))
    return Sizes(
        graph=GraphSettings(points=settings.points, neighbours=settings.neighbours),
        training=StudentSettings(
            epochs=epochs, learning_rate=settings.learning_rate, seed=settings.seed + 1, weight_decay=WEIGHT_DECAY,
            schedule="cosine", patience=0, rotation="none",
        ),
        calibration=CalibrationSettings(
            false_alarms=settings.false_alarms, pixel_false_alarms=settings.pixel_false_alarms,
            image_score=settings.image_score,
        ),
        machine=machine,
    )  # fmt: skip


def _found(train: Sequence[_Looked], validation: Sequence[_Looked], settings: FitSettings) -> dict[str, Any]:
    """What a model file keeps of its scans; it is told before the training."""
    both = [*train, *validation]
    points = [each.points for each in both]
    images = sum(each.image for each in both)
    form = "images" if images == len(both) else "clouds" if images == 0 else f"{images} images, the rest clouds"
    log.info(
        "%d scans (%s) in %s, %d to %d valid points; %d to train on, %d for validation and thresholds",
        *(len(both), form, NAMES[both[0].unit], min(points), max(points), len(train), len(validation)),
    )
    for note, count in Counter(_kind(note) for each in both for note in each.notes).items():
        log.info("%s (%d scans)", note, count)
    numbers = {each.name: getattr(settings, each.name) for each in fields(FitSettings)}
    numbers["teacher"] = str(settings.teacher or "packaged")
    return {
        "st3d": __version__, "settings": numbers, "unit": both[0].unit, "points": [min(points), max(points)],
        "train": [each.source.name for each in train], "validation": [each.source.name for each in validation],
    }  # fmt: skip


def _kind(note: str) -> str:
    """A note without its scan's own numbers, so that equal notes of many scans are told once."""
    note = re.sub(r"^[\d.e-]+ % of ", "some of ", note)
    note = re.sub(r" \(points [^)]* apart\)", "", note)
    return re.sub(r"^(moved to the origin|a cloud|a table) .*", r"\1", note)
