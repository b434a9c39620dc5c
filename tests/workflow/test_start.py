"""A run as a user sees it: what is printed, which runs may work at once, and faults in the data found at the start."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from small_dataset import write_small_dataset
from test_workflow import OVERLAY, clean_environment, copy_of_project, snakemake

BASE = ["--config", "run_variants=[base]"]
OWN = [*BASE, "dataset=own", "categories=[part]"]
SCANS = "downsampling/base/part/train_0.h5"


@pytest.fixture
def project(tmp_path):
    """The project with a data set of the user's own."""
    copy_of_project(tmp_path)
    write_small_dataset(tmp_path / "own", np.random.default_rng(1))
    return tmp_path


def spoil(path):
    """A pixel without a number, which a header does not show."""
    scan = tifffile.imread(path).copy()
    scan[3, 3] = np.nan
    tifffile.imwrite(path, scan, photometric="rgb")


def test_a_run_without_a_terminal_prints_a_few_lines_and_ends_with_the_path_to_open(project):
    done = snakemake(project, "--cores", "2", "table1", *OVERLAY, *OWN)
    lines = done.stderr.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(lines) <= 60 and not done.stdout
    assert lines[-1] == "open results/tables/table1.csv" and (project / "results/tables/table1.csv").exists()
    (log,) = (project / ".snakemake/log").iterdir()
    assert lines[-2] == f"every job and its command: {log}"
    assert "python -m st3d teacher --train" in log.read_text()
    again = snakemake(project, "--cores", "2", "table1", *OVERLAY, *OWN).stderr.splitlines()
    assert again[-2].startswith("Nothing to be done") and again[-1] == lines[-1]


def test_a_failed_job_shows_the_end_of_its_log_and_a_command_that_fails_alike(project):
    spoil(project / "own/part/train/good/xyz/001.tiff")
    done = snakemake(project, "--cores", "1", f"results/{SCANS}", *OVERLAY, *OWN)
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    at = lines.index("FAILED downsampling (variant base, category part, split train, part 0)")
    (fault,) = (line.strip() for line in lines[at:] if "st3d downsampling: own/part/train/good/xyz/001.tiff" in line)
    (command,) = (line.partition("to run it alone: ")[2] for line in lines[at:] if "to run it alone: " in line)
    alone = subprocess.run(command, shell=True, cwd=project, env=clean_environment(), capture_output=True, text=True)  # noqa: S602
    assert alone.returncode == 1
    assert alone.stderr.splitlines()[-1] == fault
    assert any(line.startswith("failed: downsampling 1; 0 of 1 jobs done") for line in lines)
    assert "Traceback" not in done.stderr and "CalledProcessError" not in done.stderr


def test_results_may_lie_in_the_folder_of_the_data(project):
    places = ["data=d", "results=d/results"]
    done = snakemake(project, "--cores", "2", "table1", *OVERLAY, *OWN, *places)
    assert done.returncode == 0, done.stderr
    assert len(list((project / ".snakemake/log").iterdir())) == 1  # it has not begun anew
    assert (project / "d/results/tables/table1.csv").exists()


def test_a_user_who_asks_for_more_gets_all_that_snakemake_prints(project):
    done = snakemake(project, "--cores", "1", "-p", f"results/{SCANS}", *OVERLAY, *OWN)
    assert "localrule downsampling:" in done.stderr and "python -m st3d downsampling" in done.stderr


def test_three_faults_in_the_data_are_named_before_the_first_job(project):
    part = project / "own/part"
    (part / "test/dent/gt/000.png").unlink()
    (part / "train/good/xyz/001.tiff").write_text("no image")
    (part / "validation/good/xyz/000.tiff").unlink()
    done = snakemake(project, "--cores", "2", "table1", *OVERLAY, *OWN)
    assert done.returncode == 1
    *_, first, second, third, last = done.stderr.splitlines()
    assert first.startswith("own/part/train/good/xyz/001.tiff: expected a TIFF file")
    assert second.startswith("own/part/validation/good/xyz: expected scans (.tiff), found none")
    assert third.startswith("own/part/test/dent/gt/000.png: expected the mask of test sample dent/000")
    assert last == "the data have these faults; nothing was computed"
    assert not (project / "results").exists() and not (project / "data").exists()
    # what no job of a run reads hurts nobody
    (part / "train/good/xyz/001.tiff").unlink()
    done = snakemake(project, "--cores", "1", f"results/{SCANS}", *OVERLAY, *OWN)
    assert done.returncode == 0, done.stderr


def test_a_fault_in_the_users_own_clouds_is_named_before_the_first_job(project):
    (project / "clouds").mkdir()
    for name in ("1.bin", "2.bin"):
        (project / "clouds" / name).write_bytes(b"17 bytes, no more")
    mine = [*OWN, "variants={mine: {scenes: {source: clouds}}}", "run_variants=[mine]"]
    done = snakemake(project, "--cores", "1", "variant_mine", *OVERLAY, *mine)
    assert done.returncode == 1 and not (project / "results").exists()
    assert all(
        any(line.startswith(f"clouds/{name}: ") for line in done.stderr.splitlines()) for name in ("1.bin", "2.bin")
    )


def test_runs_with_different_results_folders_do_not_exclude_each_other(project):
    def run(results):
        command = [sys.executable, "-m", "snakemake", "--cores", "1", f"{results}/downsampling/base/dowel/train_0.h5"]
        command += [*OVERLAY, *BASE, f"results={results}"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, cwd=project, env=clean_environment(), text=True, **pipes)

    runs = [run(name) for name in ("one", "two")]  # both want the same simulated scans
    outputs = [each.communicate(timeout=300)[0] for each in runs]
    assert [each.returncode for each in runs] == [0, 0], outputs
    logs = "".join(path.read_text() for path in (project / ".snakemake/log").iterdir())
    assert logs.count("(Rule: simulation)") == 1  # one of them waited for the other
    for name in ("one", "two"):
        again = snakemake(
            project, "--cores", "1", f"{name}/downsampling/base/dowel/train_0.h5", *OVERLAY, *BASE, f"results={name}"
        )
        assert "Nothing to be done" in again.stderr


@pytest.mark.parametrize("results", ["my résults[1]", "it's $HOME & more"])
def test_a_results_folder_may_have_any_name_that_a_folder_has(project, results):
    places = [f'results="{results}"', 'data="da ta"']
    done = snakemake(project, "--cores", "2", "variant_base", *OVERLAY, *BASE, *places)
    assert done.returncode == 0, done.stderr
    assert (project / results / "variant/base.json").exists() and (project / "da ta/furniture/complete.json").exists()
    assert {path.name for path in project.iterdir() if path.is_dir()} >= {results, "da ta"}
    assert not (project / "results").exists() and not (project / "my").exists()


@pytest.mark.parametrize("results, why", [("a{b}", "'{'"), ("-x", "'-'"), ("res*", "'\\*'")])
def test_a_results_folder_that_snakemake_would_read_otherwise_is_refused(project, results, why):
    done = snakemake(project, "-n", "variant_base", *OVERLAY, *BASE, f'results="{results}"')
    assert done.returncode == 1
    assert re.search(f"config: results: .*without {why}", done.stderr + done.stdout)


def test_results_copied_without_snakemakes_records_are_said_to_be_unknown(project):
    target = ["--cores", "2", f"results/{SCANS}", *OVERLAY, *OWN]
    assert "made with Snakemake's records" not in snakemake(project, *target).stderr
    again = snakemake(project, *target)
    assert "Nothing to be done" in again.stderr and "records of another place" not in again.stderr
    shutil.rmtree(project / ".snakemake")
    for more in ([], ["-n"]):
        done = snakemake(project, *target, "downsampling={points: 500}", *more)
        assert done.returncode == 0
        said = (done.stderr + done.stdout).splitlines()  # a dry run's messages go to stdout
        assert len([line for line in said if "records of another place" in line]) == 1


def test_a_link_to_nowhere_among_the_users_scans_is_one_line(project):
    link = project / "own/part/train/good/xyz/009.tiff"
    link.symlink_to("../../annex/009.tiff")
    for more in ([], ["-n"]):
        done = snakemake(project, "--cores", "1", f"results/{SCANS}", *OVERLAY, *OWN, *more)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert (
            done.stderr.splitlines()[-1] == "own/part/train/good/xyz/009.tiff: expected a file, found a link to nowhere"
        )
