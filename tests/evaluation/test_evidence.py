"""The folder of evidence, and measured minus published as the command prints it."""

import copy
import csv
import json
import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from small_report import LIMITS, whole_study

from st3d.evaluation.differences import differences
from st3d.evaluation.evidence.evidence import evidence
from st3d.evaluation.evidence.kept import digest_of_folder
from st3d.evaluation.evidence.row import evidence_row
from st3d.evaluation.interval import interval
from st3d.formats.atomic import write_json

VARIANTS = ("base", "points_half", "random_weights", "voxel_vm")


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study that was run; made once, since all tests read it."""
    folder = tmp_path_factory.mktemp("study")
    study = whole_study(folder, np.random.default_rng(0))
    for category in study.categories:
        maps = folder / "maps/base"
        interval(
            dataset=folder / "data", category=category, maps=maps, manifest=maps / category / "maps.csv",
            output=folder / f"interval/{category}.json", limits=LIMITS, count=50, seed=1, code="c",
        )  # fmt: skip
    log = folder / "results/student/base/bagel/student.log"
    log.parent.mkdir(parents=True)
    log.write_text("12:00:01 finished: 12.5 s, 11.0 s of CPU, 300 MB\n")
    return study


@pytest.fixture
def study(finished, tmp_path):
    """A copy of it, to be changed."""
    study = copy.copy(finished)
    study.folder = tmp_path / "study"
    shutil.copytree(finished.folder, study.folder)
    return study


TABLES = {"base": ["table1", "table2", "table3", "table4"], "points_half": ["table3"], "random_weights": ["table4"],
          "voxel_vm": ["table1"]}  # fmt: skip


def row_of(study, name, **changes):
    folder = study.folder
    own = name == "base"
    flags = {
        "variant": folder / f"variant/{name}.json", "protocol": "full",
        "repeats": "base" if name == "random_weights" else name,
        "differs": {"points_half": "graph.points=500", "random_weights": "teacher.seed=9"}.get(name, "none"),
        "intervals": [f"{each}={folder}/interval/{each}.json" for each in study.categories] if own else [],
        "costs_of_table3": [folder / f"cost/{name}.json"] if "table3" in TABLES[name] else [],
        "curves": [f"teacher={folder}/teacher.csv"]
        + [f"{each}={folder}/student/{each}.csv" for each in study.categories] if own else [],
        "jobs": [folder / "results/student/base"] if own else [], "tables": TABLES[name], "settings": f"hash-{name}",
        "data": [str(folder / "data" / each) for each in study.categories],
        "output": folder / f"evidence_rows/{name}.json", "code": "c",
    }  # fmt: skip
    evidence_row(**(flags | changes))
    return flags["output"]


def written(study, *names, rows=None, **changes):
    """The folder, after a run of some variants or of all."""
    folder = study.folder
    flags = {
        "rows": rows or [row_of(study, name) for name in names or VARIANTS],
        "declared": [f"{name}=hash-{name}" for name in VARIANTS],
        "settings": ["graph.points=1000", "score.limits=[0.1, 0.3]"], "shown": "base", "categories": study.categories,
        "dataset": folder / "data", "maps": folder / "maps/base", "licence": "CC BY",
        "folder": folder / "evidence", "output": folder / "differences.txt", "code": "c",
    }  # fmt: skip
    evidence(**(flags | changes))
    return folder / "evidence"


def content_of(folder):
    """All files of a folder but those that say when and how it was made."""
    files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: content for name, content in files.items() if name.name != "provenance.json"}


def test_each_variant_is_a_row_with_the_scores_of_its_files(study):
    found = {row["variant"]: row for row in rows(written(study) / "rows.csv")}
    assert list(found) == list(VARIANTS)
    for name, row in found.items():
        content = json.loads((study.folder / f"variant/{name}.json").read_text())["categories"].values()
        for limit in LIMITS:
            expected = np.mean([each["au_pro_at"][str(limit)] for each in content])
            assert float(row[f"au_pro_{limit}"]) == pytest.approx(expected, abs=6e-5)
        assert float(row["image_auroc"]) == pytest.approx(np.mean([each["au_roc"] for each in content]), abs=6e-5)
    assert found["base"]["teacher_loss"] == found["base"]["student_loss"] == "1.5000"  # the lowest of validation
    assert found["voxel_vm"]["student_loss"] == found["voxel_vm"]["width"] == found["base"]["differs"] == ""
    assert found["points_half"]["differs"] == "graph.points=500" and found["points_half"]["points"] == "500"


def test_variants_that_differ_in_seeds_are_summed_up(study):
    folder = written(study)
    scores = {row["variant"]: float(row["au_pro_0.3"]) for row in rows(folder / "rows.csv")}
    [row] = [row for row in rows(folder / "seeds.csv") if row["score"] == "au_pro_0.3"]
    both = [scores["base"], scores["random_weights"]]
    assert (row["variant"], row["seeds"]) == ("base", "2")
    assert [float(row[name]) for name in ("mean", "lowest", "highest")] == pytest.approx(
        [np.mean(both), min(both), max(both)], abs=6e-5
    )


def test_intervals_losses_times_and_tables_are_those_of_the_study(study):
    folder = written(study)
    found = rows(folder / "intervals.csv")
    assert {(row["variant"], row["category"]) for row in found} == {("base", "bagel"), ("base", "tire")}
    assert all(float(row["low"]) <= float(row["value"]) <= float(row["high"]) for row in found)
    assert [row["validation"] for row in rows(folder / "losses.csv") if row["network"] == "tire"] == [
        "2.5",
        "1.5",
        "1.75",
    ]
    [time] = rows(folder / "times.csv")
    assert (time["jobs"], time["seconds"], time["cpu_seconds"]) == ("1", "12.5", "11.0")
    for table, names in {name: [v for v in VARIANTS if name in TABLES[v]] for name in TABLES["base"]}.items():
        study.table(table, *names)
        assert (folder / f"{table}.csv").read_bytes() == (study.folder / f"tables/{table}.csv").read_bytes()
    content = json.loads((folder / "provenance.json").read_text())
    assert content["settings"] == {"graph.points": "1000", "score.limits": "[0.1, 0.3]"}
    assert set(content["data"]) == {str(study.folder / "data" / name) for name in study.categories}
    [run] = content["runs"]
    assert run["variants"] == list(VARIANTS) and re.fullmatch(r"([0-9a-f]{40}(-dirty)?)?", run["commit"])


def test_pictures_show_map_and_truth_without_the_scan(study):
    folder = written(study)
    names = {path.name for path in (folder / "maps").glob("bagel*.png")}
    assert names == {
        "bagel_crack_best.png",
        "bagel_crack_worst.png",
        "bagel_hole_the.png",
        "bagel_good_anomaly-free.png",
    }
    picture = np.asarray(Image.open(folder / "maps/bagel_crack_best.png").convert("RGB")).astype(int)
    assert picture.shape == (40, 2 * 48 + 8, 3)
    truth = picture[:, -48:]
    assert (truth == truth[0, 0]).all(axis=2).sum() == 40 * 48 - 36  # the defect of 6 x 6 pixels alone
    left = picture[:, :48].sum(axis=2)
    assert left[22:28, 18:24].mean() < left.mean() - 100  # the colours darken with the score
    assert (folder / "maps/LICENSE.txt").read_text() == "CC BY\n"


def test_a_single_category_has_its_interval_in_the_row(study):
    content = json.loads((study.folder / "variant/base.json").read_text())
    content["categories"].pop("tire")
    (study.folder / "variant/base.json").write_text(json.dumps(content))
    new = [row_of(study, "base", intervals=[f"bagel={study.folder}/interval/bagel.json"]), row_of(study, "points_half")]
    [row] = [row for row in rows(written(study, rows=new) / "rows.csv") if row["variant"] == "base"]
    low, value, high = (float(row[f"au_pro_0.3{end}"]) for end in ("_low", "", "_high"))
    assert low <= value <= high and low < high
    [other] = [row for row in rows(study.folder / "evidence/rows.csv") if row["variant"] == "points_half"]
    assert other["au_pro_0.3_low"] == ""


def test_what_is_no_row_is_refused_and_an_earlier_folder_stays(study):
    folder = written(study)
    before = (folder / "rows.csv").read_bytes()
    with pytest.raises(ValueError, match="<name>=<path>"):
        row_of(study, "base", curves=["base"])
    damaged = study.folder / "damaged.json"
    damaged.write_text("{")
    with pytest.raises(ValueError, match="damaged.json"):
        written(study, rows=[damaged])
    assert (folder / "rows.csv").read_bytes() == before


def test_rows_of_several_runs_stand_in_one_folder_as_those_of_one_run(study):
    expected = content_of(written(study))
    folder = study.folder / "evidence"
    shutil.rmtree(folder)
    written(study, "random_weights", "base")
    written(study, "voxel_vm", shown="voxel_vm", maps=study.folder / "maps/voxel_vm")
    assert [row["variant"] for row in rows(folder / "rows.csv")] == ["base", "random_weights", "voxel_vm"]
    written(study, "points_half", shown="points_half", maps=study.folder / "maps/points_half")
    assert content_of(folder) == expected
    assert json.loads((folder / "provenance.json").read_text())["shown"] == "base"


def test_a_job_that_rows_share_counts_once_and_one_that_was_run_again_twice(study):
    log = study.folder / "results/student/base"
    changed = {"jobs": [log]}
    written(study, rows=[row_of(study, "base"), row_of(study, "random_weights", **changed)])
    [time] = rows(study.folder / "evidence/times.csv")
    assert (time["jobs"], time["seconds"]) == ("1", "12.5")
    (log / "bagel/student.log").write_text("12:00:01 finished: 20.0 s, 11.0 s of CPU, 300 MB\n")
    written(study, rows=[row_of(study, "voxel_vm", **changed)])
    [time] = rows(study.folder / "evidence/times.csv")
    assert (time["jobs"], time["seconds"]) == ("2", "32.5")


def test_a_row_names_the_gpus_that_its_logs_name_and_an_older_row_has_none(study):
    log = study.folder / "results/student/base/bagel/student.log"
    log.write_text("12:00:00 trains on NVIDIA H200\n12:00:01 finished: 12.5 s, 11.0 s of CPU, 300 MB\n")
    older = row_of(study, "points_half")
    content = json.loads(older.read_text())
    assert content.pop("gpus") == []
    older.write_text(json.dumps(content))
    folder = written(study, rows=[row_of(study, "base"), older])
    assert {row["variant"]: row["gpus"] for row in rows(folder / "rows.csv")} == {
        "base": "NVIDIA H200", "points_half": "",
    }  # fmt: skip
    runs = json.loads((folder / "provenance.json").read_text())["runs"]
    assert {name: run["gpus"] for run in runs for name in run["variants"]} == {
        "base": ["NVIDIA H200"], "points_half": [],
    }  # fmt: skip


def test_a_row_that_is_run_again_replaces_its_former_one(study):
    folder = written(study)
    content = json.loads((study.folder / "variant/voxel_vm.json").read_text())
    for each in content["categories"].values():
        each["au_pro_at"]["0.3"] = 0.125
    (study.folder / "variant/voxel_vm.json").write_text(json.dumps(content))
    written(study, "voxel_vm", shown="voxel_vm", maps=study.folder / "maps/voxel_vm")
    scores = {row["variant"]: row["au_pro_0.3"] for row in rows(folder / "rows.csv")}
    assert list(scores) == list(VARIANTS) and scores["voxel_vm"] == "0.1250"
    measured = [row for row in rows(folder / "table1.csv") if row["source"] == "measured"]
    assert {row["mean"] for row in measured if row["method"] == "voxel_vm"} == {"0.1250"}
    assert "voxel_vm" in (folder / "differences.txt").read_text() == (study.folder / "differences.txt").read_text()


@pytest.mark.parametrize("change", ["settings", "data", "undeclared"])
def test_a_row_of_other_settings_or_data_is_left_out_with_a_word(study, caplog, change):
    folder = written(study)
    declared = {name: f"hash-{name}" for name in VARIANTS}
    if change == "settings":
        declared["points_half"] = "another"
    if change == "undeclared":
        del declared["points_half"]
    if change == "data":
        mesh = study.folder / "meshes/chair.off"
        mesh.parent.mkdir()
        mesh.write_text("a mesh")
        written(study, rows=[row_of(study, "points_half", data=[str(mesh.parent)])])
        mesh.write_text("another")
    written(study, "base", declared=[f"{name}={value}" for name, value in declared.items()])
    assert [row["variant"] for row in rows(folder / "rows.csv")] == ["base", "random_weights", "voxel_vm"]
    assert [row for row in rows(folder / "table3.csv") if row["source"] == "measured" and row["value"] == "500"] == []
    assert "points_half.json: left out: " in caplog.text


def test_a_row_stays_where_its_data_are_not_at_hand(study):
    written(study, rows=[row_of(study, "points_half", data=[str(study.folder / "elsewhere")])])
    folder = written(study, "base")
    assert {row["variant"] for row in rows(folder / "rows.csv")} == {"base", "points_half"}


def test_a_folder_of_data_is_known_by_its_content_and_not_by_its_times(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        (folder / "test/good").mkdir(parents=True)
        (folder / "test/good/000.tiff").write_bytes(b"scan")
    os.utime(second / "test/good/000.tiff", (1, 1))
    assert digest_of_folder(str(first)) == digest_of_folder(str(second)) != ""
    (second / "test/good/000.tiff").write_bytes(b"Scan")
    assert digest_of_folder(str(first)) != digest_of_folder(str(second))
    (second / "test/good/000.tiff").rename(second / "test/good/001.tiff")
    (second / "test/good/001.tiff").write_bytes(b"scan")
    assert digest_of_folder(str(first)) != digest_of_folder(str(second))
    assert digest_of_folder(str(tmp_path / "none")) == ""


def test_simulated_data_are_known_by_settings_and_code_and_not_by_their_last_bits(tmp_path):
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    for folder, seed, scan in ((first, 2, b"scan"), (second, 2, b"scam"), (third, 3, b"scan")):
        folder.mkdir()
        (folder / "000.tiff").write_bytes(scan)
        write_json(folder / "complete.json", {"settings": {"seed": seed}, "code": "ab", "files": ["000.tiff"]})
    assert digest_of_folder(str(first)) == digest_of_folder(str(second)) != digest_of_folder(str(third))


def test_differences_are_measured_minus_published_of_each_cell_that_has_both(study, capsys):
    differences(folder=written(study))
    lines = capsys.readouterr().out.splitlines()
    [line] = [line.split() for line in lines if line.startswith("table1 ") and "3d_st_64" in line and " tire " in line]
    table = {(row["source"], row["method"]): row for row in rows(study.folder / "tables/table1.csv")}
    measured, published = (float(table[source, "3d_st_64"]["tire"]) for source in ("measured", "published"))
    assert [float(text) for text in line[-3:]] == pytest.approx([measured, published, measured - published], abs=1e-4)
    assert not any("3d_st_128" in line for line in lines[1:] if line.startswith("table1"))  # not run
    with pytest.raises(ValueError, match="found none"):
        differences(folder=study.folder)
