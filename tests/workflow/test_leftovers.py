import tempfile

import pytest

from st3d.workflow.leftovers import note, remove_left


@pytest.fixture(autouse=True)
def temporary(monkeypatch, tmp_path):
    """The system's folder for temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_the_noted_folders_of_a_killed_run_are_removed(temporary, tmp_path):
    folders = [temporary / "snakemake1_x", temporary / "st3d-abc"]
    for folder in folders:
        folder.mkdir()
        (folder / "jobs").touch()
    note(tmp_path / "lock", folders)
    remove_left(tmp_path / "lock")
    assert not any(folder.exists() for folder in folders)


def test_nothing_else_is_removed_whatever_the_note_says(temporary, tmp_path):
    mine = tmp_path / "snakemake1"
    others = [mine, temporary / "work", temporary / "st3d-link", temporary / "st3d-x" / ".." / ".." / "snakemake1"]
    mine.mkdir()
    (temporary / "work").mkdir()
    (temporary / "st3d-link").symlink_to(mine)
    note(tmp_path / "lock", [*others, tmp_path])
    remove_left(tmp_path / "lock")
    assert mine.is_dir() and (temporary / "work").is_dir() and (temporary / "st3d-link").is_symlink()


def test_a_note_that_is_missing_or_no_text_removes_nothing(tmp_path):
    remove_left(tmp_path / "none")
    (tmp_path / "lock").write_bytes(b"\xff\xfe")
    remove_left(tmp_path / "lock")
    note(tmp_path / "no folder" / "lock", [tmp_path])
    assert tmp_path.is_dir()
