"""A detector of a small part, fitted once, and its scans in files."""

import numpy as np
import pytest
import tifffile
from inspection_parts import DENT
from PIL import Image
from small_dataset import small_scan

from st3d.detector import Detector


@pytest.fixture(scope="session")
def good_scans():
    rng = np.random.default_rng(3)
    return [small_scan(rng)[0] for _ in range(14)]


@pytest.fixture(scope="session")
def dented(good_scans):
    """The last two good scans with a dent."""
    scans = [scan.copy() for scan in good_scans[12:]]
    for scan in scans:
        scan[DENT] *= 0.98
    return scans


@pytest.fixture(scope="session")
def model(good_scans, tmp_path_factory):
    """A model file."""
    path = tmp_path_factory.mktemp("model") / "part.st3d"
    settings = {"points": 400, "neighbours": 8, "steps": 300, "false_alarms": 0.25, "device": "cpu", "threads": 1}
    Detector(**settings, image_score="top_1_percent").fit(good_scans[:11]).save(path)
    return path


@pytest.fixture
def folder(good_scans, dented, tmp_path):
    """Two good scans and two with a dent, with masks, in folders of their kinds."""
    for kind, scans in (("good", good_scans[11:13]), ("dent", dented)):
        (tmp_path / "scans" / kind).mkdir(parents=True)
        for number, scan in enumerate(scans):
            tifffile.imwrite(tmp_path / f"scans/{kind}/{number:03d}.tiff", scan, photometric="rgb")
            if kind == "dent":
                Image.fromarray(DENT).save(tmp_path / f"scans/{kind}/{number:03d}_mask.png")
    return tmp_path / "scans"
