"""Pretraining PPF-FoldNet: it learns, a killed run goes on, published weights load or are refused in one line."""

import os
from pathlib import Path

import pytest
import torch
from killed import killed_in
from stage_call import call
from test_point_features import surface
from test_ppf_foldnet import official_shapes, official_weights

from st3d.extractors.ppf_foldnet.network import PPFFoldNet, layers_of
from st3d.extractors.ppf_foldnet.pretrain import pretrain_ppf_foldnet
from st3d.formats.atomic import write_json
from st3d.formats.checkpoints import load
from st3d.formats.shards import Cloud, write_shard
from st3d.kernels.graph import Graph
from st3d.kernels.points import mean_neighbour_distance

SETTINGS = {"points": 150, "neighbours": 6, "checkpoint": "", "descriptors": 40, "neighbourhood": 16, "epochs": 3}
SETTINGS |= {"learning_rate": 1e-3, "weight_decay": 1e-6, "patches": 4, "seed": 7}
MACHINE = {"device": "cpu", "threads": 1, "code": "test"}


@pytest.fixture
def scenes(tmp_path, rng):
    """Shards of 5 training and 2 validation clouds in two parts, and their scale."""
    clouds = []
    for _ in range(7):
        points, near = surface(rng, 150)
        clouds.append(Cloud(points.astype("float32"), near[:, :6].astype("uint16")))
    files = {"train": [tmp_path / "train_0.h5", tmp_path / "train_1.h5"], "validation": [tmp_path / "validation.h5"]}
    for part, path in enumerate(files["train"]):
        write_shard(path, clouds[part:5:2], settings={}, code="")
    write_shard(files["validation"][0], clouds[5:], settings={}, code="")
    scale = tmp_path / "scale.json"
    write_json(scale, {"scale": mean_neighbour_distance(clouds[0].points, 6)})
    return files | {"scale": [scale]}


def pretrain(scenes, folder, **changed):
    files = {"extractor": folder / "extractor.pt", "curve": folder / "loss.csv"}
    call(pretrain_ppf_foldnet, **scenes, **files, **(SETTINGS | MACHINE | changed))
    return folder / "extractor.pt"


def published(path, weights):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(weights, path)
    return str(path)


def test_pretraining_lowers_the_validation_loss_and_keeps_the_best_epoch(scenes, tmp_path):
    path = pretrain(scenes, tmp_path, epochs=8)
    losses = [float(line.split(",")[2]) for line in (tmp_path / "loss.csv").read_text().splitlines()[1:]]
    assert len(losses) == 8 and min(losses) < 0.7 * losses[0]
    best = losses.index(min(losses)) + 1
    short = pretrain(scenes, tmp_path / "short", epochs=best)
    kept, last = load(path, "extractor")["weights"], load(short, "extractor")["weights"]
    assert all(torch.equal(kept[name], last[name]) for name in kept)


def test_what_is_written_describes_points(scenes, tmp_path, rng):
    content = load(pretrain(scenes, tmp_path), "extractor")
    assert (content["method"], content["model"]) == ("ppf_foldnet", {"neighbourhood": 16, "descriptors": 40})
    assert content["settings"]["patches"] == 4 and content["code"] == "test"
    network = PPFFoldNet(**content["model"])
    network.load_state_dict(content["weights"])
    points, near = surface(rng, 60)
    graph = Graph(torch.from_numpy(points), torch.from_numpy(near))
    descriptors = network.extract(graph, graph.row_of_point[: network.descriptors])
    assert descriptors.shape == (40, 512) and descriptors.isfinite().all()


KILLED = """
from test_pretrain_ppf_foldnet import pretrain
scenes = {{"train": [Path(p) for p in {train!r}], "validation": [Path({validation!r})], "scale": [Path({scale!r})]}}
pretrain(scenes, Path({folder!r}))
"""


@pytest.mark.parametrize("fatal", [1, 2, 3])
def test_a_run_killed_in_any_epoch_ends_where_an_uninterrupted_one_does(scenes, tmp_path, fatal):
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    pretrain(scenes, whole)
    paths = {"train": [str(p) for p in scenes["train"]], "validation": str(scenes["validation"][0])}
    killed_in(fatal, KILLED.format(scale=str(scenes["scale"][0]), folder=str(folder), **paths))
    assert not (folder / "extractor.pt").exists()
    pretrain(scenes, folder)
    for name in ("extractor.pt", "loss.csv"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    assert not list(folder.glob("*.checkpoint"))


def test_a_finished_run_is_not_trained_again(scenes, tmp_path):
    path = pretrain(scenes, tmp_path)
    before = path.stat().st_mtime_ns
    pretrain(scenes, tmp_path)
    assert path.stat().st_mtime_ns == before
    pretrain(scenes, tmp_path, seed=99)
    assert path.stat().st_mtime_ns != before


@pytest.mark.parametrize("layout", ["conv1d", "linear"])
def test_published_weights_are_taken_as_they_are(scenes, tmp_path, layout):
    official = official_weights()
    weights = published(tmp_path / "a.pkl", official if layout == "conv1d" else layers_of(official))
    scenes = {"train": [], "validation": [], "scale": []}  # which nobody need make
    content = load(pretrain(scenes, tmp_path, checkpoint=weights), "extractor")
    assert content["weights"].keys() == official.keys()
    assert all(torch.equal(content["weights"][name].reshape(value.shape), value) for name, value in official.items())
    assert (tmp_path / "loss.csv").read_text() == "epoch,train,validation\n"


def test_where_published_weights_lie_does_not_matter_but_what_they_are_does(scenes, tmp_path):
    paths = [published(tmp_path / name / "w.pkl", official_weights(seed)) for name, seed in (("a", 0), ("b", 0))]
    first, second = (pretrain(scenes, tmp_path / str(i), checkpoint=path) for i, path in enumerate(paths))
    assert first.read_bytes() == second.read_bytes()
    published(Path(paths[0]), official_weights(1))
    assert pretrain(scenes, tmp_path / "0", checkpoint=paths[0]).read_bytes() != second.read_bytes()


def changed_weights(**changes):
    """The official checkpoint with some tensors replaced; None leaves one out."""
    weights = official_weights() | {name.replace("_in_", "."): value for name, value in changes.items()}
    return {name: value for name, value in weights.items() if value is not None}


NARROW = "encoder.fc1.weight of shape (1024, 704), found (1024, 320)"  # an earlier state of the public network
WRONG = {
    "other dimensions": (lambda: changed_weights(encoder_in_fc1_in_weight=torch.zeros(1024, 320)), NARROW),
    "a missing one": (
        lambda: changed_weights(encoder_in_bn2_in_running_var=None),
        "encoder.bn2.running_var of shape (128,), found none",
    ),
    "an unknown one": (lambda: changed_weights(conv9=torch.zeros(2)), "conv9 of shape none, found (2,)"),
    "a wide convolution": (
        lambda: changed_weights(encoder_in_conv1_in_weight=torch.zeros(64, 4, 3)),
        "encoder.conv1.weight of shape (64, 4), found (64, 4, 3)",
    ),
    "numbers that are none": (
        lambda: changed_weights(encoder_in_fc2_in_bias=torch.full((512,), torch.nan)),
        "finite numbers, found others in encoder.fc2.bias",
    ),
    "a nested checkpoint": (lambda: {"epoch": 3}, "tensors by name, found 'epoch' of type int"),
    "a list": (lambda: [torch.zeros(3)], "tensors by name, found list"),
    "tensors by number": (lambda: {0: torch.zeros(3)}, "tensors by name, found 0 of type Tensor"),
    "nothing": (lambda: {}, "decoder.mlp1.0.bias of shape (256,), found none"),
}


@pytest.mark.parametrize("what", WRONG)
def test_weights_of_another_architecture_are_refused_in_one_line_before_anything_is_written(scenes, tmp_path, what):
    made, expected = WRONG[what]
    path = published(tmp_path / "w.pkl", made())
    with pytest.raises(ValueError) as caught:
        pretrain(scenes, tmp_path / "out", checkpoint=path)
    assert str(caught.value) == f"{path}: expected {expected}"
    assert not (tmp_path / "out").exists()


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_a_file_that_is_no_file_of_tensors_is_refused_and_not_run(scenes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = published(tmp_path / "whole.pkl", official_weights())
    (tmp_path / "truncated.pkl").write_bytes(Path(whole).read_bytes()[:-1000])
    (tmp_path / "text.pkl").write_text("weights")
    published(tmp_path / "harmful.pkl", {"encoder": Harmful()})
    for name in ("truncated", "text", "harmful", "absent"):
        with pytest.raises(ValueError, match=f"{name}.pkl: expected published weights, found ") as caught:
            pretrain(scenes, tmp_path / "out", checkpoint=str(tmp_path / f"{name}.pkl"))
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "harm").exists() and not (tmp_path / "out").exists()


def test_all_tensors_of_the_public_checkpoint_are_kept(scenes, tmp_path):
    weights = published(tmp_path / "w.pkl", official_weights())
    kept = load(pretrain(scenes, tmp_path, checkpoint=weights), "extractor")["weights"]
    assert {name: tuple(value.shape) for name, value in kept.items()} == {
        name: shape[:2] for name, shape in official_shapes().items()
    }


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_pretraining_on_a_gpu_ends_with_the_same_bytes_twice(scenes, tmp_path):
    runs = [pretrain(scenes, tmp_path / str(i), device="cuda") for i in range(2)]
    assert runs[0].read_bytes() == runs[1].read_bytes()
