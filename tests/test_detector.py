"""A user's program that calls the detector keeps its own settings of torch, of the environment and of loggers."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from test_training import scenes, train_student, train_teacher

from st3d.detector import Detector

__all__ = ["scenes"]  # the fixture
ROOT = Path(__file__).parents[1]

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
detector = Detector.load(teacher=sys.argv[2], student=sys.argv[3], device="cpu", threads=2)
assert before() == expected, (before(), expected)
y, x = np.mgrid[:24, :32].astype(np.float32)
scan = np.stack([x * 0.01, y * 0.01, 0.7 + 0.01 * np.sin(x / 4)], axis=2)
assert detector.map(scan).shape == (24, 32)
for unfit in (scan[:1, :2], scan[..., :2], scan * np.nan, scan.astype(int)):
    try:
        detector.map(unfit)
    except ValueError:
        pass
    else:
        raise AssertionError(unfit)
assert before() == expected, (before(), expected)
assert native.threads() == threads and not calls
"""


@pytest.fixture
def pair(scenes, tmp_path):
    """Paths of a trained teacher and student."""
    teacher = train_teacher(scenes, tmp_path)
    return {"teacher": teacher, "student": train_student(scenes, teacher, tmp_path)}


def run(pair, what):
    environment = {name: value for name, value in os.environ.items() if name != "CUBLAS_WORKSPACE_CONFIG"}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-c", PROGRAM, what, str(pair["teacher"]), str(pair["student"])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr


def test_the_detector_leaves_torch_the_environment_and_random_numbers_as_they_were(pair):
    run(pair, "state")


def test_the_detector_leaves_the_loggers_of_other_libraries_as_they_were(pair):
    run(pair, "loggers")


def test_settings_are_restored_after_an_error(pair):
    detector = Detector.load(**pair, device="cpu", threads=2)
    before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    with pytest.raises(ValueError, match="expected valid pixels in the scan, found none"):
        detector.map(np.zeros((4, 4, 3), np.float32))
    assert (torch.get_num_threads(), torch.get_deterministic_debug_mode()) == before


def test_several_threads_may_map_at_once(pair, rng):
    scans = [rng.normal(size=(20, 30, 3)).astype(np.float32) for _ in range(12)]
    detector = Detector.load(**pair, device="cpu", threads=2)
    expected = [detector.map(scan) for scan in scans]
    before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(detector.map, scans))
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert (torch.get_num_threads(), torch.get_deterministic_debug_mode()) == before


def test_a_teacher_that_is_not_there_is_one_line(pair, tmp_path):
    with pytest.raises(ValueError, match=r"missing\.pt: expected a teacher, found no such file"):
        Detector.load(teacher=tmp_path / "missing.pt", student=pair["student"], device="cpu")


def test_a_map_has_the_same_bits_in_any_precision_and_memory_layout(pair, rng):
    scan = rng.normal(size=(20, 30, 3)).astype(np.float32)
    detector = Detector.load(**pair, device="cpu")
    expected = detector.map(scan)
    for each in (scan, scan.astype(np.float64), np.asfortranarray(scan)):
        assert np.array_equal(detector.map(each), expected)


@pytest.mark.parametrize(
    "scan, message",
    [
        (np.zeros((4, 4), np.float32), r"expected floats of shape \(h, w, 3\), found float32 of shape \(4, 4\)"),
        (np.zeros((4, 4, 3), int), "expected floats of shape"),
        (np.full((4, 4, 3), np.nan, np.float32), "expected finite coordinates"),
        ([[[1.0, 0.0, 1.0]]], "expected at least 7 valid points, found 1"),
    ],
)
def test_a_scan_that_cannot_be_mapped_is_a_value_error(pair, scan, message):
    with pytest.raises(ValueError, match=message):
        Detector.load(**pair, device="cpu").map(scan)
