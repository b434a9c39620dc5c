"""The detector: fitted to good parts it finds a dent, says what it rests on, and leaves the process as it was."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from killed import killed_in
from small_dataset import small_scan

from st3d.detector import Detector, UnlikeTraining
from st3d.formats.checkpoints import save
from st3d.formats.errors import Faults

ROOT = Path(__file__).parents[1]
SMALL = {"points": 400, "neighbours": 8, "steps": 300, "false_alarms": 0.25, "device": "cpu", "threads": 1}

PROGRAM = """
import ctypes, logging, os, sys
import numpy as np, torch, tifffile, trimesh

torch.set_num_threads(3)
torch.backends.cudnn.allow_tf32 = True
torch.manual_seed(5)
allocator = ctypes.CDLL(None)
mallopt, calls = getattr(allocator, "mallopt", None), []

def state():
    random = torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes()
    flags = torch.get_deterministic_debug_mode(), torch.utils.deterministic.fill_uninitialized_memory
    flags += torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32, torch.get_num_threads()
    flags += torch.get_num_interop_threads(), torch.is_grad_enabled(), torch.get_default_dtype()
    return random, flags, dict(os.environ), np.geterr(), os.getcwd()

def loggers():
    names = [None, "tifffile", "trimesh", "torch", "h5py", "matplotlib", "PIL"]
    found = [logging.getLogger(name) for name in names]
    return [(each.name, each.level, each.disabled, each.propagate, list(each.handlers)) for each in found]

before = {"state": state, "loggers": loggers}[sys.argv[1]]
expected = before()
from st3d.detector import Detector
from st3d.kernels import native
native.keep_memory = lambda: calls.append("mallopt")
threads = native.threads()
scans = list(np.load(sys.argv[2]))
detector = Detector(points=400, neighbours=8, steps=5, false_alarms=0.25, device="cpu", threads=2)
detector.fit(scans[:9])
assert before() == expected, (before(), expected)
detector.save(sys.argv[2] + ".st3d")
detector = Detector.load(sys.argv[2] + ".st3d", device="cpu", threads=2)
assert detector.predict(scans[0]).map.shape == (64, 64)
for unfit in (scans[0][:1, :2], scans[0][..., :2], scans[0] * np.nan):
    try:
        detector.predict(unfit)
    except ValueError:
        pass
    else:
        raise AssertionError(unfit)
assert before() == expected, (before(), expected)
assert native.threads() == threads and not calls
"""


@pytest.fixture(scope="module")
def scans():
    """Twelve good scans, and the first again with a dent in its upper right."""
    rng = np.random.default_rng(3)
    good = [small_scan(rng)[0] for _ in range(12)]
    dented = good[11].copy()
    dented[10:16, 44:50] *= 0.98
    return good, dented


@pytest.fixture(scope="module")
def detector(scans):
    return Detector(**SMALL).fit(scans[0][:11])


def run(scans, tmp_path, what):
    environment = {name: value for name, value in os.environ.items() if name != "CUBLAS_WORKSPACE_CONFIG"}
    environment["PYTHONPATH"] = str(ROOT)
    np.save(tmp_path / "scans.npy", np.stack(scans[0]))
    command = [sys.executable, "-c", PROGRAM, what, str(tmp_path / "scans.npy")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr


def test_a_dent_is_anomalous_and_the_map_is_highest_in_it(detector, scans):
    good, dented = scans
    sound, found = detector.predict(good[11]), detector.predict(dented)
    assert found.is_anomalous and found.score > found.threshold > sound.score and not sound.is_anomalous
    row, column = np.unravel_index(found.map.argmax(), found.map.shape)
    assert 9 <= row <= 16 and 43 <= column <= 50
    assert found.map.dtype == np.float32 and found.map.shape == (64, 64)
    inside = np.zeros((64, 64), bool)
    inside[10:16, 44:50] = True
    assert found.mask[inside].mean() > 0.5 > 0.1 > found.mask[~inside].mean()


def test_a_model_file_judges_as_the_detector_that_wrote_it(detector, scans, tmp_path):
    detector.save(tmp_path / "part.st3d")
    loaded = Detector.load(tmp_path / "part.st3d", device="cpu", threads=1)
    one, other = detector.predict(scans[1]), loaded.predict(scans[1])
    assert np.array_equal(one.map, other.map) and (one.score, one.threshold) == (other.score, other.threshold)
    assert loaded.get_params() == detector.get_params() and loaded.about == detector.about
    loaded.save(tmp_path / "again.st3d")
    assert (tmp_path / "again.st3d").read_bytes() == (tmp_path / "part.st3d").read_bytes()


def test_the_cloud_of_an_image_has_the_images_score_and_the_scored_points_scores(detector, scans):
    dented = scans[1]
    valid = (dented != 0).any(axis=2)
    image, cloud = detector.predict(dented), detector.predict(dented[valid])
    assert cloud.score == image.score and cloud.map.shape == (valid.sum(),)
    same = cloud.map == image.map[valid]
    assert same.sum() >= 400 == image.scored
    assert np.corrcoef(cloud.map, image.map[valid])[0, 1] > 0.9


def test_a_detector_fitted_to_clouds_judges_images_and_clouds(scans):
    clouds = [scan[(scan != 0).any(axis=2)] for scan in scans[0][:9]]
    mixed = Detector(**SMALL | {"steps": 3}).fit([scans[0][0], *clouds[1:]])
    alone = Detector(**SMALL | {"steps": 3}).fit(clouds)
    assert mixed.predict(scans[1]).score == alone.predict(scans[1]).score
    assert mixed.predict(scans[1]).map.shape == (64, 64)


def test_a_fit_that_was_killed_goes_on_and_ends_as_an_undisturbed_one(scans, tmp_path):
    settings = SMALL | {"steps": 21}
    np.save(tmp_path / "scans.npy", np.stack(scans[0][:9]))
    killed_in(3, "from st3d.detector import Detector\nimport numpy as np\n"
              f"scans = list(np.load('{tmp_path}/scans.npy'))\n"
              f"Detector(**{settings}).fit(scans, work=Path('{tmp_path}/work'))\n")  # fmt: skip
    assert (tmp_path / "work/student.checkpoint").exists()
    Detector(**settings).fit(scans[0][:9], work=tmp_path / "work").save(tmp_path / "resumed.st3d")
    Detector(**settings).fit(scans[0][:9], work=tmp_path / "whole").save(tmp_path / "whole.st3d")
    assert (tmp_path / "resumed.st3d").read_bytes() == (tmp_path / "whole.st3d").read_bytes()


def test_another_fit_in_the_same_folder_starts_over(scans, tmp_path):
    first = Detector(**SMALL | {"steps": 3}).fit(scans[0][:9], work=tmp_path / "work")
    second = Detector(**SMALL | {"steps": 3}).fit(scans[0][1:10], work=tmp_path / "work")
    alone = Detector(**SMALL | {"steps": 3}).fit(scans[0][1:10])
    assert second.predict(scans[1]).score == alone.predict(scans[1]).score != first.predict(scans[1]).score


def test_a_folder_with_other_files_is_not_emptied(scans, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="expected an empty folder or one of an earlier fit, found other files"):
        Detector(**SMALL).fit(scans[0][:9], work=tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_wrong_part_is_not_scored_but_on_request(detector, rng):
    y, x = np.mgrid[:64, :64].astype(np.float32)
    steps = np.stack([x * 3e-4, y * 3e-4, 0.6 + 0.01 * (x // 8 % 2) + 0.01 * (y // 8 % 2)], axis=2)
    with pytest.raises(UnlikeTraining, match="scan: unlike all training scans, so not scored: "):
        detector.predict(steps)
    assert detector.predict(steps, accept_unlike=True).is_anomalous


def test_a_scan_of_another_size_is_unlike(detector, scans):
    with pytest.raises(UnlikeTraining, match="expected a length .* found"):
        detector.predict(scans[0][0] * np.float32(2))


def test_all_scans_at_fault_are_told_at_once(scans):
    with pytest.raises(Faults) as faults:
        Detector(**SMALL).fit([*scans[0][:9], np.zeros((4, 4, 3)), np.ones(5)])
    assert [line.split(":")[0] for line in faults.value.lines] == ["scan 9", "scan 10"]


def test_copies_of_one_scan_count_once(scans, caplog):
    with pytest.raises(ValueError, match="expected 8 different scans of good parts or more .*, found 1; 24 were given"):
        Detector(**SMALL).fit([scans[0][0]] * 24)
    assert "scan 1: the same scan as scan 0; left out" in caplog.text


def test_a_validation_scan_that_is_trained_on_is_refused(scans):
    with pytest.raises(Faults, match="scan 9: expected a validation scan, found one to train on"):
        Detector(**SMALL).fit(scans[0][:9], validation=scans[0][:3])


def test_given_validation_scans_are_all_that_thresholds_come_from(scans):
    settings = SMALL | {"steps": 3}
    detector = Detector(**settings).fit(scans[0][:6], validation=scans[0][6:9])
    assert detector.about["validation"] == ["scan 6", "scan 7", "scan 8"] and len(detector.about["train"]) == 6
    scores = [detector.predict(scan).score for scan in scans[0][6:9]]
    assert detector.image_threshold.value == pytest.approx(max(scores))  # 0.25: the largest of three
    assert not detector.image_threshold.extrapolated


@pytest.mark.parametrize("changed, message", [
    ({"held_out": 1.0}, "held_out: expected a share above 0 and below 1, found 1"),
    ({"neighbours": 400}, "neighbours: expected fewer than the 400 points, found 400"),
    ({"steps": 0}, "steps: expected 1 or more, found 0"),
    ({"false_alarms": 0.0}, "false_alarms: expected a share above 0 and below 1, found 0"),
    ({"pixel_false_alarms": 1.0}, "pixel_false_alarms: expected a share above 0 and below 1, found 1"),
    ({"learning_rate": 0.0}, "learning_rate: expected a number above 0, found 0"),
    ({"image_score": "mean"}, "image_score: expected one of maximum, .*, found mean"),
    ({"method": "other"}, "method: expected one of 3d_st, found other"),
    ({"seed": -1}, "seed: expected 0 or more, found -1"),
    ({"threads": -1}, "threads: expected 0 or more, found -1"),
])  # fmt: skip
def test_a_number_out_of_its_range_is_refused_before_a_scan_is_read(changed, message):
    with pytest.raises(ValueError, match=message):
        Detector(**SMALL | changed).fit([Path("there_is_none.tiff")])


@pytest.mark.parametrize("one, found", [
    (np.ones((20, 30, 3)), "one array of shape 20 x 30 x 3"), ("scans", "one path, scans"), (Path("a"), "one path, a"),
])  # fmt: skip
def test_one_scan_or_path_in_place_of_a_list_is_refused(one, found):
    with pytest.raises(ValueError, match=f"expected a list of scans.*, found {found}"):
        Detector(**SMALL).fit(one)


def test_parameters_are_read_and_set_as_scikit_learn_does(detector):
    other = Detector().set_params(**detector.get_params())
    assert other == detector and other.get_params()["points"] == 400
    with pytest.raises(ValueError, match="pionts: expected one of"):
        other.set_params(pionts=3)
    with pytest.raises(ValueError, match="expected a fitted one"):
        other.predict(np.zeros((3, 3, 3)))


def test_the_detector_leaves_torch_the_environment_and_random_numbers_as_they_were(scans, tmp_path):
    run(scans, tmp_path, "state")


def test_the_detector_leaves_the_loggers_of_other_libraries_as_they_were(scans, tmp_path):
    run(scans, tmp_path, "loggers")


def test_settings_are_restored_after_an_error(detector):
    before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    with pytest.raises(ValueError, match="scan: expected"):
        detector.predict(np.zeros((4, 4, 3), np.float32))
    assert (torch.get_num_threads(), torch.get_deterministic_debug_mode()) == before


def test_several_threads_may_judge_at_once(detector, scans):
    expected = [detector.predict(scan).map for scan in scans[0]]
    before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda scan: detector.predict(scan).map, scans[0]))
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert (torch.get_num_threads(), torch.get_deterministic_debug_mode()) == before


def test_a_file_that_is_no_model_is_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"missing\.st3d: expected a model, found no such file"):
        Detector.load(tmp_path / "missing.st3d")
    (tmp_path / "cut.st3d").write_bytes(b"PK\3\4")
    with pytest.raises(ValueError, match=r"cut\.st3d: expected a model of st3d, found a truncated or other file"):
        Detector.load(tmp_path / "cut.st3d")
    (tmp_path / "other.st3d").write_bytes(b"garbage")
    with pytest.raises(ValueError, match=r"other\.st3d: .* file \(torch did not write it\)"):
        Detector.load(tmp_path / "other.st3d")


def test_a_model_with_an_image_score_of_another_version_is_refused_when_it_is_loaded(detector, tmp_path):
    content = detector._content | {"settings": detector._content["settings"] | {"image_score": "median"}}
    save(tmp_path / "old.st3d", content)
    with pytest.raises(ValueError, match=r"old\.st3d: expected an image score that is known, found median"):
        Detector.load(tmp_path / "old.st3d")


def test_a_map_has_the_same_bits_in_any_precision_and_memory_layout(detector, scans):
    expected = detector.predict(scans[1]).map
    for each in (scans[1].astype(np.float64), np.asfortranarray(scans[1])):
        assert np.array_equal(detector.predict(each).map, expected)
