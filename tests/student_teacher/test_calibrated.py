"""Calibrated 3D-ST: cells, banks, units and maps."""

import numpy as np
import pytest
import torch
from small_dataset import write_small_dataset
from stage_call import call
from test_objects import make_objects

from st3d.evaluation.maps import maps
from st3d.extractors.fpfh import fpfh
from st3d.formats.checkpoints import load, save
from st3d.formats.scans import list_samples, read_map, read_mask
from st3d.formats.shards import clouds, read_shard, write_shard
from st3d.kernels.pro import au_pro
from st3d.student_teacher.calibrated import calibrated, load_calibrated
from st3d.student_teacher.calibrated_maps import image_score
from st3d.student_teacher.cell_terms import CellSettings, Scan, scans_of
from st3d.student_teacher.downsampling import downsampling
from st3d.student_teacher.graph import graph
from st3d.student_teacher.scale import scale
from st3d.student_teacher.student import student

CPU = torch.device("cpu")
GRAPH = {"points": 700, "neighbours": 8}
SCORING = {
    "terms": ["descriptors", "error"], "cells": 16, "window": 3, "rows": 5000, "clusters": 8, "shrinkage": 0.1,
    "smoothing": 0.02, "highest": 0.01, "seed": 1, "device": "cpu", "threads": 1,
}  # fmt: skip
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small data set's graphs and object images, an extractor and a student."""
    folder = tmp_path_factory.mktemp("calibrated")
    dataset = write_small_dataset(folder / "data", np.random.default_rng(3), counts=(5, 2, 2))
    files = {"extractor": folder / "fpfh.pt", "student": folder / "student.pt", "data": dataset}
    for split in SPLITS:
        raw = folder / f"raw_{split}.h5"
        shard = {"dataset": dataset, "category": "part", "split": split, "part": 0, "parts": 1, "code": ""}
        downsampling(**shard, points=700, invalid="refuse", seed=4, output=raw)
        files[split] = folder / f"{split}.h5"
        graph(input=raw, output=files[split], **GRAPH, code="")
        files[f"{split}_images"] = make_objects(dataset, split, mask="none")
    scale(train=[files["train"]], output=folder / "scale.json", **GRAPH, code="")
    fpfh(extractor=files["extractor"], normals=5, neighbours=16, code="")
    settings = {"width": 16, "blocks": 1, "coordinates": "relative", "epochs": 4, "learning_rate": 0.01, "seed": 6}
    settings |= {"schedule": "cosine", "patience": 0, "weight_decay": 0.0, "rotation": "none", "downsampling_seed": 4}
    call(
        student, teacher=files["extractor"], train=[files["train"]], validation=[files["validation"]],
        scale=folder / "scale.json", student=files["student"], curve=folder / "loss.csv", cache_gb=0.1, device="cpu",
        threads=1, code="", **settings, **GRAPH,
    )  # fmt: skip
    return files


def calibrate(made, folder, **changed):
    folder.mkdir(exist_ok=True)
    files = {name: made[name] for name in ("train_images", "validation_images", "student")}
    files |= {"teacher": made["extractor"], "train": [made["train"]], "validation": [made["validation"]]}
    call(calibrated, **files, model=folder / "model.pt", code="", **(SCORING | changed))
    return folder / "model.pt"


def make_maps(made, model, folder):
    """The maps, and their scores, of the test scans."""
    call(
        maps, method="3d_st_calibrated", models=[made["extractor"], made["student"], model],
        test=[made["test"], made["test_images"]], output=folder, manifest=folder / "maps.csv", device="cpu", threads=1,
        code="",
    )  # fmt: skip
    rows = [row.split(",") for row in (folder / "maps.csv").read_text().splitlines()[1:]]
    found = {row[0]: read_map(folder / "test" / f"{row[0]}.tiff") for row in rows}
    return found, {row[0]: float(row[-1]) for row in rows}


@pytest.mark.parametrize("term", ["descriptors", "residuals", "error", "mahalanobis"])
def test_each_term_finds_the_dent(made, tmp_path, term):
    found, scores = make_maps(made, calibrate(made, tmp_path, terms=[term]), tmp_path / "maps")
    samples = list_samples(made["data"], "part", "test")
    masks = [read_mask(sample.mask) for sample in samples]
    area = au_pro([found[sample.name] for sample in samples], masks, 0.3)
    assert area > 0.3, area  # a constant or random map has 0.15, an inverted one less
    assert scores["dent/000"] > max(score for name, score in scores.items() if name.startswith("good"))


def test_a_score_is_the_sum_of_its_terms_in_units_of_the_validation_scans_mean(made, tmp_path):
    model = load_calibrated(made["extractor"], made["student"], calibrate(made, tmp_path), CPU)
    cells = [model.cells(scan) for scan in scans_of(model.pair, [made["validation"]], made["validation_images"])]
    for term, unit in model.units.items():
        scores = torch.cat([each[term] for each in cells]).double()
        assert unit == pytest.approx(float(scores.sum() / (scores > 0).sum()), rel=1e-5)
    scan = next(scans_of(model.pair, [made["test"]], made["test_images"]))
    expected = sum(scores / model.units[term] for term, scores in model.cells(scan).items())
    assert np.allclose(model.score(scan).ravel(), expected.numpy(), rtol=1e-5)


def test_a_training_scan_is_at_no_distance_from_a_bank_of_all_cells(made, tmp_path):
    path = calibrate(made, tmp_path, terms=["descriptors", "residuals"])
    model = load_calibrated(made["extractor"], made["student"], path, CPU)
    for scan in scans_of(model.pair, [made["train"]], made["train_images"]):
        assert all(float(scores.max()) < 1e-4 for scores in model.cells(scan).values())


def test_a_bank_has_the_rows_asked_for_and_another_draw_has_others(made, tmp_path):
    few = load(calibrate(made, tmp_path, terms=["descriptors"], rows=50), "calibrated")["banks"]["descriptors"]
    others = load(calibrate(made, tmp_path / "b", terms=["descriptors"], rows=50, seed=2), "calibrated")
    assert few.shape == (50, 33) and not torch.equal(few, others["banks"]["descriptors"])


def test_no_order_of_the_training_scans_changes_the_model(made, tmp_path):
    """The shard's clouds the other way round."""
    with read_shard(made["train"]) as shard:
        settings = shard.attributes["settings"]
    with clouds([made["train"]], **GRAPH) as stored:
        kept = [stored[index] for index in range(len(stored))]
    write_shard(tmp_path / "reversed.h5", kept[::-1], settings=settings, code="")
    first = load(calibrate(made, tmp_path / "a"), "calibrated")
    second = load(calibrate(made | {"train": tmp_path / "reversed.h5"}, tmp_path / "b"), "calibrated")
    assert torch.equal(first["banks"]["descriptors"], second["banks"]["descriptors"])
    assert first["units"] == second["units"]


def test_two_threads_give_the_same_bytes(made, tmp_path):
    one = load(calibrate(made, tmp_path / "a", terms=["descriptors", "error", "mahalanobis"]), "calibrated")
    two = load(calibrate(made, tmp_path / "b", terms=["descriptors", "error", "mahalanobis"], threads=2), "calibrated")
    assert torch.equal(one["banks"]["descriptors"], two["banks"]["descriptors"]) and one["units"] == two["units"]


def test_cells_are_means_over_their_pixels_in_which_invalid_ones_count_as_zeros(made):
    valid = np.zeros((4, 4), bool)
    valid[:2] = True
    row, column = np.nonzero(valid)
    places = np.column_stack([column, row, np.zeros(8)]).astype(np.float32)

    class Cloud:
        points = places

    values = torch.arange(8.0)[:, None]
    scan = Scan(Cloud(), None, places, valid)
    assert scan.averaged(values, CellSettings(cells=2, window=1))[:, 0].tolist() == pytest.approx([2.5, 4.5, 0, 0])
    assert scan.averaged(values, CellSettings(cells=1, window=1))[:, 0].tolist() == pytest.approx([1.75])


def test_a_scans_score_is_the_mean_of_its_highest_pixels():
    assert image_score(np.arange(200.0).reshape(10, 20), 0.02) == pytest.approx(np.mean([196, 197, 198, 199]))
    assert image_score(np.arange(200.0).reshape(10, 20), 1e-9) == 199


def test_another_student_than_the_models_is_refused(made, tmp_path):
    path = calibrate(made, tmp_path)
    save(path, load(path, "calibrated") | {"student": "0" * 64})
    with pytest.raises(ValueError, match=r"a model made with .*student.pt, found one of another student"):
        make_maps(made, path, tmp_path / "maps")


def test_images_of_other_scans_are_refused(made, tmp_path):
    with pytest.raises(ValueError, match="expected the 5 scans of .*, found 2 scans"):
        calibrate(made | {"train_images": made["validation_images"]}, tmp_path)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"window": 2}, "odd number up to 16, found 2"),
        ({"terms": ["error", "error"]}, "each once, found error error"),
    ],
)
def test_settings_out_of_range_are_refused(made, tmp_path, changed, match):
    with pytest.raises(ValueError, match=match):
        calibrate(made, tmp_path, **changed)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("banks", lambda old: {}),
        ("banks", lambda old: old | {"descriptors": old["descriptors"][:, 1:]}),
        ("banks", lambda old: old | {"descriptors": torch.zeros(1).expand(2**32, 16)}),
        ("banks", lambda old: None),
        ("units", lambda old: old | {"error": float("nan")}),
        ("units", lambda old: {"error": 1.0}),
        ("units", lambda old: old | {"error": torch.ones(1).expand(2**34)}),
        ("scoring", lambda old: old | {"cells": 10**9}),
        ("scoring", lambda old: old | {"terms": ["mahalanobis"]}),
        ("scoring", lambda old: {"cells": 16}),
        ("clusters", lambda old: {"centres": torch.zeros(2, 16)}),
    ],
)
def test_a_damaged_model_is_one_line_with_the_file(made, tmp_path, name, damage):
    content = load(calibrate(made, tmp_path), "calibrated")
    save(tmp_path / "damaged.pt", content | {name: damage(content[name])})
    with pytest.raises(ValueError, match=r"damaged\.pt: expected ") as caught:
        load_calibrated(made["extractor"], made["student"], tmp_path / "damaged.pt", CPU)
    assert "\n" not in str(caught.value)
