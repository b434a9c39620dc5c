import json

import numpy as np
import pytest
import reference_pro as reference
import tifffile
from PIL import Image

from st3d.evaluation.score import score
from st3d.formats.atomic import write_csv
from st3d.formats.scans import write_map
from st3d.kernels.auroc import auroc

NAMES = ["good/000", "good/001", "hole/000", "hole/001", "cut/000"]


@pytest.fixture
def category(tmp_path, rng):
    """A data set with five test samples of two sizes, their maps, and what was written."""
    maps, masks = {}, {}
    for index, name in enumerate(NAMES):
        defect, number = name.split("/")
        shape = (20, 30) if index % 2 else (16, 24)
        mask = np.zeros(shape, np.uint8)
        if defect != "good":
            mask[3:8, 4:9] = 250 + index
        maps[name], masks[name] = rng.random(shape).astype(np.float32) + 0.4 * (mask > 0), mask
        for kind in ("xyz", "gt"):
            (tmp_path / "data/part/test" / defect / kind).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(
            tmp_path / f"data/part/test/{defect}/xyz/{number}.tiff", np.ones((*shape, 3), np.float32), photometric="rgb"
        )
        Image.fromarray(mask).save(tmp_path / f"data/part/test/{defect}/gt/{number}.png")
        write_map(tmp_path / f"maps/part/test/{name}.tiff", maps[name])
    write_manifest(tmp_path, maps)
    return maps, masks


def write_manifest(folder, maps, names=NAMES):
    """The list of the maps as stage `maps` writes it, each with its largest score."""
    rows = [{"sample": name, "score": repr(float(maps[name].max()))} for name in names]
    write_csv(folder / "maps.csv", rows, ["sample", "score"])


def run(folder):
    score(
        dataset=folder / "data",
        category="part",
        maps=folder / "maps",
        manifest=folder / "maps.csv",
        objects=[],
        output=folder / "part.json",
        pixels="scan",
        limits=[0.05, 0.3],
        thresholds=100,
        code="c",
    )
    return json.loads((folder / "part.json").read_text())


def test_a_category_is_scored_as_the_reference_implementations_score_it(category, tmp_path):
    maps, masks = ([each[name] for name in NAMES] for each in category)
    found = run(tmp_path)
    curve = reference.curve_by_sorting(maps, [mask > 0 for mask in masks])
    assert found["au_pro"] == found["au_pro_at"]["0.3"] == pytest.approx(reference.area(*curve, 0.3), abs=1e-12)
    assert found["au_pro_at"]["0.05"] == pytest.approx(reference.area(*curve, 0.05), abs=1e-12)
    assert found["au_pro_sampled"]["0.3"] == pytest.approx(reference.sampled(maps, masks, 0.3, 100), abs=1e-12)
    assert found["au_roc"] == auroc([m.max() for m in maps], [mask.any() for mask in masks])
    assert (found["samples"], found["components"], found["code"]) == (5, 3, "c")
    assert (found["pro_curve_fpr"][0], found["pro_curve_pro"][-1]) == (0, 1)


def test_scoring_twice_gives_the_same_bytes(category, tmp_path):
    run(tmp_path)
    first = (tmp_path / "part.json").read_bytes()
    run(tmp_path)
    assert (tmp_path / "part.json").read_bytes() == first


def broken(folder, fault, maps):
    gt = folder / "data/part/test/hole/gt/000.png"
    if fault == "no mask":
        gt.unlink()
    elif fault == "mask of another size":
        Image.fromarray(np.ones((5, 5), np.uint8)).save(gt)
    elif fault == "nothing anomalous":
        for path in folder.glob("data/part/test/*/gt/*.png"):
            Image.fromarray(np.zeros_like(np.asarray(Image.open(path)))).save(path)
    elif fault == "truncated map":
        path = folder / "maps/part/test/hole/000.tiff"
        path.write_bytes(path.read_bytes()[:100])
    elif fault == "no map":
        (folder / "maps/part/test/hole/000.tiff").unlink()
    elif fault == "other samples":
        write_manifest(folder, maps, NAMES[1:])
    elif fault == "a sample twice":
        write_manifest(folder, maps, [*NAMES, NAMES[2]])
    elif fault == "no image scores":
        write_csv(folder / "maps.csv", [{"sample": name} for name in NAMES], ["sample"])
    elif fault == "other list":
        (folder / "maps.csv").write_bytes(b"\xff\xfe\x00sample")


@pytest.mark.parametrize(
    "fault, message",
    [
        ("no mask", r"hole/gt/000.png: expected the mask of test sample hole/000, found none"),
        ("mask of another size", r"hole/gt/000.png: expected a mask of .* like its scan"),
        ("nothing anomalous", r"data/part: no anomalous pixel in any mask: PRO is undefined"),
        ("truncated map", r"maps/part/test/hole/000.tiff: expected a TIFF file"),
        ("a sample twice", r"maps.csv: expected the data set's 5 test samples, found a difference in hole/000"),
        ("no image scores", r"maps.csv: expected the list of maps, found none; make the maps again"),
        ("other list", r"maps.csv: expected the list of maps, found none"),
        ("no map", r"hole/000.tiff: expected a TIFF file, found no such file"),
        ("other samples", r"maps.csv: expected the data set's 5 test samples, found a difference in good/000"),
    ],
)
def test_what_cannot_be_scored_is_one_line_and_leaves_nothing(category, tmp_path, fault, message):
    broken(tmp_path, fault, category[0])
    with pytest.raises(ValueError, match=message) as error:
        run(tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "part.json").exists()
