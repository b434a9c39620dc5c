"""A model for one kind of part: the workflow's stages one after the other, in a folder that survives a kill."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from st3d import __version__
from st3d.formats.atomic import read_json, write_json
from st3d.formats.checkpoints import load
from st3d.formats.provenance import digest, sha256
from st3d.formats.sensor_files.scan import is_valid
from st3d.formats.shards import write_shard
from st3d.student_teacher.calibration import CalibrationSettings, calibration
from st3d.student_teacher.downsampling import downsampled
from st3d.student_teacher.graph import graph
from st3d.student_teacher.network import NetworkSettings
from st3d.student_teacher.scale import scale
from st3d.student_teacher.student import StudentSettings, student
from st3d.training.curves import validation_losses
from st3d.training.progress_bar import counted
from st3d.training.settings import GraphSettings, Machine

CODE = f"st3d {__version__}"
CACHE_GB = 2.0  # for graphs and the teacher's descriptors; 300 scans of 16,000 points need 1.9
OTHER_STUDENTS = {"width": 64, "blocks": 4, "coordinates": "relative"}  # than a teacher's, which have its network
SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Source:
    """A scan to fit to, read when it is needed.

    Attributes
    ----------
    name
        For messages.
    read
        Gives (h, w, 3) or (n, 3) float32, metres; see `downsampled`.
    digest
        Of its points.
    """

    name: str
    read: Callable[[], np.ndarray]
    digest: str


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The numbers of a fit.

    Attributes
    ----------
    graph, training, calibration, machine
        As the stages take them.
    """

    graph: GraphSettings
    training: StudentSettings
    calibration: CalibrationSettings
    machine: Machine


class Fitted(NamedTuple):
    """What a fit made.

    Attributes
    ----------
    model
        The model file, in the fit's folder.
    validation_losses
        Of each epoch, in squared standard deviations; a constant prediction has about as many as a descriptor numbers.
    """

    model: Path
    validation_losses: list[float]


def fit(
    train: Sequence[Source], validation: Sequence[Source], folder: Path, teacher: Path, sizes: Sizes, as_clouds: bool
) -> Fitted:
    """Train a student and calibrate it.

    Parameters
    ----------
    train, validation
        Anomaly-free scans, no scan in both.
    folder
        For everything that is computed; a fit that was killed there goes on, if it is of the same scans and numbers.
    teacher
        What the student learns from.
    sizes
        The numbers.
    as_clouds
        Whether images count as the clouds of their valid pixels, since some scans are no images.

    Returns
    -------
    Fitted

    Raises
    ------
    ValueError
        What the stages say; one line with the file.
    """
    _begin(folder, train, validation, teacher, sizes, as_clouds)
    splits = {name: folder / f"{name}.h5" for name in SPLITS}
    graphs = {name: folder / f"{name}_graph.h5" for name in SPLITS}
    unit, model = folder / "scale.json", folder / "student.pt"
    points, seed = sizes.graph.points, sizes.training.seed
    for name, sources in zip(SPLITS, (train, validation), strict=True):
        if not splits[name].exists():
            shown = counted(sources, f"downsampling, {name}", len(sources))
            clouds = (downsampled(_points(source, as_clouds), source.name, points, seed) for source in shown)
            write_shard(splits[name], clouds, settings={"points": points}, code=CODE)
        if not graphs[name].exists():
            graph(input=splits[name], output=graphs[name], code=CODE, **asdict(sizes.graph))
    if not unit.exists():
        scale(train=[graphs["train"]], output=unit, code=CODE, **asdict(sizes.graph))
    student(
        teacher=teacher, train=[graphs["train"]], validation=[graphs["validation"]], scale=unit, student=model,
        curve=model.with_suffix(".csv"), graph=sizes.graph, network=_network(teacher), training=sizes.training,
        downsampling_seed=seed, machine=sizes.machine, cache_gb=CACHE_GB, code=CODE,
    )  # fmt: skip
    output = folder / "model.st3d"
    calibration(
        teacher=teacher, student=model, train=[graphs["train"]], validation=[graphs["validation"]], output=output,
        calibration=sizes.calibration, machine=sizes.machine, code=CODE,
    )  # fmt: skip
    return Fitted(output, validation_losses(model.with_suffix(".csv")))


def _points(source: Source, as_clouds: bool) -> np.ndarray:
    points = source.read()
    return points[is_valid(points)] if as_clouds else points


def _network(teacher: Path) -> NetworkSettings:
    """A student has its teacher's network."""
    content = load(teacher, "teacher", "extractor")
    model: dict[str, Any] = content["model"] if content["kind"] == "teacher" else OTHER_STUDENTS
    return NetworkSettings(**{name: model[name] for name in ("width", "blocks", "coordinates")})


def _begin(
    folder: Path, train: Sequence[Source], validation: Sequence[Source], teacher: Path, sizes: Sizes, as_clouds: bool
) -> None:
    """Empty the folder, unless it is of the same fit."""
    numbers = {"graph": asdict(sizes.graph), "training": asdict(sizes.training)} | {"as_clouds": as_clouds}
    scans = [[source.digest for source in sources] for sources in (train, validation)]
    identity = digest({"code": CODE, "numbers": numbers, "scans": scans, "teacher": sha256(teacher)})
    record = folder / "fit.json"
    if folder.exists() and not (record.exists() and read_json(record).get("identity") == identity):
        if any(folder.iterdir()) and not record.exists():
            raise ValueError(f"{folder}: expected an empty folder or one of an earlier fit, found other files")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(record, {"identity": identity})
