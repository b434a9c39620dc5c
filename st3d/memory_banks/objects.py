"""Stage `objects`: a split's scans as object images, for the memory banks."""

import logging
from collections.abc import Iterator
from pathlib import Path

from st3d.formats.images import Image, write_images
from st3d.formats.scans import Invalid, Split, list_samples, read_colours, read_scan
from st3d.memory_banks.object_images import ObjectSettings, object_image

log = logging.getLogger("st3d")


def objects(
    *,
    dataset: Path,
    category: str,
    split: Split,
    invalid: Invalid,
    images: ObjectSettings,
    output: Path,
    code: str,
) -> None:
    """Make object images of one split: square, without the background, xyz and, where there are any, colours.

    Parameters
    ----------
    dataset
        Folder in MVTec 3D-AD's layout.
    category
        Name of a folder in it.
    split
        train, validation or test.
    invalid
        What to do with coordinates that are NaN or infinite: refuse the scan, or drop the pixel.
    output
        Images (HDF5) to write.
    code
        Fingerprint of this stage's source, kept with the images.

    Raises
    ------
    ValueError
        One line with the scan that has no object, or no RGB image where others have one.
    """
    samples = list_samples(dataset, category, split)
    coloured = [sample for sample in samples if sample.rgb is not None]

    def made() -> Iterator[Image]:
        for number, sample in enumerate(samples, 1):
            if coloured and sample.rgb is None:
                raise ValueError(
                    f"{sample.scan}: expected an RGB image in rgb/ as beside {coloured[0].scan.name}, found none"
                )
            scan = read_scan(sample.scan, invalid)
            size = scan.shape[:2]
            colours = read_colours(sample.rgb, size) if sample.rgb is not None else None
            try:
                values = object_image(scan, colours, images)
            except ValueError as error:
                raise ValueError(f"{sample.scan}: {error}") from None
            yield Image(values, sample.name, 0, size)
            log.info("%d/%d %s/%s/%s", number, len(samples), category, split, sample.name)

    settings = {"category": category, "split": split, "invalid": invalid} | vars(images)
    write_images(output, made(), "objects", {}, settings=settings, code=code)
