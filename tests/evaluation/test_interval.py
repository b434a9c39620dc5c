import json

import numpy as np
import pytest
from small_report import SmallStudy

from st3d.evaluation.interval import interval
from st3d.formats.atomic import write_csv
from st3d.formats.scans import read_map, write_map


@pytest.fixture
def study(tmp_path, rng):
    return SmallStudy(tmp_path, rng, categories=["bagel"]).run_variants("base")


def measured(study, **changed):
    maps, output = study.folder / "maps/base", study.folder / "interval.json"
    options = {"manifest": maps / "bagel/maps.csv", "count": 200, "seed": 1} | changed
    interval(
        dataset=study.folder / "data", category="bagel", maps=maps, output=output, limits=[0.05, 0.3], code="c",
        **options,
    )  # fmt: skip
    return json.loads(output.read_text())


def test_the_interval_lies_around_the_score_and_is_the_same_for_the_same_seed(study):
    score, found = json.loads((study.folder / "score/base/bagel.json").read_text()), measured(study)
    for limit in ("0.05", "0.3"):
        low, high = found["au_pro_at"][limit]
        assert 0 <= low <= score["au_pro_at"][limit] <= high <= 1 and low < high
    assert found["au_roc"][0] <= score["au_roc"] <= found["au_roc"][1]
    assert found["samples"] == 6 and found == measured(study)
    assert found["au_pro_at"] != measured(study, seed=2)["au_pro_at"]


def test_maps_that_find_every_defect_have_no_spread(study):
    maps = study.folder / "maps/base/bagel/test"
    for path in maps.glob("*/*.tiff"):
        scores, (defect, number) = np.zeros_like(read_map(path)), (path.parent.name, int(path.stem))
        if defect != "good":
            scores[22:28, 18 + 2 * number : 24 + 2 * number] = 1  # where the study has its defects
        write_map(path, scores)
    names = [f"{path.parent.name}/{path.stem}" for path in sorted(maps.glob("*/*.tiff"))]
    rows = [{"sample": name, "score": float(not name.startswith("good"))} for name in names]
    write_csv(study.folder / "found.csv", rows, ["sample", "score"])
    found = measured(study, manifest=study.folder / "found.csv")
    assert found["au_pro_at"]["0.3"] == pytest.approx([1, 1]) and found["au_roc"] == [1, 1]


def test_a_list_of_other_maps_is_refused(study):
    write_csv(study.folder / "other.csv", [{"sample": "good/000", "score": 1.0}], ["sample", "score"])
    with pytest.raises(ValueError, match="make the maps again"):
        measured(study, manifest=study.folder / "other.csv")
