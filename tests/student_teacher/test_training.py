"""Teacher and student: what they compute, and that a killed run goes on as if nothing had happened."""

import numpy as np
import pytest
import torch
from killed import killed_in
from stage_call import call

from benchmarks import uninformed_decoder
from st3d.formats.atomic import read_json, write_json
from st3d.formats.checkpoints import load, save
from st3d.formats.provenance import FORMAT
from st3d.formats.shards import Cloud, read_shard, write_shard
from st3d.kernels.graph import Graph
from st3d.kernels.points import mean_neighbour_distance, neighbours
from st3d.student_teacher.network import DescriptorNetwork
from st3d.student_teacher.pair import load_pair, load_teacher
from st3d.student_teacher.point_maps import maps_of
from st3d.student_teacher.statistics import feature_statistics
from st3d.student_teacher.student import student
from st3d.student_teacher.teacher import teacher
from st3d.training.device import set_threads
from st3d.training.inputs import Inputs

CPU = torch.device("cpu")
MODEL = {"width": 16, "blocks": 2, "coordinates": "relative"}
GRAPH = {"points": 150, "neighbours": 6}
MACHINE = {"device": "cpu", "threads": 1, "cache_gb": 1.0, "code": "test"}


@pytest.fixture
def scenes(tmp_path, rng):
    """Shards of 5 training and 2 validation clouds in two parts, and their scale."""

    def cloud(index):
        plane = rng.uniform(-1, 1, (150, 2))
        points = np.column_stack([plane, 0.2 * np.sin(3 * plane[:, 0] + index)]).astype(np.float32)
        pixel = rng.choice(400, 150, replace=False).astype(np.uint32)
        return Cloud(points, neighbours(points, 6).astype(np.uint16), pixel, (20, 20), f"good/{index:03d}")

    clouds = [cloud(index) for index in range(7)]
    files = {"train": [tmp_path / "train_0.h5", tmp_path / "train_1.h5"], "validation": [tmp_path / "validation.h5"]}
    for part, path in enumerate(files["train"]):
        write_shard(path, clouds[part:5:2], settings={}, code="")
    write_shard(files["validation"][0], clouds[5:], settings={}, code="")
    scale = tmp_path / "scale.json"
    write_json(scale, {"scale": float(np.mean([mean_neighbour_distance(c.points, 6) for c in clouds[:5]]))})
    return files | {"scale": scale}


def train_teacher(scenes, folder, **changed):
    settings = {
        "weights": "trained",
        "patience": 0,
        "schedule": "constant",
        "epochs": 3,
        "learning_rate": 1e-3,
        "weight_decay": 1e-6,
        "seed": 7,
    }
    settings |= {"receptive_fields": 4, "decoded_points": 32} | MODEL | GRAPH | MACHINE | changed
    call(teacher, **scenes, teacher=folder / "teacher.pt", curve=folder / "loss.csv", **settings)
    return folder / "teacher.pt"


def train_student(scenes, teacher_path, folder, **changed):
    settings = {
        "patience": 0,
        "schedule": "constant",
        "epochs": 3,
        "learning_rate": 1e-3,
        "weight_decay": 1e-5,
        "seed": 8,
        "rotation": "none",
    }
    settings |= {"downsampling_seed": 4} | MODEL | GRAPH | MACHINE | changed
    call(
        student, **scenes, teacher=teacher_path, student=folder / "student.pt", curve=folder / "student.csv", **settings
    )
    return folder / "student.pt"


def test_pretraining_lowers_the_validation_loss_and_keeps_the_best_epoch(scenes, tmp_path):
    path = train_teacher(scenes, tmp_path, epochs=8)
    losses = [float(line.split(",")[2]) for line in (tmp_path / "loss.csv").read_text().splitlines()[1:]]
    assert len(losses) == 8 and losses[-1] < losses[0]
    # the same run, stopped at its best epoch, ends with the weights that the long one kept
    best = losses.index(min(losses)) + 1
    short = train_teacher(scenes, tmp_path / "short", epochs=best)
    kept, last = load(path, "teacher")["weights"], load(short, "teacher")["weights"]
    assert all(torch.equal(kept[name], last[name]) for name in kept)


def test_a_decoder_that_is_told_nothing_learns_but_less_than_one_of_a_teachers_descriptors(scenes, tmp_path):
    trained = load(train_teacher(scenes, tmp_path, epochs=60), "teacher")["settings"]
    with_descriptors = [float(line.split(",")[2]) for line in (tmp_path / "loss.csv").read_text().splitlines()[1:]]
    unit = read_json(scenes["scale"])["scale"]
    without = list(uninformed_decoder.losses(scenes["train"], scenes["validation"], unit, trained, 60))
    assert len(without) == 60 and min(with_descriptors) < without[-1] < without[0]


def test_a_teacher_that_has_learned_nothing_says_so(scenes, tmp_path, caplog):
    caplog.set_level("WARNING", logger="st3d")
    train_teacher(scenes, tmp_path / "none", epochs=8)
    assert "none/teacher: expected a validation loss well below " in caplog.text
    caplog.clear()
    train_teacher(scenes, tmp_path / "some", epochs=60)
    assert caplog.text == ""


def test_random_weights_are_the_start_of_training(scenes, tmp_path):
    random = load(train_teacher(scenes, tmp_path, weights="random"), "teacher")["weights"]
    torch.manual_seed(7)
    assert all(torch.equal(random[name], value) for name, value in DescriptorNetwork(**MODEL).state_dict().items())
    assert (tmp_path / "loss.csv").read_text() == "epoch,train,validation\n"


def test_a_student_learns_to_match_the_teacher(scenes, tmp_path):
    train_student(scenes, train_teacher(scenes, tmp_path), tmp_path, epochs=8)
    losses = [float(line.split(",")[2]) for line in (tmp_path / "student.csv").read_text().splitlines()[1:]]
    assert losses[-1] < losses[0] < 2 * MODEL["width"]  # targets are standardised: a constant 0 would cost d


def test_feature_statistics_are_those_of_all_points_of_all_scans_in_float64(scenes, tmp_path):
    frozen = load_teacher(train_teacher(scenes, tmp_path), CPU, 1.0)
    with Inputs(scenes["train"], 150, 6, 0.1, CPU) as scans:
        graphs = [scans.graph(index) for index in range(5)]
        mean, std = feature_statistics(frozen.extract(graph) for graph in graphs)
        everything = torch.cat([frozen.extract(graph).double() for graph in graphs])  # (5 * 150, d)
    assert mean.shape == std.shape == (16,)
    assert torch.allclose(mean.double(), everything.mean(dim=0), rtol=1e-6, atol=1e-7)
    assert torch.allclose(std.double(), everything.std(dim=0, correction=0), rtol=1e-5)


def test_keeping_the_teachers_features_changes_no_bit(scenes, tmp_path):
    path = train_teacher(scenes, tmp_path)
    weights = [
        load(train_student(scenes, path, tmp_path / str(gb), cache_gb=gb), "student")["weights"] for gb in (0.0, 1.0)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_random_rotation_trains_another_student_reproducibly(scenes, tmp_path):
    path = train_teacher(scenes, tmp_path)
    runs = [train_student(scenes, path, tmp_path / str(i), rotation="random") for i in range(2)]
    assert runs[0].read_bytes() == runs[1].read_bytes()
    still = load(train_student(scenes, path, tmp_path / "still"), "student")["weights"]
    assert not torch.equal(still["output.weight"], load(runs[0], "student")["weights"]["output.weight"])


KILLED = """
from test_training import train_student, train_teacher
scenes = {{"train": [Path(p) for p in {train!r}], "validation": [Path({validation!r})], "scale": Path({scale!r})}}
folder = Path({folder!r})
train_student(scenes, train_teacher(scenes, folder), folder)
"""


@pytest.mark.parametrize("fatal", [1, 2, 3, 4, 5, 6])
def test_a_run_killed_in_any_epoch_ends_where_an_uninterrupted_one_does(scenes, tmp_path, fatal):
    whole = tmp_path / "whole"
    train_student(scenes, train_teacher(scenes, whole), whole)
    folder = tmp_path / "killed"
    paths = {"train": [str(p) for p in scenes["train"]], "validation": str(scenes["validation"][0])}
    killed_in(fatal, KILLED.format(scale=str(scenes["scale"]), folder=str(folder), **paths))
    assert not (folder / "student.pt").exists()
    train_student(scenes, train_teacher(scenes, folder), folder)
    for name in ("teacher.pt", "loss.csv", "student.pt", "student.csv"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    assert not list(folder.glob("*.checkpoint"))


def test_a_checkpoint_of_another_run_is_not_resumed(scenes, tmp_path, caplog):
    expected = train_teacher(scenes, tmp_path / "alone", seed=9).read_bytes()
    caplog.set_level("INFO", logger="st3d")
    save(tmp_path / "teacher.checkpoint", {"kind": "progress", "format": FORMAT, "run": "another"})
    assert train_teacher(scenes, tmp_path, seed=9).read_bytes() == expected
    assert "another run left it" in caplog.text


def test_a_damaged_checkpoint_is_not_resumed(scenes, tmp_path):
    expected = train_teacher(scenes, tmp_path / "alone").read_bytes()
    (tmp_path / "teacher.checkpoint").write_bytes(b"half a check")
    assert train_teacher(scenes, tmp_path).read_bytes() == expected


def test_a_finished_run_is_not_trained_again(scenes, tmp_path):
    path = train_teacher(scenes, tmp_path)
    before = path.stat().st_mtime_ns
    train_teacher(scenes, tmp_path)
    assert path.stat().st_mtime_ns == before
    train_teacher(scenes, tmp_path, seed=99)
    assert path.stat().st_mtime_ns != before


def test_models_of_other_dimensions_are_refused_by_file_and_fault(scenes, tmp_path):
    path = train_teacher(scenes, tmp_path)
    with pytest.raises(ValueError, match=r"teacher.pt: expected a teacher of .*32.*, found .*16"):
        train_student(scenes, path, tmp_path, width=32)


def test_a_student_is_used_only_with_the_teacher_that_it_learned_from(scenes, tmp_path):
    path = train_teacher(scenes, tmp_path, epochs=1)
    pupil = train_student(scenes, path, tmp_path, epochs=1)
    copy = tmp_path / "copy.pt"
    copy.write_bytes(path.read_bytes())
    assert load_pair(copy, pupil, CPU).points == GRAPH["points"]  # the content counts, not the name
    for number, changed in enumerate(({"seed": 9}, {"coordinates": "absolute"}, {"width": 32})):
        other = train_teacher(scenes, tmp_path / str(number), epochs=1, **changed)
        with pytest.raises(ValueError) as caught:
            load_pair(other, pupil, CPU)
        assert str(caught.value).startswith(f"{pupil}: expected a student of {other} (sha256 ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("stored", [{"points": 149, "neighbours": 6}, {"points": 150, "neighbours": 7}])
def test_graphs_of_another_n_or_k_than_the_students_are_refused_in_one_line(scenes, tmp_path, stored):
    models = [train_teacher(scenes, tmp_path, epochs=1)]
    models.append(train_student(scenes, models[0], tmp_path, epochs=1))
    test = tmp_path / "test.h5"
    with read_shard(scenes["validation"][0]) as shard:
        write_shard(test, [shard.cloud(0)], settings=stored, code="")
    expected = f"{test}: expected graphs of 150 points and 6 neighbours like those of {models[1]}, found "
    with pytest.raises(ValueError) as caught:
        next(maps_of(models, [test], CPU))
    assert str(caught.value) == expected + f"{stored['points']} and {stored['neighbours']}"


def test_a_student_that_would_start_as_its_random_teacher_is_refused(scenes, tmp_path):
    path = train_teacher(scenes, tmp_path, weights="random", seed=8)
    with pytest.raises(ValueError, match="teacher.pt: expected other weights than student.seed 8 gives"):
        train_student(scenes, path, tmp_path, seed=8)
    train_student(scenes, path, tmp_path, seed=9, epochs=1)


def test_a_student_that_is_no_better_than_a_constant_says_so(scenes, tmp_path, caplog):
    caplog.set_level("WARNING", logger="st3d")
    path = train_teacher(scenes, tmp_path, epochs=1)
    train_student(scenes, path, tmp_path, epochs=1, learning_rate=1e-9)
    assert "student: expected a validation loss below 16, that of a constant prediction, found " in caplog.text
    caplog.clear()
    train_student(scenes, path, tmp_path, epochs=12, learning_rate=1e-2)
    assert caplog.text == ""


@pytest.mark.parametrize("coordinates", ["relative", "absolute", "normalised"])
def test_where_a_cloud_lies_changes_no_descriptor_and_a_part_has_those_of_the_whole(scenes, coordinates):
    torch.manual_seed(3)
    network = DescriptorNetwork(16, 2, coordinates)
    with Inputs(scenes["train"], 150, 6, 0.1, CPU) as clouds, torch.no_grad():
        graph = clouds.graph(0)
        moved = Graph(graph.points + torch.tensor([3.0, -5.0, 340.0]), graph.neighbours, graph.row_of_point)
        expected = network.extract(graph)
        size = expected.abs().max()
        # float32 leaves 3e-5 of coordinates near 340, where an edge has the length 1
        assert (network.extract(moved) - expected).abs().max() < 1e-3 * size
        for whole in (graph, moved):
            at = whole.row_of_point[np.array([4, 90, 17])]
            found = network.extract(whole.subgraph(at, network.hops))
            assert (found - network.extract(whole)[at]).abs().max() < 1e-5 * size


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_a_truncated_or_other_model_is_one_line(scenes, tmp_path, content):
    path = train_teacher(scenes, tmp_path)
    path.write_bytes(path.read_bytes()[:-200] if content is None else content)
    with pytest.raises(ValueError, match=r"teacher.pt: expected a teacher of st3d, found .*") as error:
        load_teacher(path, CPU, 1.0)
    assert "\n" not in str(error.value)


def test_a_student_is_not_taken_for_a_teacher(scenes, tmp_path):
    path = train_student(scenes, train_teacher(scenes, tmp_path), tmp_path)
    with pytest.raises(ValueError, match="expected a teacher of st3d, found student"):
        load_teacher(path, CPU, 1.0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_training_on_a_gpu_ends_with_the_same_bytes_twice(scenes, tmp_path):
    runs = []
    for name in ("first", "second"):
        path = train_teacher(scenes, tmp_path / name, device="cuda")
        runs.append((path.read_bytes(), train_student(scenes, path, tmp_path / name, device="cuda").read_bytes()))
    assert runs[0] == runs[1]


def test_threads_of_a_kernel_change_no_bit_of_a_teachers_first_step(scenes, tmp_path):
    losses = [
        (train_teacher(scenes, tmp_path / str(threads), epochs=1, threads=threads).parent / "loss.csv").read_text()
        for threads in (1, 2)
    ]
    set_threads(1)
    assert losses[0] == losses[1]
