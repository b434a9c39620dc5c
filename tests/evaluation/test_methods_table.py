"""The table of all methods: scores beside published ones, and what the jobs' logs say of seconds and memory."""

import csv

import pytest

from st3d.evaluation.job_logs import costs
from st3d.evaluation.methods_rows import published_rows
from st3d.evaluation.methods_table import methods
from st3d.formats.atomic import write_json


def variant(folder, name, **changed):
    scores = {"au_pro_at": {"0.01": 0.1, "0.05": 0.2, "0.1": 0.3, "0.2": 0.4, "0.3": 0.5}, "au_roc": 0.75}
    content = {
        "variant": name,
        "method": "3d_st",
        "modality": "3d",
        "dataset": "simulated",
        "code": "c",
        "scale": "demo",
    }
    content |= {"categories": {"bagel": scores, "foam": scores | {"au_roc": 0.25}}} | changed
    write_json(folder / f"{name}.json", content)
    return folder / f"{name}.json"


def log(path, seconds, peak=100.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"12:00:00 something\n12:00:01 finished: {seconds} s, 1.0 s of CPU, {peak} MB\n")


def table(tmp_path, variants, protocols, jobs=()):
    methods(
        variants=variants, protocols=protocols, weights=["w"] * len(variants), jobs=list(jobs), code="",
        output=tmp_path / "methods.csv",
    )  # fmt: skip
    with (tmp_path / "methods.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_measured_row_has_its_scores_and_stands_below_the_published_one_of_its_protocol(tmp_path):
    found = [variant(tmp_path, "base"), variant(tmp_path, "btf", method="btf_fpfh")]
    rows = table(tmp_path, found, ["full", "224"])
    at = next(index for index, row in enumerate(rows) if row["variant"] == "btf")
    assert rows[at]["au_pro_0.01"] == "0.1000" and rows[at]["au_pro_0.3"] == "0.5000"
    assert rows[at]["image_auroc"] == "0.5000" and rows[at]["categories"] == "2: bagel foam"
    above = rows[at - 1]
    assert (above["source"], above["protocol"], above["method"]) == ("published", "224", "btf_fpfh")
    assert above["au_pro_0.3"] == f"{(0.972 + 0.693) / 2:.4f}" and above["au_pro_0.01"] == ""
    ours = next(row for row in rows if (row["method"], row["source"]) == ("3d_st", "published"))
    assert ours["au_pro_0.01"] == f"{(0.361 + 0.232) / 2:.4f}" and ours["au_pro_0.3"] == f"{(0.939 + 0.633) / 2:.4f}"


def test_a_row_of_another_protocol_is_not_beside_a_published_one(tmp_path):
    rows = table(tmp_path, [variant(tmp_path, "btf", method="btf_fpfh")], ["full"])
    assert [row["source"] for row in rows[:1]] == ["measured"]
    assert {row["source"] for row in rows[1:]} == {"published"}


def test_no_published_mean_is_invented_for_other_categories():
    assert list(published_rows(["bagel", "my_part"])) == []
    rows = [row for row in published_rows(["cable_gland"]) if (row["protocol"], row["modality"]) == ("full", "3d")]
    one = {row["method"]: row for row in rows}
    assert one["3d_st"]["au_pro_0.01"] == "0.0190" and one["3d_st"]["au_pro_0.3"] == "0.4400"
    assert "image_auroc" not in one["3d_st"] and one["voxel_vm"]["image_auroc"] == "0.7470"


def test_seconds_and_memory_are_those_of_the_logs(tmp_path):
    for category in ("bagel", "foam"):
        log(tmp_path / f"objects/btf/{category}/train.log", 3.0)
        log(tmp_path / f"objects/btf/{category}/test.log", 2.0)
        log(tmp_path / f"graph/btf/{category}/test_0.log", 1.0)
        log(tmp_path / f"btf_fpfh/btf/{category}/btf_fpfh.log", 5.0, peak=9000.0)
        log(tmp_path / f"maps/btf/{category}/maps.log", 4.0, peak=1500.0)
        (tmp_path / f"maps/btf/{category}/maps.csv").write_text("sample,score\na,1\nb,1\n")
        log(tmp_path / f"score/btf/{category}.log", 100.0)
    log(tmp_path / "teacher/btf/teacher.log", 60.0)
    folders = [tmp_path / stage / "btf" for stage in ("objects", "graph", "btf_fpfh", "maps", "score", "teacher")]
    assert costs(folders, ["bagel", "foam"]) == {
        "seconds_per_scan": "3.5", "memory_gb": "1.5", "training_seconds": "8", "pretraining_seconds": "60",
    }  # fmt: skip
    rows = table(tmp_path, [variant(tmp_path, "btf")], ["full"], [f"btf={folder}" for folder in folders])
    assert next(row for row in rows if row["source"] == "measured")["seconds_per_scan"] == "3.5"


def test_without_logs_cells_are_empty(tmp_path):
    assert costs([tmp_path / "maps/btf"], ["bagel"]) == {}


def test_lists_of_other_lengths_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected 1, one per variant, found 2 and 1"):
        table(tmp_path, [variant(tmp_path, "base")], ["full", "full"])
