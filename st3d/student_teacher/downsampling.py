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
    least: int,
    invalid: Invalid,
    seed: int,
    output: Path,
    code: str,
) -> None:
    """Thin one part of a category's scans to `points` points each.

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
        Points to keep of a scan, 1 or more.
    least
        Valid pixels that a scan must have; the largest number of neighbours plus 1.
    invalid
        What to do with coordinates that are NaN or infinite: refuse the scan, or drop the pixel.
    seed
        Of each scan's first point.
    output
        Shard (HDF5) to write: points in metres, pixels, image sizes, sample names.
    code
        Fingerprint of this stage's source, kept in the shard.
    """
    if not 0 <= part < parts:
        raise ValueError(f"part: expected a number from 0 to {parts - 1}, found {part}")
    settings = {
        "category": category, "split": split, "part": part, "parts": parts, "points": points, "least": least,
        "invalid": invalid, "seed": seed,
    }  # fmt: skip
    samples = list_samples(dataset, category, split)[part::parts]

    def clouds() -> Iterator[Cloud]:
        for number, sample in enumerate(samples, 1):
            yield _downsampled(sample, points, least, invalid, seed)
            log.info("downsampling %d/%d %s/%s/%s", number, len(samples), category, split, sample.name)

    write_shard(output, clouds(), settings=settings, code=code)


def _downsampled(sample: Sample, points: int, least: int, invalid: Invalid, seed: int) -> Cloud:
    scan = read_scan(sample.scan, invalid)
    height, width = scan.shape[:2]
    if sample.mask is not None:
        read_mask(sample.mask, (height, width))  # a wrong mask is said now, not after hours of training
    valid = int((scan != 0).any(axis=2).sum())
    if valid < least:
        raise ValueError(
            f"{sample.scan}: expected {least} valid pixels or more (one more than a point's neighbours), found {valid}"
        )
    sampled, pixel = downsample_scan(scan, points, seed)
    return Cloud(sampled, pixel=pixel, size=(height, width), sample=sample.name)
