"""Stage `downsampling`: a part of a split's scans, invalid pixels dropped, downsampled by farthest point sampling."""

import logging
from collections.abc import Iterator
from pathlib import Path

from st3d.formats.scans import Invalid, Sample, Split, list_samples, read_mask, read_scan
from st3d.formats.shards import Cloud, write_shard
from st3d.kernels.points import downsample_scan

log = logging.getLogger("st3d")


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
        What to do with coordinates that are NaN or infinite: refuse the scan, or drop the pixel.
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
        for number, sample in enumerate(samples, 1):
            yield _downsampled(sample, points, invalid, seed)
            log.info("downsampling %d/%d %s/%s/%s", number, len(samples), category, split, sample.name)

    write_shard(output, clouds(), settings=settings, code=code)


def _downsampled(sample: Sample, points: int, invalid: Invalid, seed: int) -> Cloud:
    scan = read_scan(sample.scan, invalid)
    height, width = scan.shape[:2]
    if sample.mask is not None:
        read_mask(sample.mask, (height, width))  # a wrong mask is refused before any training
    if not scan.any():
        raise ValueError(f"{sample.scan}: expected valid pixels in the scan, found none")
    sampled, pixel = downsample_scan(scan, points, seed)
    return Cloud(sampled, pixel=pixel, size=(height, width), sample=sample.name)
