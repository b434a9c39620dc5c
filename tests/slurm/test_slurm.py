"""On a real Slurm: `sudo tests/slurm/two_nodes.sh start` and snakemake-executor-plugin-slurm; skipped without."""

import importlib.util
import shutil
import subprocess
import sys
import time

import pytest
from test_workflow import OVERLAY, copy_of_project, snakemake

PLUGIN = "snakemake_executor_plugin_slurm"


@pytest.fixture(autouse=True)
def cluster():
    """A Slurm that answers."""
    if importlib.util.find_spec(PLUGIN) is None:
        pytest.skip("no snakemake-executor-plugin-slurm")
    if shutil.which("sinfo") is None or subprocess.run(["sinfo", "--noheader"], capture_output=True).returncode:
        pytest.skip("no Slurm; tests/slurm/two_nodes.sh start")


def submitted(folder):
    """Numbers of the submissions of a run that has ended."""
    logs = (folder / ".snakemake" / "log").glob("*.snakemake.log")
    return [
        line for log in logs for line in log.read_text().splitlines() if "has been submitted with SLURM jobid" in line
    ]


def test_a_variant_has_the_same_score_on_the_cluster_in_a_few_submissions(tmp_path):
    scores = []
    for name, flags in (("here", ["--cores", "2"]), ("there", ["--workflow-profile", "profiles/slurm"])):
        (tmp_path / name).mkdir()
        folder = copy_of_project(tmp_path / name)
        done = snakemake(folder, "variant_base", *flags, *OVERLAY)
        assert done.returncode == 0, done.stdout + done.stderr
        scores.append((folder / "results/score/base/dowel.json").read_bytes())
    assert scores[0] == scores[1]
    assert 1 <= len(submitted(folder)) <= 6


def test_a_submission_that_is_cancelled_is_tried_again(tmp_path):
    folder = copy_of_project(tmp_path)
    before = queued()
    command = [sys.executable, "-m", "snakemake", "data/furniture/complete.json"]
    run = subprocess.Popen(
        [*command, "--workflow-profile", "profiles/slurm", *OVERLAY],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(300):
        if queued() - before:
            break
        time.sleep(0.2)
    subprocess.run(["scancel", *(queued() - before)], check=True)
    _, said = run.communicate(timeout=300)
    assert run.returncode == 0, said
    assert "ended as CANCELLED; 0 of 1 jobs are done and kept; trying again" in said
    assert (folder / "data/furniture/complete.json").exists()


def queued():
    """Numbers of what is in the queue."""
    return set(subprocess.run(["squeue", "--noheader", "--format=%A"], capture_output=True, text=True).stdout.split())
