"""The teacher that the package brings, and the stage that puts it there."""

import json
import shutil

import pytest
import torch
from stage_call import call
from test_training import scenes, train_teacher

from st3d.formats.checkpoints import load
from st3d.student_teacher.pair import load_teacher
from st3d.student_teacher.pretrained import FOLDER, packaged_teacher, pretrained_teacher

__all__ = ["scenes"]  # the fixture


@pytest.fixture
def packaged(scenes, tmp_path):
    path = train_teacher(scenes, tmp_path / "made")
    call(
        pretrained_teacher, teacher=path, curve=path.with_name("loss.csv"), output=tmp_path / "in/teacher.pt", code="c"
    )
    return path, tmp_path / "in"


def test_a_teacher_is_packaged_with_a_record_of_how_it_was_made(packaged):
    made, folder = packaged
    assert packaged_teacher(folder).read_bytes() == made.read_bytes()
    record = json.loads((folder / "teacher.json").read_text())
    content = load(made, "teacher")
    assert (record["settings"], record["code"]) == (content["settings"], content["code"])
    losses = [float(line.split(",")[2]) for line in made.with_name("loss.csv").read_text().splitlines()[1:]]
    assert (record["validation"], record["epochs"]) == (min(losses), len(losses))
    assert losses[record["best_epoch"] - 1] == min(losses)


def test_another_file_in_its_place_and_none_are_refused(packaged):
    _, folder = packaged
    with (folder / "teacher.pt").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match=r"teacher.pt: expected checksum [0-9a-f]{64}, found [0-9a-f]{64}"):
        packaged_teacher(folder)
    (folder / "teacher.pt").unlink()
    with pytest.raises(ValueError, match="expected the package's teacher, found none"):
        packaged_teacher(folder)


def test_the_packages_teacher_is_the_papers_network_and_of_its_record(tmp_path):
    teacher = load_teacher(
        packaged_teacher(), torch.device("cpu"), 1.0, {"width": 64, "blocks": 4, "coordinates": "relative"}
    )
    assert sum(weights.numel() for weights in teacher.parameters()) == 46_720
    record = json.loads((FOLDER / "teacher.json").read_text())
    settings = record["settings"]
    assert (settings["points"], settings["neighbours"], settings["decoded_points"]) == (64_000, 32, 1024)
    shutil.copytree(FOLDER, tmp_path / "copy")
    assert packaged_teacher(tmp_path / "copy").stat().st_size < 250_000
