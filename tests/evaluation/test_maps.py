"""Maps: from a trained pair and a scan to scores per pixel."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from small_dataset import CAMERA, write_small_dataset
from test_depth import make_depth
from test_frame import make_frame
from test_training import scenes, train_student, train_teacher
from test_variation import train_variation
from test_voxels import make_voxels
from uncalibrated import mapped

from st3d.baselines.scoring import load_baseline
from st3d.evaluation.maps import maps
from st3d.formats.images import Images
from st3d.formats.scans import read_map
from st3d.kernels.geometry.voxel_grid import Grid, to_pixels
from st3d.student_teacher.downsampling import downsampling
from st3d.student_teacher.graph import graph
from st3d.student_teacher.pair import load_pair
from st3d.student_teacher.point_maps import score_map
from st3d.training.inputs import Inputs

__all__ = ["scenes"]  # the fixture
SIZE = (24, 32)


@pytest.fixture
def pair(scenes, tmp_path):
    """Paths of a trained teacher and student."""
    teacher = train_teacher(scenes, tmp_path)
    return {"teacher": teacher, "student": train_student(scenes, teacher, tmp_path)}


@pytest.fixture
def dataset(tmp_path, rng):
    """Two test scans with missing pixels and their masks."""
    for name in ("good/000", "hole/001"):
        defect, number = name.split("/")
        y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
        scan = np.stack([x * 0.01, y * 0.01, 0.7 + 0.01 * np.sin(x / 4)], axis=2).astype(np.float32)
        scan[rng.random(SIZE) < 0.3] = 0
        for kind in ("xyz", "gt"):
            (tmp_path / "data/part/test" / defect / kind).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tmp_path / f"data/part/test/{defect}/xyz/{number}.tiff", scan, photometric="rgb")
        Image.fromarray(np.full(SIZE, 255, np.uint8)).save(tmp_path / f"data/part/test/{defect}/gt/{number}.png")
    return tmp_path / "data"


@pytest.fixture
def test_shard(dataset, tmp_path):
    """The graph of the test split, as the workflow makes it."""
    shard = {"dataset": dataset, "category": "part", "split": "test", "part": 0, "parts": 1, "code": ""}
    downsampling(**shard, points=150, invalid="refuse", seed=4, output=tmp_path / "downsampling.h5")
    graph(input=tmp_path / "downsampling.h5", output=tmp_path / "test.h5", points=150, neighbours=6, code="")
    return tmp_path / "test.h5"


def make_maps(pair, shard, folder):
    files = {"test": [shard], "output": folder, "manifest": folder / "maps.csv"}
    maps(method="3d_st", models=[pair["teacher"], pair["student"]], **files, device="cpu", threads=1, code="")


def test_a_map_holds_the_regression_error_at_scored_pixels_and_fills_the_rest(pair, test_shard, tmp_path):
    make_maps(pair, test_shard, tmp_path / "maps")
    cpu = torch.device("cpu")
    trained = load_pair(**pair, device=cpu)
    with Inputs([test_shard], 150, 6, trained.scale, cpu) as scans, torch.no_grad():
        graph = scans.graph(1)
        cloud = scans.cloud(1)
        target = (trained.teacher.extract(graph) - trained.mean) / trained.std
        expected = torch.linalg.vector_norm(trained.student.extract(graph) - target, dim=1).numpy()[graph.row_of_point]
    found = read_map(tmp_path / "maps/test/hole/001.tiff")
    assert found.shape == SIZE and found.dtype == np.float32
    assert np.allclose(found.flat[cloud.pixel], expected, rtol=1e-5)
    assert expected.min() - 1e-4 <= found.min() and found.max() <= expected.max() + 1e-4
    rows = (tmp_path / "maps/maps.csv").read_text().splitlines()
    assert rows[0] == "sample,height,width,points,score" and rows[2].startswith("hole/001,24,32,150,")


def test_maps_have_the_same_bytes_on_a_second_run_and_leave_no_stale_ones(pair, test_shard, tmp_path):
    make_maps(pair, test_shard, tmp_path / "maps")
    first = {path.name: path.read_bytes() for path in (tmp_path / "maps/test").rglob("*.tiff")}
    (tmp_path / "maps/test/hole/999.tiff").write_bytes(b"of an earlier run")
    make_maps(pair, test_shard, tmp_path / "maps")
    assert {path.name: path.read_bytes() for path in (tmp_path / "maps/test").rglob("*.tiff")} == first


def test_the_detector_maps_a_scan_exactly_as_the_workflow_does(pair, dataset, test_shard, tmp_path):
    make_maps(pair, test_shard, tmp_path / "maps")
    for name in ("good/000", "hole/001"):
        defect, number = name.split("/")
        scan = tifffile.imread(dataset / f"part/test/{defect}/xyz/{number}.tiff")
        assert np.array_equal(mapped(**pair, scan=scan), read_map(tmp_path / f"maps/test/{name}.tiff"))


def test_scores_are_placed_at_their_pixels():
    filled = score_map(torch.tensor([1.0, 3.0]), np.array([0, 2], np.uint32), (1, 3))
    assert filled.tolist() == [[1.0, 2.0, 3.0]]


@pytest.fixture
def small(tmp_path, rng):
    """A data set with a camera, its frame made."""
    dataset = write_small_dataset(tmp_path / "small", rng)
    make_frame(dataset)
    return dataset


def baseline_maps(model, test, folder):
    files = {"models": [model], "test": [test], "output": folder, "manifest": folder / "maps.csv"}
    maps(method="voxel_vm", **files, device="cpu", threads=1, code="")
    return {path.parent.name + "/" + path.stem: read_map(path) for path in (folder / "test").rglob("*.tiff")}


def scores_of(model, test, index, modality):
    """A test image's sample name, and the model's scores of it."""
    with Images(test) as images:
        image = images.image(index, modality)
        return image.sample, load_baseline(model, torch.device("cpu")).scores(torch.from_numpy(image.values)[None])[0]


@pytest.mark.parametrize("modality", ["3d", "3d_rgb"])
def test_a_voxels_score_is_at_every_pixel_that_sees_it_the_largest_wins(small, tmp_path, modality):
    model, test = train_variation(make_voxels(small, "train"), tmp_path, modality), make_voxels(small, "test")
    found = baseline_maps(model, test, tmp_path / "maps")
    assert sorted(found) == ["dent/000", "good/000", "good/001"]
    name, scores = scores_of(model, test, 0, modality)
    with Images(test) as images:
        grid = Grid.from_parameters(images.frame["grid"])
    assert np.array_equal(found[name], to_pixels(scores.numpy(), grid, CAMERA))  # see test_voxel_grid.py


def test_a_depth_image_at_the_scans_size_is_its_own_map(small, tmp_path):
    model, test = train_variation(make_depth(small, "train"), tmp_path), make_depth(small, "test")
    name, scores = scores_of(model, test, 0, "3d")
    assert np.array_equal(baseline_maps(model, test, tmp_path / "maps")[name], scores.numpy())


def test_a_smaller_depth_images_scores_are_brought_to_the_scans_size(small, tmp_path):
    model = train_variation(make_depth(small, "train", size=32), tmp_path)
    test = make_depth(small, "test", size=32)
    name, scores = scores_of(model, test, 0, "3d")
    found = baseline_maps(model, test, tmp_path / "maps")[name]
    assert scores.shape == (32, 32) and found.shape == (64, 64)
    for row, column in ((9, 9), (21, 41), (51, 7)):  # whose centres lie a quarter beyond those of a small pixel
        near = scores[row // 2 : row // 2 + 2, column // 2 : column // 2 + 2].numpy().astype(float)
        assert np.isclose(found[row, column], (near * np.outer([0.75, 0.25], [0.75, 0.25])).sum(), rtol=1e-4)


def test_images_in_another_grid_than_the_models_are_refused(small, tmp_path):
    model = train_variation(make_voxels(small, "train"), tmp_path)
    for test, found in ((make_voxels(small, "test", cells=16), "sides"), (make_depth(small, "test"), "input voxels")):
        with pytest.raises(ValueError, match=f"_test.h5: expected {found}.*, as the model was trained on, found"):
            baseline_maps(model, test, tmp_path / "maps")
    model = train_variation(make_depth(small, "train"), tmp_path)
    with pytest.raises(ValueError, match=r"expected sides \[64, 64\], as the model was trained on, found \[32, 32\]"):
        baseline_maps(model, make_depth(small, "test", size=32), tmp_path / "maps")
    assert not (tmp_path / "maps/test").exists()


def test_models_of_no_method_are_one_line(pair, test_shard, tmp_path):
    with pytest.raises(ValueError, match="--models: expected a teacher and a student, found 4 files"):
        maps(method="3d_st", models=[*pair.values()] * 2, test=[test_shard], output=tmp_path,
             manifest=tmp_path / "m.csv", device="cpu", threads=1, code="")  # fmt: skip
    with pytest.raises(ValueError, match=r"teacher.pt: expected a baseline of st3d, found teacher"):
        baseline_maps(pair["teacher"], test_shard, tmp_path / "maps")
