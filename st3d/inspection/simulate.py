"""Command `simulate`: scans of a part, good and defective, to try the other commands with."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from st3d.formats import folders
from st3d.formats.sensor_files.write import write_mask, write_sensor_scan
from st3d.training.progress_bar import counted

if TYPE_CHECKING:
    from st3d.simulation.scans.samples import Sample, SampleGenerator

LONGEST = 400  # pixels of an image's longer side, unless --resolution says otherwise: about a second a scan
TRAIN, TEST = 0, 2  # splits as the stage `simulation` numbers them: the first test split, after which the defects come


def simulate(
    output: Path,
    /,
    *,
    part: str = "cable_gland",
    good: int = 24,
    test_good: int = 6,
    test_per_defect: int = 3,
    resolution: float | None = None,
    format: Literal["tiff", "ply", "pcd", "npy"] = "tiff",
    unit: Literal["m", "mm"] = "m",
    seed: int = 0,
) -> None:
    """Simulate scans of a part, to try the other commands with.

    The folder `good` gets scans of good parts for `fit`; `test` gets other good parts and a folder for each kind of
    defect, with masks of where the defects are.

    Parameters
    ----------
    output
        Folder to make; an earlier simulation there is replaced.
    part
        bagel, cable_gland, carrot, cookie, dowel, foam, peach, potato, rope or tire.
    good
        Scans of good parts to learn from.
    test_good
        More scans of good parts, for the test.
    test_per_defect
        Scans of each kind of defect that changes the shape.
    resolution
        Fraction of MVTec 3D-AD's image width and height, up to 1; by default, the longer side has 400 pixels.
    format
        tiff or npy: images of points; pcd: an organised cloud; ply: a cloud of the valid points alone.
    unit
        Length unit in the files: m or mm.
    seed
        Start of the random streams.

    Raises
    ------
    ValueError
        If there is no such part, a number is out of its range, or the folder holds files that st3d did not write.
    """
    from st3d.simulation.scans.samples import CATEGORIES, SampleGenerator  # 1 s, with scipy

    if part not in CATEGORIES:
        raise ValueError(f"--part: expected one of {', '.join(CATEGORIES)}, found {part}")
    if output.is_file() or output.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise ValueError(f"{output}: expected a folder to make, found {'a file' if output.is_file() else 'this one'}")
    _refuse_less(1, good=good)
    _refuse_less(0, test_good=test_good, test_per_defect=test_per_defect, seed=seed)
    if resolution is not None and not 0 < resolution <= 1:
        raise ValueError(f"--resolution: expected more than 0 and at most 1, found {resolution}")
    category = CATEGORIES[part]
    # a change of colour alone is nowhere in a scan
    defects = [name for name in category.defect_names() if name != "color"]
    if resolution is None:
        resolution = min(1.0, LONGEST / max(category.width, category.height))
    generator = SampleGenerator(part, resolution, seed)
    groups: list[tuple[str, int, str | None, int]] = [
        ("good", TRAIN, None, good),
        ("test/good", TEST, None, test_good),
        *((f"test/{name}", TEST + 1 + at, name, test_per_defect) for at, name in enumerate(defects)),
    ]
    scans = [(folder, split, defect, at) for folder, split, defect, count in groups for at in range(count)]
    with folders.replaced(output) as partial:
        for folder, split, defect, index in counted(scans, f"{part}: scan", len(scans)):
            sample = _sample(generator, split, index, defect)
            place = partial / folder / f"{index:03d}.{format}"
            write_sensor_scan(place, sample.xyz, unit)
            if defect is not None:
                write_mask(place.with_name(f"{index:03d}_mask.png"), sample.mask > 0)
    counts = ", ".join(f"{count} {folder}" for folder, _, _, count in groups if count)
    sys.stdout.write(f"{output}: {counts}; st3d fit {output / 'good'} --model {part}.st3d\n")


def _refuse_less(least: int, **numbers: int) -> None:
    for name, number in numbers.items():
        if number < least:
            raise ValueError(f"--{name.replace('_', '-')}: expected {least} or more, found {number}")


def _sample(generator: "SampleGenerator", split: int, index: int, defect: str | None) -> "Sample":
    try:
        return generator.sample(split, index, defect)
    except RuntimeError as error:
        raise ValueError(f"{error}; give another --resolution or --seed") from None
