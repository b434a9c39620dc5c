"""The front door for a user's own program: fit to scans of good parts, then judge scans. Imports torch when needed."""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from st3d.formats.sensor_files.read import any_scan
from st3d.formats.sensor_files.scan import PER_METRE, Reading, SensorScan
from st3d.formats.sensor_files.sensor import sensor_of
from st3d.kernels.false_alarms import PixelThreshold, Threshold
from st3d.student_teacher.fit_settings import FitSettings
from st3d.student_teacher.judging import Result, UnlikeTraining, judge
from st3d.training.device import Device, choose_device, cores, reproducible

if TYPE_CHECKING:
    from st3d.student_teacher.calibration import Model

__all__ = ["Detector", "Result", "UnlikeTraining"]

Scan = NDArray | SensorScan | Path  # what is fitted to and predicted: an array in any unit, a scan read before, a file


@dataclass(kw_only=True)
class Detector(FitSettings):
    """Finds defects: fitted to scans of good parts, it gives any scan of such a part a score, a verdict and a map.

    It leaves torch's settings, threads and random numbers, the environment and the loggers of the process as they are.

    Parameters
    ----------
    device
        auto (a GPU if there is one), cpu or cuda.
    threads
        CPU threads; 0: all cores.

    Examples
    --------
    >>> detector = Detector(false_alarms=0.05).fit(sorted(Path("good").glob("*.ply")))  # doctest: +SKIP
    >>> detector.save("bracket.st3d")  # doctest: +SKIP
    >>> result = Detector.load("bracket.st3d").predict(np.load("new.npy"))  # doctest: +SKIP
    >>> result.is_anomalous, result.map.shape  # doctest: +SKIP
    """

    device: Device = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        self._content: dict[str, Any] | None = None
        self._path = Path("detector")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings by name, as scikit-learn asks for them."""
        return asdict(self)

    def set_params(self, **params: Any) -> Self:
        """Change settings by name before a fit, as scikit-learn does; a ValueError at an unknown one."""
        known = [each.name for each in fields(self)]
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}")
            setattr(self, name, value)
        return self

    def fit(
        self,
        scans: Iterable[Scan],
        y: None = None,
        *,
        validation: Iterable[Scan] = (),
        reading: Reading | None = None,
        work: Path | None = None,
    ) -> Self:
        """Learn what good parts look like.

        Parameters
        ----------
        scans
            Of good parts only, of one kind of part, 8 different ones or more: arrays (h, w, 3) or (n, 3) of numbers in
            metres or millimetres, (0, 0, 0) or NaN where the sensor saw nothing; or files.
        y
            Nothing; scikit-learn's place for labels.
        validation
            Scans of good parts for validation and thresholds; without, the share `held_out` of `scans`.
        reading
            Unit, invalid values and sensor of the scans; without, they are found.
        work
            Folder for what is computed on the way; a fit that was killed goes on there. Without, a temporary one.

        Returns
        -------
        The detector itself

        Raises
        ------
        ValueError
            A line for each scan that is not what it should be (all of them at once), or for what they are together: too
            few, of several units, all the same.
        """
        from st3d.student_teacher.fitting import fit
        from st3d.student_teacher.gathering import gather

        reading = reading or Reading()
        gathered = gather(scans, validation, reading, self, self.device, self.threads)
        with _folder(work) as folder, self._arithmetic():
            made = fit(gathered.train, gathered.validation, folder, self._teacher(), gathered.sizes, gathered.as_clouds)
            about = gathered.found | {"validation_losses": made.validation_losses}
            self._take(_load(made.model) | {"reading": asdict(reading), "fit": about}, Path("detector"))
        return self

    def save(self, path: str | Path) -> None:
        """Write all that `predict` needs into one file.

        Parameters
        ----------
        path
            The file, such as bracket.st3d; written whole or not at all.

        Raises
        ------
        ValueError
            If the detector is not fitted.
        """
        from st3d.formats.checkpoints import save

        save(Path(path), self._fitted())

    @classmethod
    def load(cls, path: str | Path, *, device: Device = "auto", threads: int = 0) -> Self:
        """Read a detector.

        Parameters
        ----------
        path
            What `save`, `st3d fit` or the workflow's stage `calibration` wrote.
        device
            auto, cpu or cuda.
        threads
            CPU threads; 0: all cores.

        Returns
        -------
        Detector

        Raises
        ------
        ValueError
            If the file is truncated or no model of st3d, or there is no such device.
        """
        from st3d.formats.checkpoints import content_of

        path = Path(path)
        detector = cls(device=device, threads=threads)
        content = _load(path)
        with content_of(path, "a model"):  # a damaged file is refused here, not at the first scan
            settings = content.get("fit", {}).get("settings", {}) | content["settings"]
            known = {each.name for each in fields(FitSettings)} - {"teacher"}
            detector.set_params(**{name: value for name, value in settings.items() if name in known})
            detector._take(content, path)
            if detector.reading.unit not in ("auto", *PER_METRE):
                raise TypeError(f"unit {detector.reading.unit}")
            sensor_of(detector.reading)
            with detector._arithmetic():
                detector._model  # noqa: B018
        return detector

    def predict(self, scan: Scan, *, accept_unlike: bool = False) -> Result:
        """Judge a scan.

        Parameters
        ----------
        scan
            (h, w, 3) or (n, 3) array, or a file, as for `fit`.
        accept_unlike
            Whether a scan that is unlike all that the detector was fitted to gets a score all the same.

        Returns
        -------
        Result

        Raises
        ------
        UnlikeTraining
            Where it is unlike them.
        ValueError
            If the detector is not fitted, or the scan is damaged or has too few valid points.
        """
        reading = self.reading
        name = str(scan) if isinstance(scan, str | Path) else "scan"
        points = any_scan(scan, reading, name).points
        with self._arithmetic():
            model = self._model
            try:
                return judge(model, points, accept_unlike)
            except UnlikeTraining as error:
                raise UnlikeTraining(f"{name}: {error}") from None
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None

    @property
    def reading(self) -> Reading:
        """How the scans were read that the detector was fitted to; `predict` reads alike."""
        return Reading(**self._fitted().get("reading", {}))

    @property
    def image_threshold(self) -> Threshold:
        """The threshold of a scan's score, and what it rests on."""
        return Threshold(**self._fitted()["image"])

    @property
    def map_threshold(self) -> PixelThreshold:
        """The threshold of a map, and what it rests on."""
        return PixelThreshold(**self._fitted()["pixel"])

    @property
    def about(self) -> Mapping[str, Any]:
        """What was fitted to what, and how well: scans, losses, version, settings."""
        return self._fitted().get("fit", {})  # the stage `calibration` writes none

    @cached_property
    def _model(self) -> "Model":
        from st3d.student_teacher.calibration import model_of

        return model_of(self._fitted(), self._path, choose_device(self.device, alone=False))

    def _arithmetic(self) -> contextlib.AbstractContextManager[None]:
        return reproducible(self.threads or cores())

    def _take(self, content: dict[str, Any], path: Path) -> None:
        self.__dict__.pop("_model", None)
        self._content, self._path = content, path

    def _fitted(self) -> dict[str, Any]:
        if self._content is None:
            raise ValueError("detector: expected a fitted one, found one that is not; call fit or load first")
        return self._content

    def _teacher(self) -> Path:
        from st3d.student_teacher.pretrained import packaged_teacher

        return packaged_teacher() if self.teacher is None else Path(self.teacher)


def _load(path: Path) -> dict[str, Any]:
    from st3d.formats.checkpoints import load

    return load(path, "model")


@contextlib.contextmanager
def _folder(work: Path | None) -> Iterator[Path]:
    if work is not None:
        yield work
        return
    with tempfile.TemporaryDirectory(prefix="st3d-") as folder:
        yield Path(folder) / "fit"
