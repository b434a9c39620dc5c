"""Scans and maps: MVTec 3D-AD's folders and files.

h, w rows and columns of the image. A scan is an organised point cloud, an xyz image in metres whose invalid pixels are
exactly (0, 0, 0).
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tifffile

from st3d.formats.atomic import atomic
from st3d.formats.errors import sides_text
from st3d.formats.folders import is_clutter
from st3d.formats.image_files import open_image
from st3d.formats.mask_levels import anomalous_pixels
from st3d.formats.plausible_scans import drop_sentinels, refuse_implausible
from st3d.formats.scan_headers import refuse_other_than_colours, refuse_other_than_mask, refuse_other_than_xyz
from st3d.formats.tiff import read_tiff

Split = Literal["train", "validation", "test"]
Invalid = Literal["refuse", "drop", "keep"]


@dataclass(frozen=True)
class Sample:
    """The files of one scan.

    Attributes
    ----------
    name
        Defect and number, such as "crack/003"; anomaly-free ones are "good/...".
    scan
        xyz image.
    mask
        Ground truth, of test samples only.
    rgb
        None where there is no RGB image.
    """

    name: str
    scan: Path
    mask: Path | None
    rgb: Path | None

    @property
    def defect(self) -> str:
        """The kind of defect, or "good"."""
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class Map:
    """The anomaly map of one scan.

    Attributes
    ----------
    sample
        Name, as in Sample.
    scores
        (h, w) float32, larger where more anomalous.
    points
        Points, voxels or pixels that were scored.
    score
        Of the scan as a whole, as the method defines it; larger where more anomalous.
    """

    sample: str
    scores: np.ndarray
    points: int
    score: float


def list_samples(dataset: Path, category: str, split: Split) -> list[Sample]:
    """All samples of a category's split, sorted by name.

    Parameters
    ----------
    dataset
        Folder in MVTec 3D-AD's layout: <category>/{train,validation}/good/{xyz,rgb} and
        <category>/test/<defect>/{xyz,rgb,gt}. Endings (.tiff, .tif, .png) may be of either case; what systems and
        editors leave there, such as ._000.tiff and .ipynb_checkpoints, is passed over.
    category
        Name of a folder in it.
    split
        train and validation have anomaly-free samples only; test has a mask for every sample.

    Returns
    -------
    One or more samples

    Raises
    ------
    ValueError
        One line with the folder or file at fault: missing or empty folder, two scans of one name, no mask.
    """
    samples, faults = find_samples(dataset, category, split)
    if faults:
        raise ValueError(faults[0])
    return samples


def find_samples(dataset: Path, category: str, split: Split) -> tuple[list[Sample], list[str]]:
    """What a category's split has, and all that `list_samples` would refuse.

    Parameters
    ----------
    dataset, category, split
        As for `list_samples`.

    Returns
    -------
    samples
        Sorted by name; where a test sample has no mask, it is None.
    faults
        One line each, with the folder or file.
    """
    folder = Path(dataset) / category
    if not folder.is_dir():
        return [], [f"{folder}: expected the folder of category '{category}', found none"]
    if not _inside(folder):
        return [], [f"{folder}: expected scans of category '{category}', found an empty folder"]
    defects = ["good"]
    if split == "test":
        test = folder / "test"
        defects = [path.name for path in _inside(test) if path.is_dir()]
        if not defects:
            return [], [f"{test}: expected a folder for each kind of defect, found none"]
    faults: list[str] = []
    return [one for defect in defects for one in _samples_in(folder / split / defect, split == "test", faults)], faults


def read_scan(path: Path, invalid: Invalid = "refuse") -> np.ndarray:
    """Read an xyz image.

    Parameters
    ----------
    path
        TIFF of floats, (h, w, 3), of any compression, also in planes.
    invalid
        What to do with coordinates that are NaN or infinite, and with a constant z, apart from all others, that stands
        for "nothing seen" beside any x and y: refuse the scan, or drop the pixel, that is, set it to (0, 0, 0); keep
        takes such a z for a point, and refuses the others.

    Returns
    -------
    (h, w, 3) float32, metres; invalid pixels are (0, 0, 0).

    Raises
    ------
    ValueError
        One line with the file and its fault.
    """
    scan = read_tiff(path, f"{path}: expected a TIFF file")
    refuse_other_than_xyz(path, scan.shape, scan.dtype)
    scan = scan.astype(np.float32)
    broken = ~np.isfinite(scan).all(axis=2)
    if broken.any():
        if invalid != "drop":
            raise ValueError(
                f"{path}: expected finite coordinates, found NaN or infinity in {int(broken.sum())} pixels;"
                " to take these as invalid pixels set downsampling.invalid to drop"
            )
        scan[broken] = 0
    if invalid != "keep":
        drop_sentinels(path, scan, refuse=invalid == "refuse")
    refuse_implausible(path, scan)
    return scan


def read_mask(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read a ground truth image; every class of defect counts.

    Parameters
    ----------
    path
        Image of 1 channel, 0 where the sample is normal, and one or a few values elsewhere; or with a palette, whose
        black is normal.
    size
        (h, w) of the sample's scan, checked if given.

    Returns
    -------
    (h, w) bool, True where the sample is anomalous.

    Raises
    ------
    ValueError
        One line with the file and its fault.
    """
    with open_image(path, f"{path}: expected a mask image") as image:
        mask = np.asarray(image)
        palette = np.reshape(image.getpalette("RGB") or [], (-1, 3)) if image.mode == "P" else None
    refuse_other_than_mask(path, mask.shape, size)
    return anomalous_pixels(path, mask, palette)


def read_colours(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Read a scan's RGB image.

    Parameters
    ----------
    path
        Image of 8 bits and 3 channels.
    size
        (h, w) of the scan, checked.

    Returns
    -------
    (h, w, 3) float32 in [0, 1].

    Raises
    ------
    ValueError
        One line with the file and its fault.
    """
    colours = _read_image(path, "an RGB image")
    refuse_other_than_colours(path, colours.shape, colours.dtype, size)
    return colours.astype(np.float32) / 255


def write_map(path: Path, scores: np.ndarray) -> None:
    """Write an anomaly map atomically, in the layout that MVTec's evaluation reads; equal maps give equal bytes.

    Parameters
    ----------
    path
        The TIFF to write, float32 and uncompressed.
    scores
        (h, w) numbers.
    """
    assert scores.ndim == 2, scores.shape
    image = io.BytesIO()  # in memory: writing to a full disk would not raise
    # no date, no description: they would change the bytes
    tifffile.imwrite(image, np.ascontiguousarray(scores, np.float32), metadata=None, software="st3d")
    with atomic(path) as partial:
        partial.write_bytes(image.getvalue())


def read_map(path: Path) -> np.ndarray:
    """Read an anomaly map.

    Parameters
    ----------
    path
        TIFF of floats, (h, w).

    Returns
    -------
    (h, w) float32, finite.

    Raises
    ------
    ValueError
        One line with the file and its fault.
    """
    scores = read_tiff(path, f"{path}: expected a TIFF file")
    if scores.ndim != 2 or not np.issubdtype(scores.dtype, np.floating):
        found = f"{scores.dtype} of shape {sides_text(scores.shape)}"
        raise ValueError(f"{path}: expected a map of floats with 1 channel, found {found}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{path}: expected finite scores, found NaN or infinity")
    return scores.astype(np.float32)


def _samples_in(folder: Path, with_masks: bool, faults: list[str]) -> list[Sample]:
    """The samples of one kind of defect in one split; what is wrong is added to `faults`."""
    xyz = folder / "xyz"
    scans = [path for path in _inside(xyz) if path.suffix.lower() in (".tiff", ".tif")]
    pngs = {
        kind: {path.stem: path for path in _inside(folder / kind) if path.suffix.lower() == ".png"}
        for kind in ("gt", "rgb")
    }
    if not scans:
        others = "".join(f", but {path.name}" for path in _inside(xyz)[:1])
        faults.append(f"{xyz}: expected scans (.tiff), found {f'none{others}' if xyz.is_dir() else 'no such folder'}")
    samples: dict[str, Sample] = {}
    for scan in scans:
        name = f"{folder.name}/{scan.stem}"
        if name in samples:
            faults.append(f"{scan}: expected one scan named {name}, found also {samples[name].scan.name}")
        mask, rgb = (some.get(scan.stem, folder / kind / f"{scan.stem}.png") for kind, some in pngs.items())
        masked = with_masks and mask.is_file()
        if with_masks and not masked:
            faults.append(f"{mask}: expected the mask of test sample {name}, found none")
        samples[name] = Sample(name, scan, mask if masked else None, rgb if rgb.is_file() else None)
    return list(samples.values())


def _inside(folder: Path) -> list[Path]:
    """What a user has in a folder, sorted; empty where it does not exist."""
    return sorted(path for path in folder.iterdir() if not is_clutter(path.name)) if folder.is_dir() else []


def _read_image(path: Path, what: str) -> np.ndarray:
    with open_image(path, f"{path}: expected {what}") as image:
        return np.asarray(image)
