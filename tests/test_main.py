import os
import signal
import subprocess
import sys
import time

import pytest

from st3d.__main__ import STAGES, main


def test_a_fault_in_the_input_is_one_line_and_exit_code_1(capfd, tmp_path):
    missing = tmp_path / "nothing.json"
    arguments = ["tables", "--table", "table1", "--variants", missing, "--costs", "--output", tmp_path / "t.csv"]
    assert main([*map(str, arguments), "--code", "x"]) == 1
    error = capfd.readouterr().err
    assert error.startswith("st3d tables: ")
    assert str(missing) in error
    assert error.count("\n") == 1
    assert not (tmp_path / "t.csv").exists()


def test_a_flag_that_no_stage_takes_is_one_line(capfd):
    assert main(["tables", "--tabel", "table1"]) == 1
    assert capfd.readouterr().err.count("\n") == 1


def test_an_unknown_stage_is_refused_with_the_known_ones(capfd):
    assert main(["score3d"]) == 1
    assert "these are: furniture" in capfd.readouterr().err


def test_help_lists_every_stage_and_imports_none():
    check = "import sys; from st3d.__main__ import main; main(['--help']); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(stage in done.stdout for stage in STAGES)


def test_a_stage_ends_soon_after_the_workflow_that_started_it():
    parent = subprocess.Popen(["sleep", "60"])
    wait = "from st3d.__main__ import _end_with; import os, time; _end_with(os.environ['ST3D_PARENT']); time.sleep(30)"
    child = subprocess.Popen([sys.executable, "-c", wait], env=os.environ | {"ST3D_PARENT": str(parent.pid)})
    time.sleep(1)
    assert child.poll() is None
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert child.wait(timeout=5) == 1


class OutOfMemoryError(RuntimeError):
    """By the name that torch's has."""


@pytest.mark.parametrize("fault", [MemoryError("no memory for 9 points"), OutOfMemoryError("CUDA out of memory")])
def test_running_out_of_memory_is_one_line(capfd, monkeypatch, fault):
    def command_line(stage):
        raise fault

    monkeypatch.setattr("st3d.__main__.command_line", command_line)
    assert main(["scale"]) == 1
    assert capfd.readouterr().err == f"st3d scale: {fault}\n"


def test_a_fault_of_our_own_keeps_its_traceback(monkeypatch):
    def command_line(stage):
        raise KeyError("a bug")

    monkeypatch.setattr("st3d.__main__.command_line", command_line)
    with pytest.raises(KeyError):
        main(["scale"])
