"""Maps, the detector and `inspect`: from a trained pair and a scan to scores per pixel."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from test_training import GRAPH, MODEL, scenes, train_student, train_teacher

from st3d.__main__ import main
from st3d.detector import Detector
from st3d.graph import graph
from st3d.inputs import Inputs
from st3d.maps import maps, score_map
from st3d.models import load_pair
from st3d.scans import read_map
from st3d.thin import thin

__all__ = ["scenes"]  # the fixture
SIZE = (24, 32)


@pytest.fixture
def pair(scenes, tmp_path):
    """Paths of a trained teacher and student."""
    teacher = train_teacher(scenes, tmp_path)
    return {"teacher": teacher, "student": train_student(scenes, teacher, tmp_path)}


@pytest.fixture
def dataset(tmp_path, rng):
    """Two test scans with drop-outs and their masks."""
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
    thin(**shard, points=150, least=7, invalid="refuse", seed=4, output=tmp_path / "thin.h5")
    graph(input=tmp_path / "thin.h5", output=tmp_path / "test.h5", points=150, neighbours=6, code="")
    return tmp_path / "test.h5"


def make_maps(pair, shard, folder):
    settings = MODEL | GRAPH | {"device": "cpu", "threads": 1, "code": ""}
    maps(**pair, test=[shard], output=folder, manifest=folder / "maps.csv", **settings)


def test_a_map_holds_the_regression_error_at_scored_pixels_and_fills_the_rest(pair, test_shard, tmp_path):
    make_maps(pair, test_shard, tmp_path / "maps")
    cpu = torch.device("cpu")
    trained = load_pair(**pair, device=cpu)
    with Inputs([test_shard], 150, 6, trained.scale, cpu) as scans, torch.no_grad():
        graph = scans.graph(1)
        cloud = scans.cloud(1)
        target = (trained.teacher.describe(graph) - trained.mean) / trained.std
        expected = torch.linalg.vector_norm(trained.student.describe(graph) - target, dim=1).numpy()[graph.rows]
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
    detector = Detector.load(**pair, device="cpu")
    for name in ("good/000", "hole/001"):
        defect, number = name.split("/")
        scan = tifffile.imread(dataset / f"part/test/{defect}/xyz/{number}.tiff")
        assert np.array_equal(detector.map(scan), read_map(tmp_path / f"maps/test/{name}.tiff"))


def test_inspect_writes_a_map_and_a_picture_and_says_the_score(pair, dataset, tmp_path, capsys):
    scan = dataset / "part/test/hole/xyz/001.tiff"
    out = ["--map", str(tmp_path / "out.tiff"), "--picture", str(tmp_path / "out.png")]
    models = ["--teacher", str(pair["teacher"]), "--student", str(pair["student"]), "--device", "cpu"]
    assert main(["inspect", str(scan), *models, *out]) == 0
    name, score = capsys.readouterr().out.split()
    assert name == str(scan) and float(score) == pytest.approx(read_map(tmp_path / "out.tiff").max(), rel=1e-5)
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (2 * SIZE[1] + 4, SIZE[0])


@pytest.mark.parametrize(
    "scan, message",
    [
        (np.zeros((5, 5, 3), np.float32), "expected valid pixels in the scan, found none"),
        (np.eye(3, dtype=np.float32)[None], "expected at least 7 valid points, found 3"),
        (np.zeros((5, 5, 4), np.float32), "expected an image of 3 channels"),
    ],
)
def test_a_scan_that_cannot_be_inspected_is_one_line_and_exit_code_1(pair, tmp_path, capsys, scan, message):
    tifffile.imwrite(tmp_path / "bad.tiff", scan, photometric="minisblack")
    models = ["--teacher", str(pair["teacher"]), "--student", str(pair["student"])]
    assert main(["inspect", str(tmp_path / "bad.tiff"), *models, "--map", str(tmp_path / "out.tiff")]) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"st3d inspect: {tmp_path / 'bad.tiff'}: ") and message in said and "\n" not in said
    assert not (tmp_path / "out.tiff").exists()


def test_a_student_that_is_not_there_is_named(pair, dataset, tmp_path, capsys):
    scan = str(dataset / "part/test/hole/xyz/001.tiff")
    assert main(["inspect", scan, "--teacher", str(pair["teacher"]), "--student", str(tmp_path / "none.pt")]) == 1
    assert "none.pt: expected a student, found no such file" in capsys.readouterr().err


def test_scores_are_placed_at_their_pixels():
    filled = score_map(torch.tensor([1.0, 3.0]), np.array([0, 2], np.uint32), (1, 3))
    assert filled.tolist() == [[1.0, 2.0, 3.0]]
