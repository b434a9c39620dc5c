"""Pretraining FCGF: views and loss, official weights, and that a killed run goes on as if nothing had happened."""

import argparse
import pickle
import shutil
import sys
import types

import numpy as np
import pytest
import torch
from killed import killed_in
from reference_sparse import hardest_contrastive as written_out
from stage_call import call

from st3d.extractors.fcgf.contrastive import SAME, View, draw_views, hardest_contrastive, overlapping
from st3d.extractors.fcgf.network import FCGF
from st3d.extractors.fcgf.pretrain import pretrain_fcgf
from st3d.formats.checkpoints import load, load_weights
from st3d.formats.shards import Cloud, write_shard
from st3d.kernels.sparse import positions
from st3d.training.device import set_threads

CPU = torch.device("cpu")
SETTINGS = {"points": 200, "checkpoint": "", "voxel": 0.0035, "width": 16, "conv1_kernel": 3, "scene_voxel": 0.15}
SETTINGS |= {"epochs": 2, "learning_rate": 1e-3, "weight_decay": 1e-4, "overlap": 0.6, "pairs": 64, "candidates": 32}
SETTINGS |= {"positive_margin": 0.1, "negative_margin": 1.4, "seed": 3, "device": "cpu", "threads": 1, "code": "test"}


def wavy(rng, count=200):
    plane = rng.uniform(-1, 1, (count, 2))
    return np.column_stack([plane, 0.2 * np.sin(3 * plane[:, 0] + rng.uniform(0, 6))]).astype(np.float32)


@pytest.fixture
def scenes(tmp_path, rng):
    """Shards of 2 training scenes in two parts and 1 validation scene."""
    clouds = [Cloud(wavy(rng)) for _ in range(3)]
    files = {"train": [tmp_path / "train_0.h5", tmp_path / "train_1.h5"], "validation": [tmp_path / "validation.h5"]}
    for part, path in enumerate(files["train"]):
        write_shard(path, clouds[part:2:2], settings={}, code="")
    write_shard(files["validation"][0], clouds[2:], settings={}, code="")
    return files


def train_fcgf(scenes, folder, **changed):
    call(pretrain_fcgf, **scenes, extractor=folder / "fcgf.pt", curve=folder / "loss.csv", **(SETTINGS | changed))
    return folder / "fcgf.pt"


def one_line(scenes, folder, path):
    with pytest.raises(ValueError) as caught:
        train_fcgf(scenes, folder, checkpoint=str(path))
    message = str(caught.value)
    assert "\n" not in message and message.startswith(f"{path}: ")
    assert not (folder / "fcgf.pt").exists()
    return message


def views_of(rng, **changed):
    sizes = {"voxel": 0.15, "overlap": 0.6, "pairs": 64, "candidates": 32} | changed
    return draw_views(wavy(rng, 400), **sizes, rng=rng, device=CPU)


@pytest.mark.parametrize("overlap", [0.1, 0.5, 1.0])
def test_two_parts_share_the_points_that_were_asked_for(rng, overlap):
    points = rng.normal(size=(997, 3))
    first, second = overlapping(points, overlap, rng)
    assert len(first) == len(second) and len(np.union1d(first, second)) == 997
    assert len(np.intersect1d(first, second)) / len(first) == pytest.approx(overlap, abs=0.003)
    # the parts are divided by planes: what only one has lies on one side of what both have
    only = np.setdiff1d(first, second), np.intersect1d(first, second), np.setdiff1d(second, first)
    if overlap < 1:
        towards = points[only[2]].mean(axis=0) - points[only[0]].mean(axis=0)
        means = [points[part].mean(axis=0) @ towards for part in only]
        assert means[0] < means[1] < means[2]


def test_parts_without_a_common_point_are_one_line(rng):
    with pytest.raises(ValueError, match="expected parts with common points, found none of 10 at overlap 0.0"):
        overlapping(rng.normal(size=(10, 3)), 0.0, rng)


def test_positives_are_voxels_of_the_same_place_and_candidates_are_distinct(rng):
    views = views_of(rng)
    assert [len(view.positives) for view in views] == [64, 64] and [len(view.candidates) for view in views] == [32, 32]
    apart = (views[0].centres[views[0].positives] - views[1].centres[views[1].positives]).norm(dim=1)
    assert apart.max() < 2 * 3**0.5 * 0.15 * 1.5 and apart.mean() < 0.15
    for view in views:
        assert len(view.candidates.unique()) == 32 and len(view.centres) == len(view.keys)


def test_views_are_rotated_and_their_voxels_keep_the_scenes_size(rng):
    views = views_of(rng, overlap=1.0)
    assert not torch.equal(views[0].keys, views[1].keys)
    for view in views:
        # distances between voxels are those of the centres in the scene, up to the voxels' size and the noise
        place = positions(view.keys).double() * 0.15
        found, expected = torch.pdist(place), torch.pdist(view.centres.double())
        assert (found - expected).abs().max() < 2 * 3**0.5 * 0.15


def test_more_pairs_than_there_are_give_all(rng):
    views = views_of(rng, pairs=10**6, candidates=10**6)
    pairs = set(zip(views[0].positives.tolist(), views[1].positives.tolist(), strict=True))
    assert len(pairs) == len(views[0].positives) > 64
    assert [len(view.candidates) for view in views] == [len(view.keys) for view in views]


@pytest.mark.parametrize("margins", [(0.1, 1.4), (0.0, 0.5)])
def test_the_loss_is_the_one_written_out(rng, margins):
    views = views_of(rng)
    first, second = (torch.nn.functional.normalize(torch.randn(len(view.keys), 8), dim=1) for view in views)
    found = hardest_contrastive((first, second), views, *margins)
    assert float(found) == pytest.approx(written_out(first.numpy(), second.numpy(), views, *margins), rel=1e-4)


def test_a_candidate_at_the_positives_own_place_is_no_negative():
    rows = torch.tensor([0])
    one, far = (View(1.0, rows, torch.tensor([[x, 0.0, 0.0]]), rows, rows) for x in (0.0, SAME + 0.1))
    same = torch.ones(1, 4)
    assert float(hardest_contrastive((same, same), (one, one), 0.1, 1.4)) == 0
    # the same descriptor elsewhere costs all of the margin
    assert float(hardest_contrastive((same, same), (one, far), 0.1, 1.4)) == pytest.approx(1.4**2, rel=1e-3)


def test_training_lowers_the_validation_loss_and_keeps_the_best_epoch(scenes, tmp_path):
    path = train_fcgf(scenes, tmp_path, epochs=4)
    losses = [float(line.split(",")[2]) for line in (tmp_path / "loss.csv").read_text().splitlines()[1:]]
    assert len(losses) == 4 and min(losses) < losses[0]
    best = losses.index(min(losses)) + 1
    short = train_fcgf(scenes, tmp_path / "short", epochs=best)
    kept, last = load(path, "extractor")["weights"], load(short, "extractor")["weights"]
    assert all(torch.equal(kept[name], last[name]) for name in kept)
    assert kept["norm1.bn.num_batches_tracked"] == best * 2 * 2  # scenes, views


def test_the_result_is_a_network_with_the_scans_voxel(scenes, tmp_path):
    path = train_fcgf(scenes, tmp_path, epochs=1)
    content = load(path, "extractor")
    assert content["method"] == "fcgf"
    assert content["model"] == {"voxel": 0.0035, "width": 16, "conv1_kernel": 3, "normalised": True}
    network = FCGF(**content["model"])
    load_weights(network, content["weights"], path)
    assert network.eval()(torch.rand(50, 3) * 0.02).shape == (50, 16)


def test_a_run_killed_in_an_epoch_ends_where_an_uninterrupted_one_does(scenes, tmp_path):
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    train_fcgf(scenes, whole)
    paths = ", ".join(f"{split!r}: [Path(p) for p in {[str(p) for p in files]}]" for split, files in scenes.items())
    source = f"import test_pretrain_fcgf\ntest_pretrain_fcgf.train_fcgf({{{paths}}}, Path({str(folder)!r}))\n"
    killed_in(2, source)
    assert (folder / "fcgf.checkpoint").exists() and not (folder / "fcgf.pt").exists()
    train_fcgf(scenes, folder)
    for name in ("fcgf.pt", "loss.csv"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    assert not list(folder.glob("*.checkpoint"))


def test_a_finished_run_is_not_trained_again(scenes, tmp_path):
    path = train_fcgf(scenes, tmp_path, epochs=1)
    before = path.stat().st_mtime_ns
    train_fcgf(scenes, tmp_path, epochs=1)
    assert path.stat().st_mtime_ns == before
    train_fcgf(scenes, tmp_path, epochs=1, seed=99)
    assert path.stat().st_mtime_ns != before


@pytest.fixture
def easydict(monkeypatch):
    """The class of that package, as a pickle names it: a dictionary whose items are attributes too."""

    def set_both(self, name, value):
        dict.__setattr__(self, name, value)
        self[name] = value

    package = types.ModuleType("easydict")
    package.EasyDict = type("EasyDict", (dict,), {"__module__": "easydict", "__setattr__": set_both})
    monkeypatch.setitem(sys.modules, "easydict", package)


def write_official(path, config, state=None, legacy=True):
    """A checkpoint as the authors' trainer writes it, in the format of torch 1.2 or a newer one."""
    torch.manual_seed(1)
    state = state or FCGF(1.0, width=32, conv1_kernel=5).state_dict()
    content = {"epoch": 100, "state_dict": state, "optimizer": {"state": {}}, "config": config}
    content |= {"best_val": np.float64(0.9), "best_val_epoch": 3, "best_val_metric": "feat_match_ratio"}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return state


def attributes(config):
    made = sys.modules["easydict"].EasyDict()
    for name, value in config.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("kind", [attributes, lambda config: argparse.Namespace(**config), dict])
def test_an_official_checkpoint_is_converted_without_training(scenes, tmp_path, easydict, kind, legacy):
    weights = tmp_path / "official.pth"
    state = write_official(weights, kind({"normalize_feature": False, "voxel_size": 0.025}), legacy=legacy)
    path = train_fcgf(scenes, tmp_path, checkpoint=str(weights))
    content = load(path, "extractor")
    assert content["model"] == {"voxel": 0.0035, "width": 32, "conv1_kernel": 5, "normalised": False}
    network = FCGF(**content["model"])
    load_weights(network, content["weights"], path)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert (tmp_path / "loss.csv").read_text() == "epoch,train,validation\n"


def test_where_official_weights_lie_is_not_part_of_the_result(scenes, tmp_path):
    write_official(tmp_path / "official.pth", {})
    for name in ("here", "there"):
        shutil.copytree(tmp_path, tmp_path / name, ignore=lambda *_: ["here", "there"])
    made = [train_fcgf(scenes, tmp_path / n, checkpoint=str(tmp_path / n / "official.pth")) for n in ("here", "there")]
    assert made[0].read_bytes() == made[1].read_bytes()


def test_official_weights_of_another_architecture_are_one_line(scenes, tmp_path):
    path = tmp_path / "other.pth"
    state = FCGF(1.0).state_dict()
    write_official(path, {}, state | {"conv2.kernel": torch.zeros(27, 32, 32)})
    assert "expected conv2.kernel of shape (27, 32, 64), found (27, 32, 32)" in one_line(scenes, tmp_path, path)
    write_official(path, {}, {"fc.weight": torch.zeros(3, 3)})
    assert "expected final.kernel, the kernel of an FCGF network, found none" in one_line(scenes, tmp_path, path)
    torch.save({"weights": 1}, path)
    assert "found no state_dict of tensors" in one_line(scenes, tmp_path, path)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_official_weights_that_are_truncated_or_of_another_kind_are_one_line(scenes, tmp_path, content):
    path = tmp_path / "truncated.pth"
    write_official(path, {}, legacy=False)
    path.write_bytes(path.read_bytes()[:-200] if content is None else content)
    assert "expected a checkpoint of FCGF's authors, found a truncated or other file (" in one_line(
        scenes, tmp_path, path
    )


def test_official_weights_that_are_not_there_are_one_line(scenes, tmp_path):
    assert "found no such file" in one_line(scenes, tmp_path, tmp_path / "none.pth")


class Harmful:
    def __reduce__(self):
        import pathlib

        return pathlib.Path.touch, (pathlib.Path("harm"),)


@pytest.mark.parametrize("legacy", [True, False])
def test_a_checkpoint_that_would_run_code_is_refused(scenes, tmp_path, monkeypatch, legacy):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "harmful.pth"
    write_official(path, Harmful(), legacy=legacy)
    assert "which is not read" in one_line(scenes, tmp_path, path)
    path.write_bytes(pickle.dumps(Harmful(), protocol=2))
    one_line(scenes, tmp_path, path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_training_on_a_gpu_ends_with_the_same_bytes_twice(scenes, tmp_path):
    paths = [train_fcgf(scenes, tmp_path / name, device="cuda") for name in ("first", "second")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_cut_shard_is_one_line_and_writes_nothing(scenes, tmp_path):
    scenes["train"][0].write_bytes(scenes["train"][0].read_bytes()[:100])
    with pytest.raises(ValueError, match="train_0.h5: ") as caught:
        train_fcgf(scenes, tmp_path)
    assert "\n" not in str(caught.value) and not (tmp_path / "fcgf.pt").exists()
    set_threads(1)
