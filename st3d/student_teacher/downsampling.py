"""Stage `downsampling`: a part of a split's scans, invalid pixels dropped, downsampled by farthest point sampling."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from st3d.formats.plausible_scans import longest_side, refuse_other_unit
from st3d.formats.scans import Invalid, Sample, Split, find_samples, list_samples, read_mask, read_scan
from st3d.formats.shards import Cloud, write_shard
from st3d.kernels.points import downsample_scan
from st3d.training.progress_bar import counted


def downsampling(
    *,
    dataset: Path,
    category: str,
    split: Split,
    part: int,
    parts: int,
    points: int,
    invalid: Invalid,
    seed: int,
    output: Path,
    code: str,
) -> None:
    """Downsample one part of a category's scans to `points` points each.

    All valid pixels count, background included; a scan with fewer keeps them all.

    Parameters
    ----------
    dataset
        Folder in MVTec 3D-AD's layout; xyz images in metres.
    category
        Name of a folder in it.
    split
        Which scans of the category: train, validation or test.
    part
        Number of this part, from 0: it takes the samples whose number in sorted order is `part` modulo `parts`.
    parts
        Number of parts that the split is spread over.
    points
        Points to keep of a scan; a prefix of them is the farthest point sample of its size.
    invalid
        What to do with coordinates that are NaN or infinite, and with a z that stands for "nothing seen", as
        `formats.scans.read_scan` says.
    seed
        Of each scan's first point.
    output
        Shard (HDF5) to write: points in metres, pixels, image sizes, sample names.
    code
        Fingerprint of this stage's source, kept in the shard.

    Raises
    ------
    ValueError
        One line: `part` is out of its range, or the folder or file at fault.
    """
    if not 0 <= part < parts:
        raise ValueError(f"part: expected a number from 0 to {parts - 1}, found {part}")
    settings = {
        "category": category, "split": split, "part": part, "parts": parts, "points": points, "invalid": invalid,
        "seed": seed,
    }  # fmt: skip
    samples = list_samples(dataset, category, split)[part::parts]

    def clouds() -> Iterator[Cloud]:
        first = next(iter(find_samples(dataset, category, "train")[0]), None)
        side = _longest_side(first, invalid)
        for sample in counted(samples, f"downsampling {category}/{split}", len(samples)):
            scan = _read(sample, invalid)
            if first is not None:
                refuse_other_unit(sample.scan, scan, side, first.scan)
            yield downsampled(scan, sample.name, points, seed)

    write_shard(output, clouds(), settings=settings, code=code)


def downsampled(scan: np.ndarray, sample: str, points: int, seed: int) -> Cloud:
    """A scan's farthest point sample.

    Parameters
    ----------
    scan
        (h, w, 3) float32, metres, an image whose invalid pixels are (0, 0, 0); or (m, 3), a cloud of valid points.
    sample
        Its name.
    points
        Points to keep; a scan with fewer keeps all.
    seed
        Of the first point.

    Returns
    -------
    Cloud without neighbours; of an image with pixels and size

    Raises
    ------
    ValueError
        If the scan has no valid point.
    """
    chosen, pixel = downsample_scan(scan, points, seed)
    if scan.ndim == 2:
        return Cloud(chosen, sample=sample)
    return Cloud(chosen, pixel=pixel, size=(scan.shape[0], scan.shape[1]), sample=sample)


def _longest_side(sample: Sample | None, invalid: Invalid) -> float:
    """Of a scan's bounding box; 0 if it cannot be read, which its own job says."""
    try:
        return longest_side(read_scan(sample.scan, invalid)) if sample is not None else 0.0
    except (ValueError, OSError):
        return 0.0


def _read(sample: Sample, invalid: Invalid) -> np.ndarray:
    scan = read_scan(sample.scan, invalid)
    if sample.mask is not None:
        read_mask(sample.mask, (scan.shape[0], scan.shape[1]))  # a wrong mask is refused before any training
    if not scan.any():
        raise ValueError(f"{sample.scan}: expected valid pixels in the scan, found none")
    return scan
