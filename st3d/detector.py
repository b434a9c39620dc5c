"""One scan in, one anomaly map out: for a user's own program, and `python -m st3d inspect`."""

import logging
import sys
from pathlib import Path
from typing import Self

import numpy as np

from st3d import runtime
from st3d.inputs import scaled
from st3d.maps import score_map
from st3d.models import Pair, load_pair
from st3d.pictures import save_picture
from st3d.points import neighbours
from st3d.scans import read_scan, thin_scan, write_map

log = logging.getLogger("st3d")


class Detector:
    """A trained pair, ready for scans.

    Examples
    --------
    >>> detector = Detector.load(teacher="teacher.pt", student="student.pt")  # doctest: +SKIP
    >>> scores = detector.map(read_scan("scan.tiff"))  # doctest: +SKIP
    """

    def __init__(self, pair: Pair) -> None:
        self._pair = pair

    @classmethod
    def load(
        cls, *, teacher: str | Path, student: str | Path, device: runtime.Device = "auto", threads: int = 1
    ) -> Self:
        """Read the two models; a cut file, or two that do not fit each other, is a ValueError.

        Parameters
        ----------
        teacher : path of teacher.pt
        student : path of the student.pt of the scans' category
        device : "auto" takes a GPU if there is one
        threads : CPU threads
        """
        runtime.set_threads(threads)
        return cls(load_pair(Path(teacher), Path(student), runtime.device(device, alone=False)))

    def map(self, scan: np.ndarray) -> np.ndarray:
        """Anomaly score of every pixel.

        Parameters
        ----------
        scan : (h, w, 3) float32, metres; (0, 0, 0) where the sensor saw nothing

        Returns
        -------
        (h, w) float32, 0 or more, in standard deviations of the teacher's descriptors; its maximum is the scan's score

        Raises
        ------
        ValueError
            If the scan has another shape, or fewer than k + 1 valid points.
        """
        pair = self._pair
        if scan.ndim != 3 or scan.shape[2] != 3:
            raise ValueError(f"scan: expected shape (h, w, 3), found {scan.shape}")
        points, pixel = thin_scan(scan, pair.points, pair.thin_seed)
        if len(points) <= pair.neighbours:
            raise ValueError(f"scan: expected at least {pair.neighbours + 1} valid points, found {len(points)}")
        device = pair.mean.device
        near = neighbours(points, pair.neighbours)
        scores = pair.scores(scaled(points, near, pair.scale, device))
        return score_map(scores, pixel, scan.shape[:2])


def inspect(
    scan: Path,
    /,
    *,
    teacher: Path,
    student: Path,
    map: Path | None = None,
    picture: Path | None = None,
    device: runtime.Device = "auto",
    threads: int = 1,
) -> None:
    """Score one scan with a trained pair; print `<scan> <score>`, the score being the map's maximum.

    Parameters
    ----------
    scan : xyz TIFF, (h, w, 3) float32, metres, (0, 0, 0) where invalid
    teacher : teacher.pt
    student : student.pt of the scan's category
    map : float32 TIFF (h, w) to write
    picture : PNG to write, the scan's relief beside the map
    device : auto, cpu or cuda
    threads : CPU threads
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
        save_picture(picture, xyz, scores)
    sys.stdout.write(f"{scan} {float(scores.max()):.6g}\n")
