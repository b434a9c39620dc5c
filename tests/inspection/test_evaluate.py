"""Command `evaluate`: its figures are those that a hand computes, and fall with a map that is inverted."""

import json
import shutil

import numpy as np
import pytest
import tifffile
from inspection_parts import DENT
from PIL import Image

from st3d.detector import Detector
from st3d.formats.errors import Faults
from st3d.inspection.evaluate import _Judged, labelled_scans, measures
from st3d.kernels.pro import au_pro
from st3d.workflow.command_line import main


def evaluate(model, folder, output):
    arguments = ["--model", str(model), "--output", str(output), "--device", "cpu", "--threads", "1"]
    code = main(["evaluate", str(folder), *arguments])
    return code, json.loads(output.read_text()) if output.exists() else None


def judged(kind, score, unlike=False, mask=None):
    return _Judged(kind, score, unlike, "m", np.array([[0.0, 1.0], [2.0, 3.0]]), mask)


def test_the_figures_are_those_of_the_models_own_results(model, folder, tmp_path, capsys):
    code, found = evaluate(model, folder, tmp_path / "evaluation.json")
    detector = Detector.load(model, device="cpu", threads=1)
    paths = [folder / name for name in ("dent/000.tiff", "dent/001.tiff", "good/000.tiff", "good/001.tiff")]
    maps = [detector.predict(tifffile.imread(path)).map for path in paths]
    masks = [DENT, DENT, DENT & False, DENT & False]
    assert code == 0 and found["kinds"] == {
        "good": {"scans": 2, "called_anomalous": 0}, "dent": {"scans": 2, "called_anomalous": 2}
    }  # fmt: skip
    assert found["auroc"] == 1 and found["unlike"] == 0
    assert found["au_pro"]["0.3"] == pytest.approx(au_pro(maps, masks, 0.3)) and found["au_pro"]["0.3"] > 0.8
    assert au_pro([-each for each in maps], masks, 0.3) < 0.3
    shown = capsys.readouterr().out
    assert "2 defective scans fail, 0 pass; 2 good ones pass, 0 fail" in shown and "image AUROC 1.000" in shown


def test_scans_that_the_model_was_perhaps_fitted_to_are_told(model, folder, tmp_path):
    assert not any("fitted to" in note for note in evaluate(model, folder, tmp_path / "a.json")[1]["notes"])
    (folder / "train").mkdir()
    shutil.copytree(folder / "good", folder / "train/good")
    assert evaluate(model, folder, tmp_path / "b.json")[1]["notes"] == [
        "2 scans lie in train or validation; of scans fitted to, the figures say too much"
    ]


def test_confusion_and_auroc_of_a_case_counted_by_hand():
    cases = [
        judged("good", 1),
        judged("good", 5),
        judged("cut", 4),
        judged("cut", 2),
        judged("hole", 6),
        judged("hole", 0, True),
    ]
    found = measures(cases, threshold=3)
    assert found["confusion"] == {"true_fail": 3, "false_pass": 1, "true_pass": 1, "false_fail": 1}
    assert (
        found["kinds"]["hole"] == {"scans": 2, "called_anomalous": 2} and found["kinds"]["cut"]["called_anomalous"] == 1
    )
    # pairs (defective, good) in which the defective one is higher: 4>1, 2>1, 6>1, 6>5 of 8
    assert found["auroc"] == pytest.approx(4 / 8)
    assert (
        found["au_pro"] is None
        and "AU-PRO needs images" in found["notes"][0]
        and "1 scans are unlike" in found["notes"][1]
    )


def test_what_is_undefined_is_left_out_with_the_reason():
    good = measures([judged("good", 1, mask=np.zeros((2, 2), bool))] * 2, threshold=3)
    assert good["auroc"] is None and good["au_pro"] is None
    assert good["notes"] == ["AUROC needs good and defective scans", "AU-PRO needs a defective scan"]


@pytest.mark.parametrize("layout", ["beside", "mvtec_3d_ad", "mvtec_ad"])
def test_masks_are_found_in_every_layout(folder, tmp_path, layout):
    test = tmp_path / "part/test"
    if layout == "mvtec_3d_ad":
        for kind in ("good", "dent"):
            (test / kind / "xyz").mkdir(parents=True)
            (test / kind / "gt").mkdir()
            for path in (folder / kind).glob("*.tiff"):
                shutil.copy(path, test / kind / "xyz" / path.name)
                Image.fromarray(DENT).save(test / kind / "gt" / f"{path.stem}.png")
    else:
        shutil.copytree(folder, test)
        if layout == "mvtec_ad":
            (tmp_path / "part/ground_truth/dent").mkdir(parents=True)
            for path in (test / "dent").glob("*_mask.png"):
                path.rename(tmp_path / "part/ground_truth/dent" / path.name)
    for root in (test, tmp_path / "part"):
        labelled = labelled_scans(root, sorted(test.rglob("*.tiff")))
        assert [each.kind for each in labelled] == ["dent", "dent", "good", "good"]
        assert [each.mask is not None for each in labelled] == [True, True, False, False]


def test_scans_without_a_kind_and_scans_in_two_units_are_refused(model, folder, tmp_path, capsys):
    assert evaluate(model, folder / "dent", tmp_path / "a.json") == (1, None)
    assert "expected it in a folder that says what it is, such as good/ or scratch/" in capsys.readouterr().err
    for number in (7, 8):
        np.save(folder / f"good/{number}.npy", tifffile.imread(folder / "good/000.tiff") * np.float32(1000))
    assert evaluate(model, folder, tmp_path / "a.json") == (1, None)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("st3d evaluate: ")]
    assert len(said) == 2 and all("expected metres like the scans before, found millimetres" in line for line in said)
    assert isinstance(Faults(said), ValueError)
