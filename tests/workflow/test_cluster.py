"""What goes to a cluster, as far as it shows without one; tests/slurm has what needs a real one."""

import json
import os
import re
import subprocess
import sys
from collections import Counter

import pytest
import yaml
from test_workflow import DOWEL, OVERLAY, ROOT, clean_environment, copy_of_project

PROFILE = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
TEXT = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
RULES = set(re.findall(r"^(?:use rule \w+ as|rule) (\w+)", TEXT, re.MULTILINE))
LOCAL = set(re.findall(r"^    (\w+),$", (ROOT / "Snakefile").read_text().partition("localrules:")[2], re.MULTILINE))


@pytest.fixture
def project(tmp_path):
    """A project whose profile for Slurm goes to a cluster that only counts."""
    folder = copy_of_project(tmp_path, stub=True)
    counted = {key: part for key, part in PROFILE.items() if not key.startswith("slurm-")}
    counted |= {"executor": "counted", "seconds-between-status-checks": 0, "latency-wait": 5}
    (folder / "profiles" / "slurm" / "config.yaml").write_text(yaml.safe_dump(counted))
    return folder


def submit(folder, *arguments, **environment):
    """Run the workflow with that profile; what it printed, and its submissions."""
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", *arguments]
    path = os.pathsep.join([str(ROOT / "tests" / "slurm" / "plugin"), str(ROOT)])
    env = clean_environment() | {"PYTHONPATH": path} | environment
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    lines = (folder / "submissions.txt").read_text().splitlines() if (folder / "submissions.txt").exists() else []
    return done, [json.loads(line) for line in lines]


def test_a_demo_of_ten_categories_is_at_most_sixty_submissions_and_none_asks_for_much(project):
    done, submissions = submit(project)
    assert done.returncode == 0, done.stderr
    assert len(submissions) <= 60
    jobs = sum((Counter(each["rules"]) for each in submissions), Counter())
    assert (jobs["student"], jobs["maps"], jobs["graph_scans"]) == (74, 134, 84)
    assert not {"variant", "tables"} & set(jobs)  # these stay where snakemake runs
    assert max(each["_cores"] for each in submissions) <= PROFILE["cores"]
    assert max(each["gpu"] or 0 for each in submissions) == 1  # a group's jobs take turns
    assert max(each["runtime"] for each in submissions) <= 12 * 60
    assert max(each["mem_mb"] for each in submissions) <= 16000


def test_with_device_cpu_no_gpu_is_asked_for(project):
    done, submissions = submit(project, "variant_base", *DOWEL, "runtime={device: cpu}")
    assert done.returncode == 0, done.stderr
    assert {each["gpu"] for each in submissions} <= {0, None}


def test_what_a_failed_group_had_finished_is_kept_and_the_rest_is_tried_again_with_more(project):
    done, submissions = submit(project, "variant_base", *DOWEL, COUNTED_FAILS="maps")
    assert done.returncode == 0, done.stderr
    assert "ended as TIMEOUT at its limit of" in done.stderr
    assert "1 of 3 jobs are done and kept; trying again" in done.stderr
    assert (project / "results/student/base/dowel/student.pt").read_text() == "attempt 1"
    assert (project / "results/maps/base/dowel/maps.csv").read_text() == "attempt 2"
    first, second = (each for each in submissions if "maps" in each["rules"])
    assert (second["attempt"], second["runtime"], second["mem_mb"]) == (2, 2 * first["runtime"], 2 * first["mem_mb"])


def test_after_the_last_attempt_the_same_command_does_only_what_is_missing(project):
    arguments = ("variant_base", *DOWEL)
    done, _ = submit(project, *arguments, "--retries", "0", COUNTED_FAILS="maps")
    assert done.returncode == 1
    assert "raise runtime of its rules in the profile" in done.stderr
    (project / "submissions.txt").unlink()
    done, submissions = submit(project, *arguments)
    assert done.returncode == 0, done.stderr
    assert [each["rules"] for each in submissions] == [{"maps": 1, "score": 1}]


def test_a_job_that_had_not_begun_keeps_no_result_of_older_settings(project):
    arguments = ("variant_base", *DOWEL)
    done, _ = submit(project, *arguments)
    maps, score = project / "results/maps/base/dowel/maps.csv", project / "results/score/base/dowel.json"
    assert done.returncode == 0 and score.exists()
    changed = (*arguments, "student={epochs: 77}")
    done, _ = submit(project, *changed, "--retries", "0", COUNTED_FAILS="student")
    assert done.returncode == 1
    assert not maps.exists() and not score.exists()


def test_every_rule_is_in_a_group_or_stays_or_goes_alone():
    grouped = {entry.partition("=")[0] for entry in PROFILE["groups"]}
    assert grouped <= RULES and LOCAL <= RULES
    assert grouped & LOCAL == set()
    alone = {"report", "pretrained_teacher"}  # once in a study
    assert RULES - grouped - LOCAL == alone
    groups = {entry.partition("=")[2] for entry in PROFILE["groups"]}
    assert groups == {entry.rpartition("=")[0] for entry in PROFILE["group-components"]}
    assert set(PROFILE["set-resources"]) <= RULES


def remote(folder, *arguments, **environment):
    """Run jobs as Snakemake on a node does."""
    command = [sys.executable, "-m", "snakemake", "--mode", "remote", "--force", "--nolock", "--no-hooks", *arguments]
    env = clean_environment() | environment
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


def test_on_a_node_a_second_attempt_does_not_repeat_what_the_first_finished(tmp_path):
    folder = copy_of_project(tmp_path, stub=True)
    target = ("--target-jobs", "furniture:", "--cores", "2", *OVERLAY)
    for attempt, jobs in ((1, 1), (2, 1), (1, 2)):  # at the first attempt, whatever there is: it is what was asked for
        done = remote(folder, *target, "--local-groupid", "x", "--attempt", str(attempt))
        assert done.returncode == 0, done.stderr
        assert len((folder / "times.txt").read_text().splitlines()) == jobs


def test_on_a_node_a_group_has_its_own_job_server_and_the_cores_that_slurm_gave(tmp_path):
    folder = copy_of_project(tmp_path)
    main = folder / "st3d" / "__main__.py"
    lines = "import os\nassert os.path.exists(os.environ['ST3D_SERVER'])\n"
    main.write_text(lines + main.read_text())
    target = ("--target-jobs", "fpfh:variant=base", "--cores", "all", *OVERLAY)
    done = remote(folder, *target, "--local-groupid", "x", SLURM_CPUS_PER_TASK="3")
    assert done.returncode == 0, done.stderr
    assert "Provided cores: 3" in done.stderr
    assert (folder / "results/fpfh/base/fpfh.pt").exists()
    assert remote(folder, *target).returncode == 1  # a single job needs none


def test_the_conda_environment_and_the_lock_agree():
    env = yaml.safe_load((ROOT / "envs" / "st3d.yaml").read_text())
    python = next(each for each in env["dependencies"] if isinstance(each, str) and each.startswith("python "))
    low, high = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text()).groups()
    assert int(low) <= int(re.search(r"=3\.(\d+)", python)[1]) < int(high)
    lock = (ROOT / "requirements.lock").read_text()
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE))
    pinned = [each for each in env["dependencies"] if isinstance(each, str) and each.split()[0] in pins]
    assert all(pins[each.split()[0]] == each.split("=")[-1].strip() for each in pinned)
    assert "sh envs/packages.sh python" in (ROOT / "envs" / "st3d.post-deploy.sh").read_text()
    assert "--requirement requirements.lock" in (ROOT / "envs" / "packages.sh").read_text()
    wanted = re.findall(r'"snakemake==([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert [pins["snakemake"]] == wanted


def test_every_rule_with_a_command_names_the_conda_environment():
    for path in (ROOT / "rules").glob("*.smk"):
        for block in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            assert "shell:" not in block or "../envs/st3d.yaml" in block, f"{path.name}: {block.split(':')[0]}"
