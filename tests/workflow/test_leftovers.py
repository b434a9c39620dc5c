import os
import subprocess
import sys
import tempfile

import pytest

from st3d.workflow.leftovers import OWNER, claim, remove_ownerless


@pytest.fixture(autouse=True)
def temporary(monkeypatch, tmp_path):
    """The system's folder for temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def claimed_by_another(folder):
    """A folder whose process has ended."""
    (folder / "source-cache").mkdir(parents=True)
    program = (
        "import sys; from pathlib import Path; from st3d.workflow.leftovers import claim; claim(Path(sys.argv[1]))"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, folder], env=env, check=True)
    return folder


def test_the_folder_of_a_run_that_has_ended_is_removed(temporary):
    folder = claimed_by_another(temporary / "snakemake1_x")
    remove_ownerless()
    assert not folder.exists()


def test_the_folder_of_a_run_that_goes_on_stays(temporary):
    folder = temporary / "snakemake2"
    folder.mkdir()
    claim(folder)
    remove_ownerless()
    assert folder.is_dir()


def test_a_process_of_the_same_number_is_no_owner(temporary):
    folder = temporary / "snakemake3"
    folder.mkdir()
    claim(folder)
    host, process, _ = (folder / OWNER).read_text().split()
    (folder / OWNER).write_text(f"{host} {process} 1")
    remove_ownerless()
    assert not folder.exists()


def test_nothing_else_is_removed(temporary, tmp_path):
    away = claimed_by_another(tmp_path / "snakemake4")
    kept = [
        temporary / "snakemake5",
        claimed_by_another(temporary / "work"),
        claimed_by_another(temporary / "snakemake6"),
    ]
    kept[0].mkdir()  # nobody's
    host, process, started = (kept[2] / OWNER).read_text().split()
    (kept[2] / OWNER).write_text(f"{host}2 {process} {started}")  # a folder that hosts share
    (temporary / "snakemake7").symlink_to(away)
    remove_ownerless()
    assert all(folder.is_dir() for folder in (away, *kept))
