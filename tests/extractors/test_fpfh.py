"""The file of an extractor without weights."""

import pytest

from st3d.extractors.fpfh import fpfh
from st3d.formats.checkpoints import load


def test_the_file_says_how_histograms_are_made(tmp_path):
    fpfh(extractor=tmp_path / "a.pt", normals=5, neighbours=32, code="test")
    content = load(tmp_path / "a.pt", "extractor")
    assert (content["method"], content["model"], content["weights"]) == ("fpfh", {"normals": 5, "neighbours": 32}, {})
    assert content["settings"] == {"normals": 5, "neighbours": 32} and content["code"] == "test"


def test_equal_settings_give_equal_bytes_and_others_another_run(tmp_path):
    for name, neighbours in (("a", 32), ("b", 32), ("c", 100)):
        fpfh(extractor=tmp_path / name, normals=0, neighbours=neighbours, code="test")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert load(tmp_path / "a", "extractor")["run"] != load(tmp_path / "c", "extractor")["run"]


def test_no_neighbours_are_refused_in_one_line(tmp_path):
    with pytest.raises(ValueError, match="^fpfh: expected neighbours of 1 or more, found 0$"):
        fpfh(extractor=tmp_path / "a.pt", normals=0, neighbours=0, code="test")
    with pytest.raises(ValueError, match="^fpfh: expected normals of 2 or more, or 0 for all neighbours, found 1$"):
        fpfh(extractor=tmp_path / "a.pt", normals=1, neighbours=5, code="test")
    assert not (tmp_path / "a.pt").exists()
