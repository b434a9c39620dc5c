"""Command `simulate`: a part's scans in files, good and defective."""

import re

import numpy as np
import pytest
from PIL import Image
from sensor_writers import as_read

from st3d.formats.sensor_files.find import find_scans
from st3d.formats.sensor_files.read import read_sensor_scan
from st3d.inspection.simulate import simulate
from st3d.simulation.scans.samples import SampleGenerator
from st3d.workflow.command_line import main

FEW = {"good": 1, "test_good": 1, "test_per_defect": 1, "resolution": 0.25}


@pytest.mark.parametrize("format", ["tiff", "npy", "pcd", "ply"])
@pytest.mark.parametrize("unit", ["m", "mm"])
def test_the_scans_in_the_files_are_the_simulated_ones_in_any_format_and_unit(tmp_path, format, unit):
    simulate(tmp_path / "gland", **{**FEW, "test_per_defect": 0}, format=format, unit=unit, seed=4)
    scan = read_sensor_scan(tmp_path / "gland" / "good" / f"000.{format}")
    expected = SampleGenerator("cable_gland", 0.25, seed=4).sample(0, 0).xyz
    if format == "ply":
        expected = expected[expected.any(axis=-1)]
    assert scan.unit == unit and scan.points.shape == expected.shape
    np.testing.assert_array_equal(scan.points.any(axis=-1), expected.any(axis=-1))
    np.testing.assert_array_equal(scan.points, as_read(expected))


def test_the_scans_are_found_without_their_masks_which_cover_each_defect(tmp_path, capsys):
    target = tmp_path / "foam"
    assert main(["simulate", str(target), "--part", "foam", "--resolution", "0.1", "--good", "2", "--test-good", "1",
                 "--test-per-defect", "1"]) == 0  # fmt: skip
    assert f"{target}: 2 good, 1 test/good, 1 test/combined" in capsys.readouterr().out
    found = find_scans([target])
    names = [path.relative_to(target).as_posix() for path in found.files]
    defects = ["combined", "contamination", "cut"]  # not color, which no scan shows
    tests = sorted(f"test/{name}/000.tiff" for name in [*defects, "good"])
    assert names == ["good/000.tiff", "good/001.tiff", *tests]
    assert {reason for _, reason in found.skipped} == {"a mask"}
    for path, _ in found.skipped:
        mask, scan = np.asarray(Image.open(path)), read_sensor_scan(path.with_name("000.tiff")).points
        assert mask.shape == scan.shape[:2] and set(np.unique(mask)) == {0, 255}
    assert len(found.skipped) == len(defects)


def test_a_users_files_are_kept_and_an_earlier_simulation_is_replaced(tmp_path, capsys):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "scan.tiff").write_text("of a user")
    flags = ["--good", "1", "--test-good", "0", "--test-per-defect", "0", "--resolution", "0.1"]
    assert main(["simulate", str(tmp_path / "own"), *flags]) == 1
    assert "own: expected an empty folder or one made by st3d, found other files" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["scan.tiff"]
    for count in ("2", "1"):
        flags[1] = count
        assert main(["simulate", str(tmp_path / "new"), *flags]) == 0
    assert [path.name for path in (tmp_path / "new" / "good").iterdir()] == ["000.tiff"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--part", "screw"), "--part: expected one of bagel, cable_gland, .*, found screw"),
        (("--good", "0"), "--good: expected 1 or more, found 0"),
        (("--seed", "-1"), "--seed: expected 0 or more, found -1"),
        (("--resolution", "2"), "--resolution: expected more than 0 and at most 1, found 2"),
        (("--resolution", "0.01"), "give another --resolution or --seed"),
    ],
)
def test_a_wrong_number_is_one_line_and_leaves_no_folder(tmp_path, capsys, wrong, message):
    assert main(["simulate", str(tmp_path / "out"), *wrong]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("st3d")]
    assert len(lines) == 1 and re.search(message, lines[0])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "found"), [(".", "this one"), ("..", "this one"), ("scan.ply", "a file")])
def test_neither_a_file_nor_the_folder_one_is_in_is_replaced(tmp_path, monkeypatch, capsys, name, found):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "scan.ply").touch()
    monkeypatch.chdir(tmp_path / "here")
    assert main(["simulate", name]) == 1
    assert f"st3d simulate: {name}: expected a folder to make, found {found}\n" in capsys.readouterr().err
    assert (tmp_path / "here" / "scan.ply").exists()
