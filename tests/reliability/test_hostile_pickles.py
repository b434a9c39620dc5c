"""No file that can hold a pickle runs anything when read: checkpoints, models, weights of others, arrays, YAML."""

import logging
import pickle
import zipfile

import numpy as np
import pytest
import torch

from st3d.baselines.scoring import load_baseline
from st3d.detector import Detector
from st3d.extractors.fcgf.pretrain import read_official as read_fcgf
from st3d.extractors.ppf_foldnet.network import PPFFoldNet
from st3d.extractors.ppf_foldnet.pretrain import load_published
from st3d.formats.point_clouds import read_cloud
from st3d.formats.provenance import provenance
from st3d.formats.sensor_files.read import read_sensor_scan
from st3d.formats.sensor_files.sensor import read_sensor_file
from st3d.memory_banks import btf_fpfh_maps, shape_guided_maps
from st3d.memory_banks.colour_networks import NETWORKS, read_colour_weights
from st3d.memory_banks.sdf_network import read_official as read_shape_guided
from st3d.student_teacher.calibrated import load_calibrated
from st3d.student_teacher.pair import load_pair, load_teacher
from st3d.training.optimizer import Adam
from st3d.training.run import Progress, training_run
from st3d.training.settings import Machine

CPU = torch.device("cpu")


class Hostile:
    """What a pickle of it runs makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def content(kind, hostile):
    """A checkpoint of st3d with a hostile value beside the others."""
    return provenance({}, "c") | {
        "kind": kind,
        "method": "fpfh",
        "model": {},
        "weights": {"a": hostile},
        "run": hostile,
    }


KINDS = {
    "model": lambda path: Detector.load(path, device="cpu", threads=1),
    "teacher": lambda path: load_teacher(path, CPU, 0.002),
    "extractor": lambda path: load_teacher(path, CPU, 0.002),
    "student": lambda path: load_pair(path, path, CPU),
    "baseline": lambda path: load_baseline(path, CPU),
    "calibrated": lambda path: load_calibrated(path, path, path, CPU),
    "memory_bank": lambda path: next(iter(btf_fpfh_maps.maps_of([path], [path], CPU))),
    "memory_bank of shape_guided": lambda path: next(iter(shape_guided_maps.maps_of([path], [path], CPU))),
}
PUBLISHED = {
    "FCGF": (read_fcgf, lambda hostile: {"state_dict": {"conv1.kernel": hostile}, "config": hostile}),
    "PPF-FoldNet": (lambda path: load_published(PPFFoldNet(64, 16), path), lambda hostile: {"encoder.a": hostile}),
    "Shape-Guided": (read_shape_guided, lambda hostile: {"sdf_model": {"a": hostile}}),
} | {
    name: (lambda path, name=name: read_colour_weights(name, str(path)), lambda hostile: {"conv1.weight": hostile})
    for name in NETWORKS
}


@pytest.fixture
def ran(tmp_path):
    """A file that is there once something was run."""
    return tmp_path / "ran"


def written(path, tree, form):
    """A file of torch's in its present format or in that before version 1.6, or a bare pickle."""
    if form == "pickle":
        path.write_bytes(pickle.dumps(tree, protocol=2))
    else:
        torch.save(tree, path, _use_new_zipfile_serialization=form == "zip")
    return path


def test_the_hostile_pickle_would_run(tmp_path, ran):
    pickle.loads(pickle.dumps(Hostile(ran))).close()  # noqa: S301 so that the other tests show something
    assert ran.exists()


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_runs_nothing(tmp_path, ran, kind, form):
    path = written(tmp_path / "a.pt", content(kind.partition(" ")[0], Hostile(ran)), form)
    with pytest.raises(ValueError, match="a.pt: expected a ") as caught:
        KINDS[kind](path)
    assert "\n" not in str(caught.value) and not ran.exists()


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_weights_of_other_programs_run_nothing(tmp_path, ran, name, form):
    read, tree = PUBLISHED[name]
    path = written(tmp_path / "a.pth", tree(Hostile(ran)), form)
    with pytest.raises(ValueError, match="a.pth: expected ") as caught:
        read(path)
    assert "\n" not in str(caught.value) and not ran.exists()


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
def test_a_half_trained_one_runs_nothing_and_training_starts_anew(tmp_path, ran, form, caplog):
    written(tmp_path / "model.checkpoint", content("progress", Hostile(ran)) | {"history": []}, form)
    network = torch.nn.Linear(1, 1)
    files = tmp_path / "model.pt", [tmp_path / "loss.csv"], "student"
    machine = Machine(device="cpu", threads=1)
    with (
        caplog.at_level(logging.WARNING),
        training_run(*files, settings={}, inputs=[], machine=machine, code="c") as run,
    ):
        progress = Progress(run, tmp_path / "loss.csv", network, network, [Adam([network.weight], 0.1, 0.0)], 1)
    assert progress.history == [] and "starting from the first epoch" in caplog.text and not ran.exists()


@pytest.mark.parametrize("read", [read_sensor_scan, lambda path: read_cloud(path, 10, np.random.default_rng(0))])
def test_an_array_runs_nothing(tmp_path, ran, read):
    array = np.array([[Hostile(ran)] * 3], dtype=object)
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match="a.npy: expected a whole NPY file of numbers"):
        read(tmp_path / "a.npy")
    assert not ran.exists()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_array_in_an_npz_file_runs_nothing(tmp_path, ran, save):
    save(tmp_path / "a.npz", points=np.array([[Hostile(ran)] * 3], dtype=object))
    with pytest.raises(ValueError, match="a.npz: expected a whole NPZ file of numbers"):
        read_sensor_scan(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:  # a pickle in the place of an array
        archive.writestr("points.npy", pickle.dumps(Hostile(ran)))
    with pytest.raises(ValueError, match="b.npz: expected"):
        read_sensor_scan(tmp_path / "b.npz")
    assert not ran.exists()


def test_a_pickle_named_as_an_array_runs_nothing(tmp_path, ran):
    (tmp_path / "a.npy").write_bytes(pickle.dumps(Hostile(ran)))
    with pytest.raises(ValueError, match="a.npy: expected"):
        read_sensor_scan(tmp_path / "a.npy")
    assert not ran.exists()


def test_yaml_runs_nothing(tmp_path, ran):
    path = tmp_path / "sensor.yaml"
    path.write_text(f"fx: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{ran}]]\n")
    with pytest.raises(ValueError, match="sensor.yaml: expected a sensor file"):
        read_sensor_file(path)
    assert not ran.exists()
