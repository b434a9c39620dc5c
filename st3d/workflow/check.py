"""Command `check`: what is wrong with a user's own data, as far as layout and headers show it, all faults at once."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from st3d.formats.cameras import read_camera
from st3d.formats.meshes import check_mesh
from st3d.formats.point_clouds import check_cloud
from st3d.formats.rgbd_fragments import check_fragment
from st3d.formats.scan_headers import check_colours, check_mask, check_scan
from st3d.formats.scans import Sample, Split, find_samples
from st3d.student_teacher.sources import Kind, list_source

Baselines = Literal["none", "3d", "3d_rgb"]
NAMED = 10  # faults; of more, only the number is said
HALF = 0.5  # whatever the share, a folder without train/ and test/ needs two files


def check(
    *, dataset: Path, categories: list[str], splits: list[Split], baselines: Baselines, sources: list[Path]
) -> None:
    """Look at data before anything is computed of them; print a line for each fault and exit with 1 if there is one.

    Parameters
    ----------
    dataset
        Folder in MVTec 3D-AD's layout.
    categories
        Names of folders in it; may be none.
    splits
        train, validation, test; every test scan needs its mask.
    baselines
        What the baselines that will run read: 3d (a category's camera, and RGB images where there are some), or 3d_rgb
        (an RGB image of every scan too); none where none will.
    sources
        Folders of meshes or point clouds for scenes; may be none.
    """
    found = [fault for category in categories for fault in _of_category(dataset, category, splits, baselines)]
    found += [fault for folder in sources for fault in _of_source(folder)]
    faults = list(dict.fromkeys(found))
    for fault in faults[:NAMED]:
        sys.stderr.write(f"{fault}\n")
    if len(faults) > NAMED:
        sys.stderr.write(f"... and {len(faults) - NAMED} more\n")
    if faults:
        sys.exit(1)


def _of_category(dataset: Path, category: str, splits: list[Split], baselines: Baselines) -> Iterator[str]:
    """The faults of one category."""
    if baselines != "none":
        try:
            read_camera(dataset / category / "calibration" / "camera_parameters.json")
        except (ValueError, OSError) as error:
            yield str(error)
    for split in splits:
        samples, faults = find_samples(dataset, category, split)
        yield from faults
        for sample in samples:
            yield from _of_sample(sample, baselines)


def _of_sample(sample: Sample, baselines: Baselines) -> Iterator[str]:
    """The faults in the headers of a scan, its mask and, if baselines read it, its RGB image."""
    try:
        size = check_scan(sample.scan)
    except (ValueError, OSError) as error:
        yield str(error)
        return
    try:
        if sample.mask is not None:
            check_mask(sample.mask, size)
    except (ValueError, OSError) as error:
        yield str(error)
    try:
        if sample.rgb is not None and baselines != "none":
            check_colours(sample.rgb, size)
    except (ValueError, OSError) as error:
        yield str(error)
    if sample.rgb is None and baselines == "3d_rgb":
        yield f"{sample.scan}: expected an RGB image ../rgb/{sample.scan.stem}.png, found none"


def _of_source(folder: Path) -> Iterator[str]:
    """The faults of a folder of meshes or point clouds."""
    splits: tuple[Literal["train", "validation"], ...] = ("train", "validation")
    for split in splits:
        try:
            kind, items = list_source([folder], split, HALF, "")
        except (ValueError, OSError) as error:
            yield str(error)
            continue
        for item in items:
            try:
                _look_at(kind, item)
            except (ValueError, OSError) as error:
                yield str(error)


def _look_at(kind: Kind, item: Path | tuple[Path, ...]) -> None:
    if not isinstance(item, Path):
        check_fragment(item)
    elif kind == "meshes":
        check_mesh(item)
    else:
        check_cloud(item)
