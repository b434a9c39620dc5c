"""Other extractors in the teacher's place: students, maps and the detector take any of them."""

import numpy as np
import pytest
import tifffile
import torch
from small_dataset import write_small_dataset
from stage_call import call
from uncalibrated import mapped

from st3d.evaluation.maps import maps
from st3d.extractors.fcgf.network import FCGF
from st3d.extractors.fpfh import FPFHExtractor, fpfh
from st3d.extractors.interface import at_descriptor_points
from st3d.extractors.point_features import fpfh as histograms
from st3d.extractors.point_features import normals
from st3d.extractors.ppf_foldnet.network import PPFFoldNet
from st3d.formats.atomic import read_json
from st3d.formats.checkpoints import load, save
from st3d.formats.provenance import provenance
from st3d.formats.scans import read_map
from st3d.student_teacher.downsampling import downsampling
from st3d.student_teacher.graph import graph
from st3d.student_teacher.pair import load_pair, load_teacher
from st3d.student_teacher.scale import scale
from st3d.student_teacher.student import student
from st3d.training.inputs import Inputs

CPU = torch.device("cpu")
POINTS, NEIGHBOURS, DESCRIPTORS = 400, 6, 120
MODELS = {
    "fcgf": {"voxel": 0.01, "width": 32, "conv1_kernel": 3},
    "ppf_foldnet": {"neighbourhood": 16, "descriptors": DESCRIPTORS},
    "fpfh": {"normals": 0, "neighbours": 10},
}
OUTPUTS = {"fcgf": 32, "ppf_foldnet": 512, "fpfh": 33}
METHODS = sorted(MODELS)


@pytest.fixture
def extractors(tmp_path):
    """Files of all three; networks with random weights."""
    for number, method in enumerate(METHODS):
        torch.manual_seed(number)
        path = tmp_path / f"{method}.pt"
        if method == "fpfh":
            fpfh(extractor=path, **MODELS[method], code="")
            continue
        network = FCGF(**MODELS[method]) if method == "fcgf" else PPFFoldNet(**MODELS[method])
        made = provenance({}, "") | {"kind": "extractor", "method": method, "run": ""}
        save(path, made | {"model": MODELS[method], "weights": network.state_dict()})
    return {method: tmp_path / f"{method}.pt" for method in METHODS}


@pytest.fixture
def scans(tmp_path, rng):
    """A small data set's shards with graphs, its scale, and the folder."""
    write_small_dataset(tmp_path / "scans", rng, counts=(4, 2, 2), colours=False)
    files = {}
    for split in ("train", "validation", "test"):
        shard = {"dataset": tmp_path / "scans", "category": "part", "split": split, "part": 0, "parts": 1, "code": ""}
        downsampling(**shard, points=POINTS, invalid="refuse", seed=4, output=tmp_path / "downsampling.h5")
        files[split] = tmp_path / f"{split}.h5"
        graph(input=tmp_path / "downsampling.h5", output=files[split], points=POINTS, neighbours=NEIGHBOURS, code="")
    files["scale"] = tmp_path / "scale.json"
    scale(train=[files["train"]], points=POINTS, neighbours=NEIGHBOURS, output=files["scale"], code="")
    return files | {"folder": tmp_path / "scans"}


def train_student(scans, teacher, folder, **changed):
    settings = {"points": POINTS, "neighbours": NEIGHBOURS, "width": 16, "blocks": 1, "coordinates": "relative"}
    settings |= {
        "patience": 0,
        "schedule": "constant",
        "epochs": 4,
        "learning_rate": 1e-3,
        "weight_decay": 1e-5,
        "rotation": "none",
        "seed": 8,
    }
    settings |= {"downsampling_seed": 4, "device": "cpu", "threads": 1, "cache_gb": 1.0, "code": ""} | changed
    shards = {"train": [scans["train"]], "validation": [scans["validation"]], "scale": scans["scale"]}
    call(student, teacher=teacher, **shards, student=folder / "student.pt", curve=folder / "loss.csv", **settings)
    return folder / "student.pt"


def first_graph(scans):
    s = read_json(scans["scale"])["scale"]
    with Inputs([scans["test"]], POINTS, NEIGHBOURS, s, CPU) as inputs:
        return inputs.graph(0), inputs.cloud(0), s


@pytest.mark.parametrize("method", METHODS)
def test_a_student_learns_any_extractors_descriptors_and_gives_as_many_numbers(scans, extractors, tmp_path, method):
    path = train_student(scans, extractors[method], tmp_path / method)
    losses = [float(line.split(",")[2]) for line in (tmp_path / method / "loss.csv").read_text().splitlines()[1:]]
    assert losses[-1] < losses[0]
    content = load(path, "student")
    assert content["weights"]["output.weight"].shape == (OUTPUTS[method], 16)
    assert content["mean"].shape == content["std"].shape == (OUTPUTS[method],)
    again = train_student(scans, extractors[method], tmp_path / "again", cache_gb=0.0)
    kept = load(again, "student")["weights"]  # the same whether descriptors are kept or computed anew
    assert all(torch.equal(kept[name], value) for name, value in content["weights"].items())


@pytest.mark.parametrize("method", METHODS)
def test_the_maps_score_the_described_points_and_the_detector_agrees(scans, extractors, tmp_path, method):
    path = train_student(scans, extractors[method], tmp_path / method, epochs=1)
    files = {"output": tmp_path / "maps", "manifest": tmp_path / "maps.csv"}
    maps(
        method="3d_st",
        models=[extractors[method], path],
        test=[scans["test"]],
        **files,
        device="cpu",
        threads=1,
        code="",
    )
    pair = load_pair(extractors[method], path, CPU)
    shown, cloud, _ = first_graph(scans)
    scores = pair.scores(shown).numpy()
    count = DESCRIPTORS if method == "ppf_foldnet" else POINTS
    assert len(scores) == count and f",{count}," in (tmp_path / "maps.csv").read_text().splitlines()[1]
    found = read_map(tmp_path / "maps/test" / f"{cloud.sample}.tiff")
    assert np.array_equal(found.flat[cloud.pixel[:count]], scores)
    # stated once more, point by point: ||f_S - (f_T - mean) / std||
    target = (pair.teacher.extract(shown) - pair.mean) / pair.std
    with torch.no_grad():
        learned = pair.student.extract(shown)
    rows = shown.row_of_point[:count]
    for index in (0, 7, count - 1):
        place = rows[index] if count == POINTS else index
        assert scores[index] == pytest.approx(float((learned[rows[index]] - target[place]).norm()), rel=1e-5)
    scan = tifffile.imread(scans["folder"] / f"part/test/{cloud.sample.replace('/', '/xyz/')}.tiff")
    assert np.array_equal(mapped(extractors[method], path, scan), found)


def test_a_scan_with_fewer_points_than_are_described_has_a_map(scans, extractors, tmp_path):
    path = train_student(scans, extractors["ppf_foldnet"], tmp_path / "student", epochs=1)
    scan = tifffile.imread(scans["folder"] / "part/test/good/xyz/000.tiff")
    few = np.zeros_like(scan)
    few[20:30, 20:29] = scan[20:30, 20:29]
    valid = int((few != 0).any(axis=2).sum())
    assert NEIGHBOURS < valid < DESCRIPTORS
    found = mapped(extractors["ppf_foldnet"], path, few)
    assert found.shape == scan.shape[:2] and np.isfinite(found).all() and found.max() > 0


def test_a_student_of_another_extractor_is_trained_on_rotated_scans_too(scans, extractors, tmp_path):
    still, rotated, again = (
        train_student(scans, extractors["fpfh"], tmp_path / name, epochs=1, rotation=rotation)
        for name, rotation in (("still", "none"), ("rotated", "random"), ("again", "random"))
    )
    assert rotated.read_bytes() == again.read_bytes() != still.read_bytes()


def test_fcgf_sees_metres_and_fpfh_the_cloud(scans, extractors):
    shown, cloud, s = first_graph(scans)
    network = FCGF(**MODELS["fcgf"])
    network.load_state_dict(load(extractors["fcgf"], "extractor")["weights"])
    metres = torch.from_numpy(cloud.points)
    with torch.no_grad():
        expected = network.eval()(metres)
    found = load_teacher(extractors["fcgf"], CPU, s).extract(shown)[shown.row_of_point]
    assert (found - expected).abs().max() < 1e-4
    other = load_teacher(extractors["fcgf"], CPU, 3 * s).extract(shown)[shown.row_of_point]
    assert (other - expected).abs().max() > 0.01
    points = cloud.points.astype(np.float64) / s
    expected = histograms(points, 10, normals(points, cloud.neighbours.astype(np.int64)))
    found = load_teacher(extractors["fpfh"], CPU, s).extract(shown)[shown.row_of_point].numpy()
    assert np.median(np.abs(found - expected)) < 1e-3


def test_only_the_first_points_are_described_in_the_order_of_the_cloud(scans, extractors):
    shown, _, s = first_graph(scans)
    extractor = load_teacher(extractors["ppf_foldnet"], CPU, s)
    numbers = torch.arange(POINTS)[:, None]
    assert at_descriptor_points(extractor, shown, numbers)[:, 0].tolist() == shown.row_of_point[:DESCRIPTORS].tolist()
    whole = FPFHExtractor(**MODELS["fpfh"])
    assert at_descriptor_points(whole, shown, numbers) is numbers
    assert extractor.extract(shown).shape == (DESCRIPTORS, 512)


def test_an_extractor_that_does_not_fit_is_one_line(scans, extractors, tmp_path):
    path = train_student(scans, extractors["fpfh"], tmp_path / "fpfh", epochs=1)
    with pytest.raises(ValueError, match=r"student.pt: expected a student of .*fcgf.pt .*, found one of \w+"):
        load_pair(extractors["fcgf"], path, CPU)
    content = load(extractors["fcgf"], "extractor")
    save(extractors["fcgf"], content | {"model": content["model"] | {"width": 16}})
    with pytest.raises(ValueError, match=r"fcgf.pt: expected final.bias of shape \(1, 16\), found \(1, 32\)"):
        load_teacher(extractors["fcgf"], CPU, 1.0)
    with pytest.raises(ValueError, match="student.pt: expected a teacher of st3d, found student"):
        load_teacher(path, CPU, 1.0)
