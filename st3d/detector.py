"""One scan in, one anomaly map out: for a user's own program, and `python -m st3d inspect`."""

from pathlib import Path
from typing import Self

import numpy as np

from st3d.kernels.points import downsample_scan, neighbours
from st3d.student_teacher.pair import Pair, load_pair
from st3d.student_teacher.point_maps import score_map
from st3d.training.device import Device, choose_device, reproducible
from st3d.training.inputs import scaled


class Detector:
    """A trained pair, ready for scans; it leaves torch's settings and the environment of the process as they are.

    Parameters
    ----------
    pair
        Teacher and student, on one device.
    threads
        CPU threads, 1 or more.

    Examples
    --------
    >>> detector = Detector.load(teacher="teacher.pt", student="student.pt")  # doctest: +SKIP
    >>> scores = detector.map(read_scan("scan.tiff"))  # doctest: +SKIP
    """

    def __init__(self, pair: Pair, threads: int = 1) -> None:
        self._pair, self._threads = pair, threads

    @classmethod
    def load(cls, *, teacher: str | Path, student: str | Path, device: Device = "auto", threads: int = 1) -> Self:
        """Read the two models.

        Parameters
        ----------
        teacher
            Path of teacher.pt.
        student
            Path of the student.pt of the scans' category.
        device
            "auto" takes a GPU if there is one.
        threads
            CPU threads, 1 or more.

        Returns
        -------
        Detector

        Raises
        ------
        ValueError
            If a file is truncated or no model of st3d, the two do not fit each other, or there is no such device.
        """
        with reproducible(threads):
            return cls(load_pair(Path(teacher), Path(student), choose_device(device, alone=False)), threads)

    def map(self, scan: np.ndarray) -> np.ndarray:
        """Anomaly score of every pixel.

        Parameters
        ----------
        scan
            (h, w, 3) float, metres; (0, 0, 0) where the sensor saw nothing. Computed in float32.

        Returns
        -------
        (h, w) float32
            0 or more, in standard deviations of the teacher's descriptors; its maximum is the scan's score.

        Raises
        ------
        ValueError
            If the scan has another shape, coordinates that are not finite, or fewer than k + 1 valid points.
        """
        scan = np.asarray(scan)
        if scan.ndim != 3 or scan.shape[2] != 3 or scan.dtype.kind != "f":
            raise ValueError(f"scan: expected floats of shape (h, w, 3), found {scan.dtype} of shape {scan.shape}")
        scan = np.ascontiguousarray(scan, np.float32)
        if not np.isfinite(scan).all():
            raise ValueError("scan: expected finite coordinates, found NaN or infinity")
        pair = self._pair
        with reproducible(self._threads):
            points, pixel = downsample_scan(scan, pair.points, pair.downsampling_seed)
            if len(points) <= pair.neighbours:
                raise ValueError(f"scan: expected at least {pair.neighbours + 1} valid points, found {len(points)}")
            near = neighbours(points, pair.neighbours)
            scores = pair.scores(scaled(points, near, pair.scale, pair.mean.device))
            return score_map(scores, pixel, scan.shape[:2])
