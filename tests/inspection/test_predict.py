"""Command `predict`: verdicts, files and exit codes, also of a folder that a sensor writes into."""

import csv
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from inspection_parts import DENT, rows
from PIL import Image

from st3d.detector import Detector
from st3d.formats.point_clouds import read_cloud
from st3d.formats.scans import read_map
from st3d.inspection import judged
from st3d.kernels.open3d_library import open3d_module
from st3d.workflow.command_line import main

CPU = ["--device", "cpu", "--threads", "1"]


def predict(model, output, *arguments):
    return main(["predict", *map(str, arguments), "--model", str(model), "--output", str(output), *CPU])


def test_each_scan_has_a_verdict_a_map_a_picture_and_a_cloud(model, folder, tmp_path, capsys):
    assert predict(model, tmp_path / "out", folder) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:-1]] == ["FAIL", "FAIL", "PASS", "PASS"]
    assert lines[-1].startswith("4 scans: 2 pass, 2 fail; ")
    detector = Detector.load(model, device="cpu", threads=1)
    for row in rows(tmp_path / "out"):
        result = detector.predict(tifffile.imread(row["file"]))
        assert float(row["score"]) == pytest.approx(result.score, rel=1e-5)
        assert (
            (row["verdict"] == "fail") == (float(row["score"]) > float(row["threshold"])) == ("/dent/" in row["file"])
        )
        place = tmp_path / "out" / row["name"]
        assert np.array_equal(read_map(place.with_suffix(".tiff")), result.map)
        with Image.open(place.with_suffix(".png")) as picture:
            assert picture.width >= 1000
        if row["verdict"] == "fail":
            assert DENT[int(row["row"]), int(row["column"])]


def test_a_coloured_cloud_has_the_scores_and_is_red_in_the_dent_alone(model, folder, tmp_path, rng):
    predict(model, tmp_path / "out", folder / "dent")
    scan, scores = tifffile.imread(folder / "dent/000.tiff"), read_map(tmp_path / "out/000.tiff")
    valid = scan.any(axis=2)
    cloud = open3d_module().t.io.read_point_cloud(str(tmp_path / "out/000.ply"))
    vertex = {"score": cloud.point["score"].numpy()[:, 0]}
    vertex |= dict(zip("xyz", cloud.point.positions.numpy().T, strict=True))
    vertex |= dict(zip(("red", "green", "blue"), cloud.point.colors.numpy().T, strict=True))
    assert np.array_equal(vertex["score"], scores[valid])
    assert np.abs(np.stack([vertex[axis] for axis in "xyz"], axis=1) - scan[valid]).max() < 1e-6
    assert len(read_cloud(tmp_path / "out/000.ply", 10**6, rng)) == valid.sum()
    red = vertex["red"].astype(int) - vertex["blue"].astype(int) > 100
    assert red[DENT[valid]].mean() > 0.5 > 0.05 > red[~DENT[valid]].mean()


def test_all_pass_is_0_and_a_bad_file_is_1_while_the_others_go_on(model, folder, tmp_path, capsys):
    assert predict(model, tmp_path / "one", folder / "good") == 0
    (folder / "good/001.ply").write_bytes(b"ply\nformat")
    assert predict(model, tmp_path / "two", folder) == 1
    found = {row["name"]: row["verdict"] for row in rows(tmp_path / "two")}
    assert found == {
        "dent/000": "fail",
        "dent/001": "fail",
        "good/000": "pass",
        "good/001": "error",
        "good/001_tiff": "pass",
    }
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("st3d predict")]
    assert len(said) == 1 and said[0].startswith(f"st3d predict: {folder / 'good/001.ply'}: expected a PLY header")


def test_a_file_that_is_damaged_now_keeps_no_picture_of_its_earlier_verdict(model, folder, tmp_path):
    scan = folder / "good/000.tiff"
    assert predict(model, tmp_path / "out", scan) == 0
    assert len(list((tmp_path / "out").glob("000.*"))) == 3
    scan.write_bytes(scan.read_bytes()[:1000])
    assert predict(model, tmp_path / "out", scan) == 1
    assert not list((tmp_path / "out").glob("000.*"))


def test_a_wrong_part_does_not_set_the_unit_of_the_scans_after_it(model, folder, tmp_path, rng):
    part = tmp_path / "parts"
    part.mkdir()
    np.save(part / "0.npy", rng.uniform(-50, 50, (4000, 3)))
    (part / "1.tiff").write_bytes((folder / "good/000.tiff").read_bytes())
    assert predict(model, tmp_path / "out", part) == 1
    assert [row["verdict"] for row in rows(tmp_path / "out")] == ["unlike", "pass"]


def test_a_name_that_is_no_utf_8_is_spelled_out(model, folder, tmp_path, capsys):
    (folder / "good/000.tiff").rename(folder / os.fsdecode(b"good/\xff.tiff"))
    assert predict(model, tmp_path / "out", folder / "good") == 0
    assert "\\udcff.tiff PASS" in capsys.readouterr().out
    assert (tmp_path / "out/\\udcff.png").is_file()


def test_a_wrong_part_is_said_and_not_scored(model, tmp_path, capsys):
    y, x = np.mgrid[:64, :64].astype(np.float32)
    steps = np.stack([x * 3e-4, y * 3e-4, 0.6 + 0.01 * (x // 8 % 2)], axis=2)
    tifffile.imwrite(tmp_path / "wrong.tiff", steps, photometric="rgb")
    assert predict(model, tmp_path / "out", tmp_path / "wrong.tiff") == 1
    (row,) = rows(tmp_path / "out")
    assert row["verdict"] == "unlike" and not row["score"] and row["message"].startswith("unlike all training scans")
    assert f"{tmp_path / 'wrong.tiff'} UNLIKE" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.csv"]
    assert predict(model, tmp_path / "out", tmp_path / "wrong.tiff", "--accept-unlike") == 2


def test_a_scan_in_another_unit_than_the_first_is_refused_and_all_in_another_are_not(model, folder, tmp_path):
    scan = tifffile.imread(folder / "dent/000.tiff")
    np.save(folder / "dent/999.npy", scan * np.float32(1000))
    assert predict(model, tmp_path / "out", folder / "dent") == 1
    bad = rows(tmp_path / "out")[-1]
    assert bad["verdict"] == "error" and "expected metres like the scans before, found millimetres" in bad["message"]
    assert predict(model, tmp_path / "mm", folder / "dent/999.npy") == 2
    assert (
        rows(tmp_path / "mm")[0]["score"] == rows(tmp_path / "out")[0]["score"]
        and rows(tmp_path / "mm")[0]["unit"] == "mm"
    )


def test_a_clouds_picture_and_ply_are_there_and_no_map(model, folder, tmp_path):
    scan = tifffile.imread(folder / "dent/000.tiff")
    np.save(tmp_path / "cloud.npy", scan[scan.any(axis=2)])
    assert predict(model, tmp_path / "out", tmp_path / "cloud.npy") == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cloud.png", "cloud.ply", "results.csv"}
    before = (tmp_path / "cloud.npy").read_bytes()
    (tmp_path / "file").write_bytes(before)
    assert predict(model, tmp_path / "file", tmp_path / "cloud.npy") == 1 and (tmp_path / "file").read_bytes() == before


def test_a_kill_in_the_middle_loses_no_row(model, folder, tmp_path, monkeypatch):
    done = []

    def once(path, *rest):
        done.append(path)
        if len(done) == 3:
            raise KeyboardInterrupt
        return write(path, *rest)

    write = judged.write_coloured_cloud
    monkeypatch.setattr(judged, "write_coloured_cloud", once)
    with pytest.raises(SystemExit):  # the command line ends with 130
        predict(model, tmp_path / "out", folder)
    assert [row["verdict"] for row in rows(tmp_path / "out")] == ["fail", "fail"]


def test_a_watched_folder_gives_each_file_once_it_is_whole_and_none_twice(model, folder, dented, tmp_path, capsys):
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    content = (folder / "dent/000.tiff").read_bytes()

    def sensor():
        time.sleep(0.3)
        with (incoming / "a.tiff").open("wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            time.sleep(0.8)  # longer than --settle: the half is quiet, but not whole
            file.write(content[len(content) // 2 :])
        (incoming / "b.part").write_bytes((folder / "good/000.tiff").read_bytes())
        (incoming / "b.part").rename(incoming / "b.tiff")

    writer = threading.Thread(target=sensor)
    writer.start()
    watching = [incoming, "--watch", "--settle", "0.4", "--idle", "3"]
    assert predict(model, tmp_path / "out", *watching) == 2
    writer.join()
    assert [(row["name"], row["verdict"]) for row in rows(tmp_path / "out")] == [("a", "fail"), ("b", "pass")]
    capsys.readouterr()
    assert predict(model, tmp_path / "out", incoming, "--watch", "--settle", "0.2", "--idle", "0.5") == 0
    assert capsys.readouterr().out.startswith("0 scans: none; ")
    (folder / "good/001.tiff").replace(incoming / "a.tiff")  # another scan of the same name
    assert predict(model, tmp_path / "out", incoming, "--watch", "--settle", "0.2", "--idle", "0.5") == 0
    assert {row["name"]: row["verdict"] for row in rows(tmp_path / "out")} == {"a": "pass", "b": "pass"}


def test_sigterm_ends_a_watch_with_the_exit_code_of_what_was_seen(model, folder, tmp_path, capsys):
    def end():
        while not (tmp_path / "out/results.csv").exists() or len(rows(tmp_path / "out")) < 4:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    missed = []
    before = signal.signal(signal.SIGTERM, lambda *_: missed.append(1))
    ender = threading.Thread(target=end, daemon=True)
    ender.start()
    try:
        assert predict(model, tmp_path / "out", folder, "--watch", "--settle", "0.1", "--idle", "20") == 2
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not missed and not ender.is_alive()
    assert capsys.readouterr().out.splitlines()[-1].startswith("4 scans: 2 pass, 2 fail; ")


def test_a_watched_file_that_stays_damaged_is_an_error_in_the_end(model, tmp_path):
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (incoming / "cut.tiff").write_bytes(b"II*\0")
    assert predict(model, tmp_path / "out", incoming, "--watch", "--settle", "0.05", "--idle", "0.5") == 1
    assert [row["verdict"] for row in rows(tmp_path / "out")] == ["error"]


def test_outputs_inside_the_folder_of_scans_are_no_scans(model, folder):
    assert predict(model, folder / "out", folder) == predict(model, folder / "out", folder) == 2
    assert len(rows(folder / "out")) == 4
    for kind in ("good", "dent"):
        shutil.rmtree(folder / kind)
    assert predict(model, folder / "out", folder) == 1  # not 0: there is nothing that passed


@pytest.mark.parametrize("scans", ["good", "good/000.tiff", "good/*.tiff", "link/000.tiff", "{root}/good/000.tiff"])
def test_no_scan_is_replaced_by_its_map(model, folder, monkeypatch, capsys, scans):
    monkeypatch.chdir(folder)
    Path("link").symlink_to("good")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert predict(model, "good", scans.format(root=folder)) == 1
    assert "expected a folder for the results alone" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_folder_of_scans_inside_the_given_one_is_no_output(model, folder, capsys):
    inner = folder / "good/000.tiff"
    (folder / "000.tiff").write_bytes(inner.read_bytes())
    before = inner.read_bytes()
    assert predict(model, folder / "good", folder) == 1
    assert "expected a folder for the results alone" in capsys.readouterr().err
    assert inner.read_bytes() == before and not (folder / "good/results.csv").exists()


def test_scans_behind_a_link_have_their_results_in_the_output_alone(model, folder, tmp_path):
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/link").symlink_to(folder / "good")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert predict(model, tmp_path / "out", *sorted((tmp_path / "deep/er/link").glob("*.tiff"))) == 0
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert (tmp_path / "out/000.png").is_file() and (tmp_path / "out/001.ply").is_file()


def test_a_watched_file_is_not_judged_again_by_another_spelling_of_its_path(
    model, folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(folder)
    quick = ["--watch", "--settle", "0.1", "--idle", "0.4"]
    assert predict(model, tmp_path / "out", "good", *quick) == 0
    capsys.readouterr()
    assert predict(model, tmp_path / "out", folder / "good", *quick) == 0
    assert capsys.readouterr().out.startswith("0 scans: none; ") and len(rows(tmp_path / "out")) == 2


@pytest.mark.parametrize("table", [b"file,size\na.tiff,3\n", b"\xff\xfe\x00a", b""])
def test_a_table_that_predict_did_not_write_is_not_gone_on_with(model, folder, tmp_path, capsys, table):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/results.csv").write_bytes(table)
    assert predict(model, tmp_path / "out", folder, "--watch", "--settle", "0.1", "--idle", "0.4") == 1
    assert "results.csv: expected a table that predict wrote, found another" in capsys.readouterr().err
    assert (tmp_path / "out/results.csv").read_bytes() == table


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nowhere"], "nowhere: expected"),
        (["{folder}", "--settle", "0"], "expected --settle above 0"),
        (["{folder}/good", "{folder}/dent", "--watch"], "--watch: expected one folder"),
    ],
)
def test_a_call_that_cannot_be_is_one_line(model, folder, tmp_path, capsys, arguments, message):
    assert predict(model, tmp_path / "out", *[each.format(folder=folder) for each in arguments]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("st3d")]
    assert len(said) == 1 and message in said[0] and not (tmp_path / "out").exists()


def test_the_table_is_what_any_program_reads(model, folder, tmp_path):
    predict(model, tmp_path / "out", folder / "good")
    with (tmp_path / "out/results.csv").open(newline="") as file:
        header = next(csv.reader(file))
    assert header[:4] == ["file", "verdict", "score", "threshold"] and len(set(header)) == len(header)


def test_another_programs_table_and_the_scans_beside_it_are_left_alone(model, folder, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "results.csv").write_text("part,length\n7,12.5\n")
    (mine / "000.tiff").write_bytes((folder / "good/000.tiff").read_bytes())
    before = {path.name: path.read_bytes() for path in mine.iterdir()}
    assert predict(model, mine, folder / "good/000.tiff") == 1
    assert "expected a table that predict wrote, found another" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == before
