"""The memory banks' protocol of stage `score`: small squares, the background without a score."""

import csv
import json

import numpy as np
import pytest
import reference_pro as reference
from small_dataset import SIDE, write_small_dataset
from test_objects import make_objects

from st3d.evaluation.protocol import Protocol
from st3d.evaluation.score import score
from st3d.formats.atomic import write_csv
from st3d.formats.images import Images
from st3d.formats.scans import list_samples, read_map, read_mask, read_scan, write_map
from st3d.kernels.auroc import auroc
from st3d.kernels.squares import from_scan, to_square


@pytest.fixture
def dataset(tmp_path, rng):
    """A data set and, below `maps`, random maps of its test scans, higher in the defect, with image scores."""
    write_small_dataset(tmp_path, rng, counts=(1, 1, 3))
    rows = []
    for sample in list_samples(tmp_path, "part", "test"):
        scores = rng.random((SIDE, SIDE)) + 0.5 * read_mask(sample.mask) + 0.25
        write_map(tmp_path / f"maps/part/test/{sample.name}.tiff", scores)
        rows.append({"sample": sample.name, "score": repr(float(rng.random()))})
    write_csv(tmp_path / "maps.csv", rows, ["sample", "score"])
    return tmp_path


def scored(folder, objects, pixels="objects"):
    score(dataset=folder, category="part", maps=folder / "maps", manifest=folder / "maps.csv", objects=objects,
          output=folder / "part.json", pixels=pixels, limits=[0.05, 0.3], thresholds=100, code="c")  # fmt: skip
    return json.loads((folder / "part.json").read_text())


def expected_au_pro(folder, size, gone):
    """By the reference, of small maps with zeros at `gone(sample)`."""
    maps, masks = [], []
    for sample in list_samples(folder, "part", "test"):
        small = from_scan(read_map(folder / f"maps/part/test/{sample.name}.tiff"), size)
        maps.append(np.where(gone(sample), 0, small))
        masks.append(to_square(read_mask(sample.mask), size))
    return reference.area(*reference.curve_by_sorting(maps, masks), 0.3)


def test_small_maps_are_compared_with_small_masks(dataset):
    found = scored(dataset, [make_objects(dataset, "test", size=28, mask="none")])
    nothing = np.zeros((28, 28), bool)
    assert found["au_pro"] == pytest.approx(expected_au_pro(dataset, 28, lambda sample: nothing), abs=1e-12)
    assert (found["protocol"], found["settings"]["pixels"], found["samples"]) == ("28", "objects", 4)


def test_where_the_background_was_removed_a_map_has_no_score(dataset):
    path = make_objects(dataset, "test", size=28)
    with Images(path) as images:
        shown = {(image := images.image(i, "3d")).sample: (image.values != 0).any(axis=0) for i in range(len(images))}

    def gone(sample):
        valid = (to_square(read_scan(sample.scan), 28) != 0).any(axis=2)
        places = np.argwhere(valid)
        nearest = np.array([((places - at) ** 2).sum(axis=1).min() for at in np.ndindex(28, 28)]).reshape(28, 28)
        found = np.zeros((28, 28), bool)
        for at in np.ndindex(28, 28):  # of several equally near ones, any
            near = places[((places - at) ** 2).sum(axis=1) == nearest[at]]
            found[at] = not shown[sample.name][tuple(near[0])]
        return found

    found = scored(dataset, [path])
    assert found["protocol"] == "28_masked"
    assert found["au_pro"] == pytest.approx(expected_au_pro(dataset, 28, gone), abs=0.03)
    with_sample = {sample.name: sample for sample in list_samples(dataset, "part", "test")}
    protocol = Protocol(path)
    for name, kept in shown.items():
        small = protocol.map(with_sample[name], np.full((SIDE, SIDE), 2.0, np.float32))
        valid = (to_square(read_scan(with_sample[name].scan), 28) != 0).any(axis=2)
        assert (small[kept] == 2).all() and not small[valid & ~kept].any()
        assert (protocol.map(with_sample[name], np.full((SIDE, SIDE), -3.0, np.float32)) == -3).all()


def test_the_image_scores_are_the_methods_own_in_both_protocols(dataset):
    samples = list_samples(dataset, "part", "test")
    with (dataset / "maps.csv").open(newline="") as file:
        own = [float(row["score"]) for row in csv.DictReader(file)]
    expected = auroc(own, [sample.defect != "good" for sample in samples])
    full = scored(dataset, [], "scan")
    assert full["au_roc"] == expected and not {"protocol", "pixels"} & {*full, *full["settings"]}
    assert scored(dataset, [make_objects(dataset, "test", size=28)])["au_roc"] == expected


def test_missing_or_other_object_images_are_refused_in_one_line(dataset):
    path = make_objects(dataset, "test", size=28)
    for objects, pixels in (([], "objects"), ([path], "scan")):
        with pytest.raises(ValueError, match="--objects: expected . files for .*, found"):
            scored(dataset, objects, pixels)
    with pytest.raises(ValueError, match=r"objects_train.h5: expected an object image of dent/000, found none"):
        scored(dataset, [make_objects(dataset, "train", size=28)])
