"""The embedded default's scans: one category in MVTec 3D-AD's folder layout and file formats, without a download."""

import logging
from pathlib import Path
from typing import Any

import tifffile
from PIL import Image

from st3d.formats import folders
from st3d.formats.atomic import write_json
from st3d.formats.provenance import provenance
from st3d.simulation.scans.samples import CATEGORIES, Sample, SampleGenerator

log = logging.getLogger("st3d")


def simulation(
    *,
    category: str,
    output: Path,
    resolution: float,
    training: int,
    validation: int,
    test_good: int,
    test_per_defect: int,
    seed: int,
    code: str,
) -> None:
    """Simulate the scans of one category.

    Parameters
    ----------
    category
        One of MVTec 3D-AD's ten: bagel, cable_gland, carrot, cookie, dowel, foam, peach, potato, rope or tire.
    output
        Folder that gets a folder of the category's name; an earlier simulation there is replaced.
    resolution
        Fraction of MVTec 3D-AD's image width and height, 1 for its full size.
    training
        Training scans.
    validation
        Validation scans.
    test_good
        Anomaly-free test scans.
    test_per_defect
        Test scans of each kind of defect.
    seed
        Start of the random streams.
    code
        Fingerprint of this stage's source, kept in complete.json.

    Raises
    ------
    ValueError
        If a number is out of its range, or the category's folder holds files that st3d did not write.
    """
    settings = {
        "category": category, "resolution": resolution, "training": training, "validation": validation,
        "test_good": test_good, "test_per_defect": test_per_defect, "seed": seed,
    }  # fmt: skip
    target = Path(output) / category
    _check(settings, target)
    generator = SampleGenerator(category, resolution, seed)
    ids = CATEGORIES[category].class_ids()
    good = (("train", training), ("validation", validation), ("test", test_good))
    groups: list[tuple[str, int, str | None]] = [(f"{split}/good", count, None) for split, count in good]
    groups += [(f"test/{name}", test_per_defect, name) for name in ids]
    with folders.replaced(target) as partial:
        write_json(partial / "calibration" / "camera_parameters.json", generator.camera.parameters())
        names = {str(value): name for name, value in ids.items()}
        write_json(partial / "class_ids.json", {**names, "0": "good"})
        for split, (folder, count, defect) in enumerate(groups):
            for index in range(count):
                sample = generator.sample(split, index, defect)
                write_sample(partial / folder, f"{index:03d}", sample, with_mask=folder.startswith("test"))
            log.info("%s %s: %d scans", category, folder, count)
        files = sorted(str(path.relative_to(partial)) for path in partial.rglob("*.*") if path.suffix)
    write_json(target / "complete.json", {**provenance(settings, code), "files": files})


def write_sample(folder: Path, name: str, sample: Sample, *, with_mask: bool) -> None:
    """Write one scan's files in MVTec 3D-AD's formats.

    Parameters
    ----------
    folder
        Gets xyz/, rgb/ and gt/.
    name
        Of the files, without suffix.
    sample
        The scan.
    with_mask
        Whether to write gt/.
    """
    for kind in ("xyz", "rgb", *(["gt"] if with_mask else [])):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    layout: dict[str, Any] = {"photometric": "rgb", "planarconfig": "contig", "rowsperstrip": 1, "metadata": None}
    tifffile.imwrite(folder / "xyz" / f"{name}.tiff", sample.xyz, software="st3d", **layout)
    Image.fromarray(sample.rgb).save(folder / "rgb" / f"{name}.png")
    if with_mask:
        Image.fromarray(sample.mask).save(folder / "gt" / f"{name}.png")


def _check(settings: dict, target: Path) -> None:
    if settings["category"] not in CATEGORIES:
        raise ValueError(f"--category: expected one of {', '.join(CATEGORIES)}, found {settings['category']}")
    if not 0 < settings["resolution"] <= 1:
        raise ValueError(f"{target}: expected a resolution above 0 and up to 1, found {settings['resolution']}")
    for name in ("training", "validation", "test_good", "test_per_defect", "seed"):
        if settings[name] < 0:
            raise ValueError(f"{target}: expected {name} of at least 0, found {settings[name]}")
    folders.refuse_other_files(target)
