"""One scan in, one anomaly map out: for a user's own program, and `python -m st3d inspect`."""

import logging
from pathlib import Path
from typing import Self

import numpy as np

from st3d.kernels.points import downsample_scan, neighbours
from st3d.student_teacher.pair import Pair, load_pair
from st3d.student_teacher.point_maps import score_map
from st3d.training.device import Device, choose_device, set_threads
from st3d.training.inputs import scaled

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
    def load(cls, *, teacher: str | Path, student: str | Path, device: Device = "auto", threads: int = 1) -> Self:
        """Read the two models; a cut file, or two that do not fit each other, is a ValueError.

        Parameters
        ----------
        teacher : path of teacher.pt
        student : path of the student.pt of the scans' category
        device : "auto" takes a GPU if there is one
        threads : CPU threads
        """
        set_threads(threads)
        return cls(load_pair(Path(teacher), Path(student), choose_device(device, alone=False)))

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
        points, pixel = downsample_scan(scan, pair.points, pair.downsampling_seed)
        if len(points) <= pair.neighbours:
            raise ValueError(f"scan: expected at least {pair.neighbours + 1} valid points, found {len(points)}")
        device = pair.mean.device
        near = neighbours(points, pair.neighbours)
        scores = pair.scores(scaled(points, near, pair.scale, device))
        return score_map(scores, pixel, scan.shape[:2])
