"""A few of each of the campaign's kills and circumstances; `make chaos` is the whole."""

import os
import shutil
import subprocess
import sys

import pytest

from reliability.chaos.circumstances import (
    SCALES,
    calm_scales,
    clock,
    full_disk,
    odd_path,
    read_only,
    second_run,
    study_of_scales,
)
from reliability.chaos.kills import kills
from reliability.chaos.study import Study, is_locked


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with an undisturbed study in it."""
    folder = tmp_path_factory.mktemp("chaos")
    assert len(calm_scales(folder / "any")) == len(SCALES)
    return folder


def test_a_study_that_is_killed_ends_as_an_undisturbed_one(tmp_path):
    targets = [each.format("results") for each in SCALES]
    said = kills(tmp_path, 3, 0, targets)
    assert said.startswith("3 kills") and "tables as undisturbed, nothing left" in said


def test_with_a_full_disk_nothing_is_lost(folder):
    said = full_disk(folder / "full_disk", 0, times=1)
    if said.startswith("not run"):
        pytest.skip(said)
    assert said.startswith("1 of ") and "went on to the same result" in said


def test_a_clock_that_was_ahead_changes_nothing(folder):
    assert "the same result, a second run has nothing to do" in clock(folder / "clock", 0)


def test_results_that_cannot_be_written_are_refused_in_words(folder):
    said = read_only(folder / "read_only", 0)
    if said.startswith("not run"):
        pytest.skip(said)
    assert "goes on" in said


def test_a_second_run_at_once_is_refused_and_the_first_goes_on(folder):
    assert "the first goes on" in second_run(folder / "second_run", 0)


def test_results_in_a_folder_of_any_name_are_the_same(folder):
    assert "the same result" in odd_path(folder / "odd_path", 0)


def test_what_is_left_behind_is_found(folder, tmp_path):
    study = study_of_scales(tmp_path)
    assert study.left() == []
    for name in ("results/scale/.x.json.partial", "tmp/snakemake1", "results/student/student.lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert len(study.left()) == 3


def test_a_held_lock_is_found(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    assert not is_locked(path)
    program = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program, path], stdin=-1, stdout=-1, text=True) as holder:
        holder.stdout.readline()
        assert is_locked(path)
        holder.communicate("\n")


def test_a_changed_table_is_found(folder, tmp_path):
    shutil.copytree(folder / "calm_scales" / "results", tmp_path / "results")
    study = Study(tmp_path)
    path = tmp_path / "results/scale/base/dowel.json"
    assert study.tables() == calm_scales(folder / "any")
    path.write_text(path.read_text().replace("1", "2", 1))
    os.utime(path, (0, 0))
    assert study.tables() != calm_scales(folder / "any")


def test_measured_columns_alone_are_left_out(tmp_path):
    study = Study(tmp_path)
    table = tmp_path / "results/tables/table3.csv"
    table.parent.mkdir(parents=True)
    table.write_text("points,au_pro,inference_seconds\n300,0.5,0.012\n")
    assert study.tables() == {"tables/table3.csv": b"points,au_pro\n300,0.5"}
