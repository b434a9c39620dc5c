"""Command `fit`: scans of good parts in, one model file out."""

import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path

from st3d.detector import Detector
from st3d.formats.sensor_files.scan import Reading
from st3d.inspection.places import AS_FOUND, ReadingSettings, found
from st3d.student_teacher.fit_settings import FitSettings
from st3d.training.device import Device

DEFAULTS = FitSettings()


def fit(
    scans: list[Path],
    /,
    *,
    model: Path,
    validation: list[Path] = [],  # noqa: B006 never changed
    settings: FitSettings = DEFAULTS,
    reading: ReadingSettings = AS_FOUND,
    device: Device = "auto",
    threads: int = 0,
) -> None:
    """Learn what good parts look like, and write a model that `predict` judges scans with.

    Stopped at any moment, the same command goes on where it was; what it computes on the way lies in MODEL.fit.

    Parameters
    ----------
    scans
        Folders, files or patterns of scans of good parts, all of one kind of part and one sensor, 8 or more.
    model
        File to write, such as bracket.st3d.
    validation
        More scans of good parts, for validation and thresholds; without, a share of `scans` is held out.
    device
        auto, cpu or cuda.
    threads
        CPU threads; 0: all cores.

    Raises
    ------
    ValueError
        A line for each file at fault, before anything is trained.
    """
    started = time.monotonic()
    if model.is_dir():
        raise ValueError(f"{model}: expected a file to write, such as part.st3d, found a folder")
    files, more = found(scans), found(validation) if validation else []
    if model.resolve() in {path.resolve() for path in files + more}:
        raise ValueError(f"{model}: expected a file to write the model to, found a scan; it would be lost")
    work = model.with_name(f"{model.name}.fit")
    detector = Detector(**asdict(settings), device=device, threads=threads)
    detector.fit(files, validation=more, reading=reading.over(Reading()), work=work)
    detector.save(model)
    shutil.rmtree(work)
    sys.stdout.write("".join(f"{line}\n" for line in summary(detector)))
    size, minutes = model.stat().st_size / 1e3, (time.monotonic() - started) / 60
    sys.stdout.write(
        f"{model}: {size:.0f} kB after {minutes:.1f} min; st3d predict SCANS --model {model} --output out\n"
    )


def summary(detector: Detector) -> list[str]:
    """What a fitted detector rests on and what its thresholds promise, in lines for a user.

    Parameters
    ----------
    detector
        A fitted one.

    Returns
    -------
    Lines
    """
    about, image, pixel = detector.about, detector.image_threshold, detector.map_threshold
    losses, scans = about["validation_losses"], len(about["validation"])
    lines = [
        f"trained on {len(about['train'])} scans for {len(losses)} epochs:"
        f" validation loss {min(losses):.3g}, of {losses[0]:.3g} after the first"
    ]
    promise = f"threshold {image.value:.4g} of a scan's score ({detector.image_score})"
    if image.extrapolated:
        lines.append(
            f"{promise}: an estimate for {100 * image.rate:.2g} % false alarms, from a normal distribution of log"
            f" scores; with {scans} scans no rate below {100 * image.supported:.2g} % can be promised"
        )
    else:
        lines.append(f"{promise}: at most {100 * image.rate:.2g} % of good scans exceed it, from {scans} scans")
    lines.append(
        f"threshold {pixel.value:.4g} of a pixel's score: {100 * pixel.rate:.2g} % of good scans' pixels exceed it"
        f" ({100 * pixel.mean_share:.2g} % on average, {100 * pixel.largest_share:.2g} % at most, of scans left out)"
    )
    return lines
