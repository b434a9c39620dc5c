"""The tutorial's own commands and program run, at sizes for a test."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/tutorial.md").read_text()
SMALLER = {  # flags that the test adds to a command
    "simulate": "--resolution 0.25 --good 12 --test-good 2 --test-per-defect 1",
    "fit": "--points 500 --neighbours 8 --steps 60 --threads 1 --device cpu",
    "predict": "--threads 1 --device cpu --accept-unlike",
    "evaluate": "--threads 1 --device cpu",
}
WATCHED = "--settle 0.1 --idle 0.5"


def commands():
    """The tutorial's commands, each as a list of words."""
    blocks = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [shlex.split(line) for line in lines]


def replaced(words, more):
    """A command with more flags, which replace its own of the same names."""
    kept = [word for at, word in enumerate(words) if word not in more and (at == 0 or words[at - 1] not in more)]
    return kept + more


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs of all commands in their order, in one folder: what each was, its exit code and its output."""
    folder = tmp_path_factory.mktemp("tutorial")
    done = {}
    for words in commands():
        assert words[0] == "st3d", words
        if "--watch" in words:  # the folder that a sensor writes into
            (folder / words[2]).mkdir()
            scan = next((folder / "parts/test/good").glob("*.tiff"))
            (folder / words[2] / scan.name).write_bytes(scan.read_bytes())
        more = SMALLER[words[1]] + (f" {WATCHED}" if "--watch" in words else "")
        call = [sys.executable, "-m", "st3d", *replaced(words[1:], more.split())]
        result = subprocess.run(call, capture_output=True, text=True, cwd=folder)
        done[words[1] + ("_watch" if "--watch" in words else "")] = result
    return folder, done


def test_every_command_of_the_tutorial_does_what_it_says(run):
    folder, done = run
    assert set(done) == {"simulate", "fit", "predict", "evaluate", "predict_watch"}
    for name, result in done.items():
        assert result.returncode in ((0, 2) if name.startswith("predict") else (0,)), (name, result.stderr)
    model = next(words[words.index("--model") + 1] for words in commands() if words[1] == "fit")
    assert (folder / model).is_file() and not (folder / f"{model}.fit").exists()
    assert "threshold" in done["fit"].stdout and "AU-PRO" in done["evaluate"].stdout
    pictures = sorted((folder / "out").rglob("*.png"))
    assert (
        len(pictures) == len(list((folder / "out").rglob("*.tiff"))) == len(list((folder / "out").rglob("*.ply"))) > 4
    )
    assert (folder / "out/results.csv").is_file()


def test_the_tutorials_program_runs(run):
    folder, _ = run
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    smaller = program.replace("steps=1500", "steps=60, points=500, neighbours=8, threads=1, device='cpu'")
    assert smaller != program
    smaller = smaller.replace("result = detector.predict(", "result = detector.predict(accept_unlike=True, scan=")
    done = subprocess.run([sys.executable, "-c", smaller], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    score, threshold, verdict, *shape = done.stdout.split()
    assert float(score) > 0 and float(threshold) > 0 and verdict in ("True", "False") and shape[0].startswith("(")


def test_the_outputs_that_the_tutorial_shows_are_of_its_own_commands():
    """Each block of text after a command begins with what that command prints."""
    shown = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    assert len(shown) == 3
    assert "to train on" in shown[0] and "threshold" in shown[0]
    assert re.search(r"\.tiff (PASS|FAIL) score [\d.]+ threshold [\d.]+", shown[1])
    assert "image AUROC" in shown[2] and "AU-PRO" in shown[2]
