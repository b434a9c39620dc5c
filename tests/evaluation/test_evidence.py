"""The folder of evidence, and measured minus published as the command prints it."""

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image
from small_report import LIMITS, whole_study

from st3d.evaluation.differences import differences
from st3d.evaluation.evidence import evidence
from st3d.evaluation.interval import interval

VARIANTS = ("base", "points_half", "random_weights", "voxel_vm")


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def study(tmp_path, rng):
    study = whole_study(tmp_path, rng)
    for category in study.categories:
        maps = tmp_path / "maps/base"
        interval(
            dataset=tmp_path / "data", category=category, maps=maps, manifest=maps / category / "maps.csv",
            output=tmp_path / f"interval/{category}.json", limits=LIMITS, count=50, seed=1, code="c",
        )  # fmt: skip
    log = tmp_path / "results/student/base/bagel/student.log"
    log.parent.mkdir(parents=True)
    log.write_text("12:00:01 finished: 12.5 s, 11.0 s of CPU, 300 MB\n")
    return study


def written(study, **changes):
    folder = study.folder
    flags = {
        "variants": [folder / f"variant/{name}.json" for name in VARIANTS],
        "protocols": ["full"] * 4, "repeats": ["base", "points_half", "base", "voxel_vm"],
        "differs": ["none", "graph.points=500", "teacher.seed=9", "none"],
        "intervals": [f"base/{name}={folder}/interval/{name}.json" for name in study.categories],
        "curves": [f"base/teacher={folder}/teacher.csv"]
        + [f"base/{name}={folder}/student/{name}.csv" for name in study.categories],
        "jobs": [f"base={folder}/results/student/base"], "tables": sorted((folder / "tables").glob("*.csv")),
        "settings": ["graph.points=1000", "score.limits=[0.1, 0.3]"], "shown": "base", "categories": study.categories,
        "dataset": folder / "data", "listing": "abc", "maps": folder / "maps/base", "licence": "CC BY",
        "output": folder / "evidence", "code": "c",
    }  # fmt: skip
    evidence(**(flags | changes))
    return folder / "evidence"


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
    for table in (study.folder / "tables").glob("*.csv"):
        assert (folder / table.name).read_bytes() == table.read_bytes()
    content = json.loads((folder / "provenance.json").read_text())
    assert content["settings"] == {"graph.points": "1000", "score.limits": "[0.1, 0.3]"} and content["data"] == "abc"
    assert re.fullmatch(r"([0-9a-f]{40}(-dirty)?)?", content["commit"])


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
    [row] = [row for row in rows(written(study) / "rows.csv") if row["variant"] == "base"]
    low, value, high = (float(row[f"au_pro_0.3{end}"]) for end in ("_low", "", "_high"))
    assert low <= value <= high and low < high
    [other] = [row for row in rows(study.folder / "evidence/rows.csv") if row["variant"] == "points_half"]
    assert other["au_pro_0.3_low"] == ""


def test_lists_that_do_not_fit_are_refused_and_an_earlier_folder_stays(study):
    folder = written(study)
    before = (folder / "rows.csv").read_bytes()
    with pytest.raises(ValueError, match="--protocols"):
        written(study, protocols=["full"])
    with pytest.raises(ValueError, match="<name>=<path>"):
        written(study, curves=["base"])
    assert (folder / "rows.csv").read_bytes() == before


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
