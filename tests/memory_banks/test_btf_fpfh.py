"""BTF: its features, its bank, its maps and its image score."""

import numpy as np
import pytest
import reference_rows as reference
import torch
from scipy.spatial import cKDTree
from small_dataset import write_small_dataset
from stage_call import call
from test_objects import make_objects, plane_with

from st3d.evaluation.maps import maps
from st3d.formats.checkpoints import load
from st3d.formats.images import Image, Images, write_images
from st3d.formats.scans import read_map
from st3d.kernels.nearest_rows import NearestRows
from st3d.kernels.open3d_library import open3d_module
from st3d.kernels.squares import to_scan
from st3d.memory_banks.bank_scores import blurred, enlarged, reweighted
from st3d.memory_banks.btf_fpfh import btf_fpfh
from st3d.memory_banks.btf_fpfh_maps import maps_of
from st3d.memory_banks.histograms import features, histograms
from st3d.training.device import set_threads

CPU = torch.device("cpu")
SETTINGS = {"modality": "3d", "normals": 12, "neighbours": 20, "cells": 14, "coreset": 0.2, "blur": 2.0,
            "device": "cpu", "threads": 1, "code": ""}  # fmt: skip


def fill(train, folder, **changed):
    folder.mkdir(exist_ok=True)
    call(btf_fpfh, train=train, model=folder / "model.pt", **(SETTINGS | changed))
    return folder / "model.pt"


@pytest.fixture
def dataset(tmp_path, rng):
    return write_small_dataset(tmp_path / "data", rng, counts=(4, 1, 2))


@pytest.fixture
def image(dataset):
    with Images(make_objects(dataset, "train", mask="none")) as images:
        return images.image(0, "3d").values


def test_histograms_are_open3ds_of_the_nearest_points_with_normals_as_the_eigenvectors_come(image):
    found = histograms(image, 12, 20)
    seen = (image != 0).any(axis=0)
    points = image[:, seen].T.astype(np.float64)
    assert found.shape == (33, 56, 56) and not found[:, ~seen].any()
    open3d = open3d_module()
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))
    near = cKDTree(points).query(points, 12)[1]
    cloud.estimate_normals(open3d.geometry.KDTreeSearchParamKNN(12))
    spread = points[near] - points[near].mean(axis=1, keepdims=True)
    least = np.linalg.eigh(spread.transpose(0, 2, 1) @ spread)[1][:, :, 0]
    assert np.quantile(np.abs((least * np.asarray(cloud.normals)).sum(axis=1)), 0.01) > 0.999
    expected = open3d.pipelines.registration.compute_fpfh_feature(cloud, open3d.geometry.KDTreeSearchParamKNN(20)).data
    assert np.array_equal(found[:, seen], np.asarray(expected).astype(np.float32))
    sums = found[:, seen].reshape(3, 11, -1).sum(axis=1)
    assert np.allclose(sums, 200, atol=1)  # a point's own histogram, and its neighbours' mean: 100 % each


def test_a_feature_is_the_mean_of_its_cells_histograms(image):
    expected = reference.cell_means(histograms(image, 12, 20), 14, 3)
    assert np.allclose(features(image, 12, 20, 14).numpy(), expected, atol=1e-4)


def test_an_image_without_a_point_is_refused():
    with pytest.raises(ValueError, match="expected valid pixels in an object image, found none"):
        histograms(np.zeros((3, 28, 28), np.float32), 12, 20)


def test_the_bank_is_the_greedy_coreset_of_all_training_scans(dataset, tmp_path):
    train = make_objects(dataset, "train")
    model = load(fill(train, tmp_path), "memory_bank")
    with Images(train) as images:
        rows = torch.cat([features(images.image(index, "3d").values, 12, 20, 14) for index in range(4)])
    chosen = reference.coreset(rows.numpy(), int(0.2 * 4 * 196))
    assert torch.equal(model["bank"], rows[chosen])
    assert (model["method"], model["input"], model["sides"]) == ("btf_fpfh", "objects", [56, 56])
    assert model["settings"]["coreset"] == 0.2


def mapped(model, test):
    return {each.sample: each for each in maps_of([model], [test], CPU)}


def test_a_map_is_the_distance_to_the_bank_by_cells_enlarged_and_blurred(dataset, tmp_path):
    model, test = fill(make_objects(dataset, "train"), tmp_path), make_objects(dataset, "test")
    found = mapped(model, test)
    bank = load(model, "memory_bank")["bank"].numpy()
    with Images(test) as images:
        for index in range(len(images)):
            image = images.image(index, "3d")
            distance, _ = reference.nearest_rows(features(image.values, 12, 20, 14).numpy(), bank, 1)
            small = enlarged(torch.from_numpy(distance.astype(np.float32)).view(14, 14), 56)
            expected = to_scan(blurred(small, 2.0), (64, 64))
            assert np.allclose(found[image.sample].scores, expected, rtol=1e-4)
            assert found[image.sample].points == (image.values != 0).any(axis=0).sum()
    assert list(found) == ["dent/000", "good/000", "good/001"]


def test_a_training_scan_has_no_distance_from_a_whole_bank(dataset, tmp_path):
    train = make_objects(dataset, "train")
    for each in mapped(fill(train, tmp_path, coreset=1.0), train).values():
        assert not each.scores.any() and each.score == 0


def test_the_stage_writes_the_methods_own_score_of_a_scan(dataset, tmp_path):
    model, test = fill(make_objects(dataset, "train"), tmp_path), make_objects(dataset, "test")
    maps(method="btf_fpfh", models=[model], test=[test], output=tmp_path / "maps", manifest=tmp_path / "maps.csv",
         device="cpu", threads=1, code="")  # fmt: skip
    rows = [line.split(",") for line in (tmp_path / "maps.csv").read_text().splitlines()[1:]]
    for (sample, *_, score), each in zip(rows, mapped(model, test).values(), strict=True):
        assert sample == each.sample and float(score) == each.score != each.scores.max()
        assert np.array_equal(read_map(tmp_path / f"maps/test/{sample}.tiff"), each.scores)


def plain_reweighted(features, bank):
    """The formula, by the full matrices."""
    distance, row = reference.nearest_rows(features, bank, 1)
    at = distance[:, 0].argmax()
    others = reference.nearest_rows(bank[row[at]], bank, 3)[1][0, 1:]
    further = np.linalg.norm(bank[others].astype(float) - features[at], axis=1)
    root = np.sqrt(features.shape[1])
    weight = 1 - np.exp(distance[at, 0] / root) / np.exp(further / root).sum()
    return weight * distance[at, 0], weight


def test_the_score_is_the_largest_distance_weighted_between_a_half_and_one(rng):
    for _ in range(200):
        spread = rng.choice([0.1, 1, 30])
        bank, own = (spread * rng.standard_normal((n, 33)).astype(np.float32) for n in (50, 20))
        search = NearestRows(torch.from_numpy(bank))
        found = reweighted(torch.from_numpy(own), search(torch.from_numpy(own)), search)
        expected, weight = plain_reweighted(own, bank)
        assert found == pytest.approx(expected, rel=1e-5) and 0.5 <= weight < 1


def test_a_far_scan_and_a_bank_of_one_row_have_finite_scores():
    for bank in (torch.zeros(1, 33), torch.eye(2, 33), torch.eye(5, 33)):
        search, far = NearestRows(bank), torch.full((3, 33), 1e5)
        assert 0 < reweighted(far, search(far), search) < np.inf


def test_a_blur_keeps_constants_and_the_sum_inside(rng):
    assert np.allclose(blurred(np.full((56, 56), 2.0, np.float32), 4.0), 2)
    dot = np.zeros((112, 112), np.float32)
    dot[50, 60] = 1
    assert blurred(dot, 4.0).sum() == pytest.approx(1, abs=1e-5)
    assert np.array_equal(blurred(dot, 0), dot)


def reordered(path, order, modality="3d"):
    """The same images in another order."""
    with Images(path) as images:
        rows = [images.image(index, modality) for index in order]
        write_images(path.with_suffix(".other.h5"), rows, "objects", {}, settings={"mask": "none"}, code="")
    return path.with_suffix(".other.h5")


def test_the_order_of_the_training_scans_and_of_the_test_scans_changes_no_score(dataset, tmp_path):
    train, test = make_objects(dataset, "train"), make_objects(dataset, "test")
    model = fill(train, tmp_path / "a")
    other = fill(reordered(train, [2, 0, 3, 1]), tmp_path / "b")
    assert other.read_bytes() == model.read_bytes()
    found, again = mapped(model, test), mapped(model, reordered(test, [1, 2, 0]))
    assert all(np.array_equal(found[name].scores, again[name].scores) for name in found)
    assert all(found[name].score == again[name].score for name in found)


def test_threads_change_no_byte(dataset, tmp_path):
    train, test = make_objects(dataset, "train"), make_objects(dataset, "test")
    models = [fill(train, tmp_path / str(threads), threads=threads) for threads in (1, 2)]
    assert models[0].read_bytes() == models[1].read_bytes()
    written = []
    for threads in (1, 2):
        folder = tmp_path / f"maps{threads}"
        maps(method="btf_fpfh", models=models[:1], test=[test], output=folder, manifest=folder / "maps.csv",
             device="cpu", threads=threads, code="")  # fmt: skip
        written.append({path.name: path.read_bytes() for path in folder.rglob("*.*")})
    assert written[0] == written[1]
    set_threads(1)


def test_a_dent_is_where_the_map_is_highest(tmp_path):
    rng = np.random.default_rng(3)

    def scans(dented):
        for number in range(6):
            scan = plane_with((30, 30, 14, 0.02)) + rng.normal(0, 1e-5, (64, 64, 3)).astype(np.float32)
            if dented:
                scan[28:36, 34:42, 2] += 0.003 * rng.random((8, 8)).astype(np.float32)
            image = np.moveaxis(scan[4:60, 4:60], 2, 0)
            yield Image(np.ascontiguousarray(image), f"good/{number:03d}", 0, (56, 56))

    for name in ("train", "test"):
        path = tmp_path / f"{name}.h5"
        write_images(path, scans(name == "test"), "objects", {}, settings={"mask": "none"}, code="")
    sound = fill(tmp_path / "train.h5", tmp_path)
    for each in mapped(sound, tmp_path / "test.h5").values():
        row, column = np.unravel_index(each.scores.argmax(), each.scores.shape)
        assert 20 <= row <= 36 and 26 <= column <= 42


def test_other_images_or_models_are_refused_in_one_line(dataset, tmp_path):
    model, test = fill(make_objects(dataset, "train"), tmp_path), make_objects(dataset, "test")
    with pytest.raises(
        ValueError, match="expected one memory bank and one file of object images, found 2 models and 1"
    ):
        list(maps_of([model, model], [test], CPU))
    with pytest.raises(ValueError, match=r"expected sides \[56, 56\], as the model was trained on, found \[28, 28\]"):
        list(maps_of([model], [make_objects(dataset, "test", size=28)], CPU))
    with pytest.raises(ValueError, match="--modality: expected 3d, which alone btf_fpfh reads, found 3d_rgb"):
        fill(test, tmp_path, modality="3d_rgb")
