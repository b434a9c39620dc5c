"""The stage that writes simulated scans: layout, formats, same bytes, nothing stale, no other files replaced."""

import hashlib
import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from st3d.simulation.scans.simulation import simulation

SETTINGS = {"resolution": 0.25, "training": 2, "validation": 1, "test_good": 1, "test_per_defect": 1, "seed": 3}


def run(output, **changes):
    simulation(**{"category": "dowel", "output": output, "code": "abc", **SETTINGS, **changes})
    return output / "dowel"


def digests(folder):
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_a_second_run_gives_the_same_bytes_and_other_settings_leave_nothing_stale(tmp_path):
    folder = run(tmp_path)
    first = digests(folder)
    assert digests(run(tmp_path)) == first
    run(tmp_path, training=1)
    names = sorted(digests(folder))
    assert "train/good/xyz/000.tiff" in names and "train/good/xyz/001.tiff" not in names
    assert not list(tmp_path.glob(".*.partial")) and not list(tmp_path.glob(".*.old"))


def test_complete_json_names_all_files_and_how_they_were_made(tmp_path):
    folder = run(tmp_path)
    complete = json.loads((folder / "complete.json").read_text())
    assert complete["settings"] == {"category": "dowel", **SETTINGS}
    assert complete["code"] == "abc"
    made = {name for name in digests(folder) if not name.startswith(".")} - {"complete.json"}
    assert set(complete["files"]) == made


def test_a_run_that_fails_keeps_the_earlier_result(tmp_path, monkeypatch):
    folder = run(tmp_path)
    before = digests(folder)

    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr("st3d.simulation.scans.simulation.write_sample", full)
    with pytest.raises(OSError, match="no space"):
        run(tmp_path, seed=9)
    assert digests(folder) == before
    assert not list(tmp_path.glob(".*.partial"))


def test_files_of_another_origin_are_not_replaced(tmp_path):
    (tmp_path / "dowel").mkdir()
    (tmp_path / "dowel" / "own.txt").write_text("mine")
    with pytest.raises(ValueError, match="found other files"):
        run(tmp_path)
    assert (tmp_path / "dowel" / "own.txt").read_text() == "mine"


def test_impossible_settings_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected a resolution above 0 and up to 1, found 2"):
        run(tmp_path, resolution=2)
    with pytest.raises(ValueError, match="expected training of at least 0, found -1"):
        run(tmp_path, training=-1)


def shape_of(folder):
    """Folders, with one of the files in each, as a set of relative names."""
    return {str(path.relative_to(folder)) for path in folder.rglob("000.*")} | {
        name for name in ("class_ids.json", "calibration/camera_parameters.json") if (folder / name).exists()
    }


def format_of(folder, name):
    page = tifffile.TiffFile(folder / f"{name.replace('KIND', 'xyz')}.tiff").pages[0]
    tags = {tag: page.tags[tag].value for tag in ("BitsPerSample", "Compression", "PhotometricInterpretation")}
    tags |= {tag: page.tags[tag].value for tag in ("PlanarConfiguration", "SampleFormat", "RowsPerStrip")}
    modes = [Image.open(folder / f"{name.replace('KIND', kind)}.png").mode for kind in ("rgb", "gt")]
    return tags, modes


def test_layout_and_formats_are_the_real_ones(tmp_path, shared_data):
    real = shared_data / "mvtec_3d_ad_sample" / "cable_gland"
    simulation(category="cable_gland", output=tmp_path, code="", **SETTINGS)
    ours = tmp_path / "cable_gland"
    assert shape_of(ours) == shape_of(real)
    for name in ("test/good/KIND/000", "test/cut/KIND/000"):
        assert format_of(ours, name) == format_of(real, name)
    assert json.loads((ours / "class_ids.json").read_text()) == json.loads((real / "class_ids.json").read_text())
    keys = [json.loads((folder / "calibration" / "camera_parameters.json").read_text()) for folder in (ours, real)]
    assert keys[0].keys() == keys[1].keys()
    mask = np.asarray(Image.open(ours / "test" / "cut" / "gt" / "000.png"))
    assert set(np.unique(mask)) == {0, 254}
    assert not np.asarray(Image.open(ours / "test" / "good" / "gt" / "000.png")).any()


def test_an_unknown_category_is_one_line_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"^--category: expected one of bagel, .*, found pear$"):
        simulation(category="pear", output=tmp_path / "data", resolution=0.1, training=1, validation=1, test_good=1,
                   test_per_defect=1, seed=1, code="")  # fmt: skip
    assert not (tmp_path / "data").exists()
