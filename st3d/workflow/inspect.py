"""Command `inspect`: one scan in, its map, a figure and its score out."""

import sys
from pathlib import Path

from st3d.detector import Detector
from st3d.evaluation.pictures import save_figure
from st3d.formats.scans import read_scan, write_map
from st3d.training.device import Device


def inspect(
    scan: Path,
    /,
    *,
    teacher: Path,
    student: Path,
    map: Path | None = None,
    picture: Path | None = None,
    device: Device = "auto",
    threads: int = 1,
) -> None:
    """Score one scan with a trained pair; print `<scan> <score>`, the score being the map's maximum.

    Parameters
    ----------
    scan
        xyz TIFF, (h, w, 3) float32, metres, (0, 0, 0) where invalid.
    teacher
        teacher.pt.
    student
        student.pt of the scan's category.
    map
        float32 TIFF (h, w) to write.
    picture
        PNG to write, the scan's relief beside the map.
    device
        auto, cpu or cuda.
    threads
        CPU threads.

    Raises
    ------
    ValueError
        One line with the file, if a checkpoint or the scan is not what its flag says.
    """
    detector = Detector.load(teacher=teacher, student=student, device=device, threads=threads)
    xyz = read_scan(scan)
    try:
        scores = detector.map(xyz)
    except ValueError as error:
        raise ValueError(f"{scan}: {error}") from None
    if map is not None:
        write_map(map, scores)
    if picture is not None:
        save_figure(picture, xyz, scores)
    sys.stdout.write(f"{scan} {float(scores.max()):.6g}\n")
