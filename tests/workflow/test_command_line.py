import os
import signal
import subprocess
import sys

import pytest
import torch

from st3d.workflow.command_line import main
from st3d.workflow.stages import MODULE


def test_a_fault_in_the_input_is_one_line_and_exit_code_1(capfd, tmp_path):
    missing = tmp_path / "nothing.json"
    arguments = ["tables", "--table", "table1", "--variants", missing, "--costs", "--output", tmp_path / "t.csv"]
    assert main([*map(str, arguments), "--code", "x"]) == 1
    error = capfd.readouterr().err
    assert error.startswith("st3d tables: ")
    assert str(missing) in error
    assert error.count("\n") == 1
    assert not (tmp_path / "t.csv").exists()


SCENES = "--split train --part 0 --parts 1 --clouds 2 --objects 3 --half-width 3 --points 50 --dense-factor 4"
EXTRACTOR = "--points 9 --epochs 1 --learning-rate 1e-3 --weight-decay 0 --seed 1 --device cpu --threads 1 --code x"
FCGF = "--voxel 0.01 --width 32 --conv1-kernel 5 --scene-voxel 0.1 --overlap 0.5 --pairs 9 --candidates 9"
FCGF += " --positive-margin 0.1 --negative-margin 1.4 --train --validation " + EXTRACTOR
FOLDNET = "--neighbours 3 --descriptors 5 --neighbourhood 8 --patches 2 --train --validation --scale " + EXTRACTOR


@pytest.mark.parametrize(
    "stage, flags, name, content, found",
    [
        ("scenes", SCENES, "1.bin", b"17 bytes, no more", "found 17"),
        ("scenes", SCENES, "1.ply", b"ply\nformat ascii 1.0\nelement vertex 0\nend_header\n", "found no vertices"),
        ("scenes", SCENES, "1.txt", b"0 0 0", "get them from example.org"),
        ("pretrain_fcgf", FCGF, "best.pth", {"state_dict": {"conv1.kernel": (125, 1, 32)}}, "expected final.kernel"),
        ("pretrain_ppf_foldnet", FOLDNET, "best.pkl", {"encoder.conv1.weight": (64, 12, 1)}, "expected "),
    ],
)
def test_unfit_pretraining_data_or_weights_are_one_line_and_leave_nothing(
    capfd, tmp_path, stage, flags, name, content, found
):
    (tmp_path / "given").mkdir()
    for file in (name, f"2{name}"):  # a split has two files at least
        if isinstance(content, bytes):
            (tmp_path / "given" / file).write_bytes(content)
        else:
            torch.save(tensors(content), tmp_path / "given" / file)
    out = tmp_path / "out"
    if stage == "scenes":
        given = ["--source", tmp_path / "given", "--origin", "example.org", "--validation-share", 0.5, "--seed", 1]
        given += ["--output", out / "x.h5", "--code", "x"]
    else:
        given = ["--checkpoint", tmp_path / "given" / name, "--extractor", out / "x.pt", "--curve", out / "x.csv"]
    assert main([stage, *flags.split(), *map(str, given)]) == 1
    error = capfd.readouterr().err
    assert error.startswith(f"st3d {stage}: ") and error.count("\n") == 1
    assert str(tmp_path / "given") in error and found in error
    assert not out.exists() or not list(out.iterdir())


def tensors(shapes):
    """The same with zeros of these shapes."""
    return {
        name: tensors(each) if isinstance(each, dict) else torch.zeros(each, dtype=torch.float32)
        for name, each in shapes.items()
    }


def test_a_flag_that_no_stage_takes_is_one_line(capfd):
    assert main(["tables", "--tabel", "table1"]) == 1
    assert capfd.readouterr().err.count("\n") == 1


def test_an_unknown_stage_is_refused_with_the_known_ones(capfd):
    assert main(["score3d"]) == 1
    assert "these are: " in capfd.readouterr().err


def test_help_lists_every_stage_and_imports_none():
    check = (
        "import sys; from st3d.workflow.command_line import main; main(['--help']); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(stage in done.stdout for stage in MODULE)


@pytest.mark.parametrize("without", ["", "del os.pidfd_open; "])
def test_a_stage_ends_soon_after_the_workflow_that_started_it(without):
    parent = subprocess.Popen(["sleep", "60"])
    wait = f"import os, time; {without}from st3d.workflow.command_line import _end_with; "
    wait += "_end_with(os.environ['ST3D_PARENT']); print('waits', flush=True); time.sleep(60)"
    environment = os.environ | {"ST3D_PARENT": str(parent.pid)}
    child = subprocess.Popen([sys.executable, "-c", wait], env=environment, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "waits\n" and child.poll() is None
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert child.wait(timeout=20) == 1
    child.stdout.close()


def test_a_stage_whose_workflow_has_already_ended_ends():
    ended = subprocess.Popen(["true"])
    ended.wait()
    code = f"import time; from st3d.workflow.command_line import _end_with; _end_with('{ended.pid}'); time.sleep(60)"
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="torch's OpenMP is GNU's on Linux alone")
@pytest.mark.parametrize("given, found", [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_the_threads_of_a_stage_wait_passively_unless_told_otherwise(given, found):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    command = [sys.executable, "-m", "st3d", "student", "--help"]  # imports torch
    environment |= given | {"OMP_DISPLAY_ENV": "TRUE"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and f"OMP_WAIT_POLICY = '{found}'" in done.stderr


class OutOfMemoryError(RuntimeError):
    """By the name that torch's has."""


@pytest.mark.parametrize("fault", [MemoryError("no memory for 9 points"), OutOfMemoryError("CUDA out of memory")])
def test_running_out_of_memory_is_one_line(capfd, monkeypatch, fault):
    def command_line(stage):
        raise fault

    monkeypatch.setattr("st3d.workflow.command_line.command_line", command_line)
    assert main(["scale"]) == 1
    assert capfd.readouterr().err == f"st3d scale: {fault}\n"


def test_a_fault_of_our_own_keeps_its_traceback(monkeypatch):
    def command_line(stage):
        raise KeyError("a bug")

    monkeypatch.setattr("st3d.workflow.command_line.command_line", command_line)
    with pytest.raises(KeyError):
        main(["scale"])


def test_a_command_whose_package_is_not_installed_names_it_and_how_to_install_it():
    code = "import sys; sys.modules['pandas'] = None; from st3d.__main__ import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, "tables", "--help"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "st3d tables: expected the package pandas, found none; pip install 'st3d[workflow]'\n"
