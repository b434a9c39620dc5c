"""The workflow as a user runs it: in a copy of the project, by the command line."""

import csv
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from st3d.extractors.fcgf.network import FCGF
from st3d.workflow.server import ADDRESS
from st3d.workflow.stages import BASELINES

ROOT = Path(__file__).parents[2]
MVTEC_TABLES = ["mvtec_table2", "mvtec_table4", "mvtec_table5"]
DOWEL = ["--config", "categories=[dowel]"]
OVERLAY = ["--configfile", str(ROOT / "tests" / "tiny.yaml")]
STUB = """
import os, sys, time
from pathlib import Path

started = time.time()
time.sleep(float(os.environ.get("SECONDS_OF_A_JOB", 0)))
with open("times.txt", "a") as file:
    file.write(f"{started} {time.time()}\\n")
for flag, value in zip(sys.argv, sys.argv[1:]):
    if flag in ("--output", "--table", "--manifest", "--student", "--model", "--curve") or value.endswith("teacher.pt"):
        path = Path(value) if Path(value).suffix else Path(value, "complete.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
"""


def copy_of_project(folder, stub=False):
    """The project without its results: what is edited there hurts nobody; with `stub`, each job writes empty files."""
    for name in ("Snakefile", "config.yaml", "config.schema.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("rules", "envs", "profiles", "st3d"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    if stub:
        (folder / "st3d" / "__main__.py").write_text(STUB)
    return folder


def snakemake(folder, *arguments, **environment):
    command = [sys.executable, "-m", "snakemake", *arguments]
    env = clean_environment() | environment
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)


def clean_environment():
    """The environment without what a run of the workflow adds to it."""
    return {name: value for name, value in os.environ.items() if name != "ST3D_PARENT"}


def planned(done):
    """Jobs per rule, from the dry run's table."""
    lines = done.stdout.partition("Job stats:")[2].partition("\n\n")[0].splitlines()
    counts = [line.split() for line in lines if line and not line.startswith("-")]
    return {name: int(count) for name, count in counts if name not in ("job", "total")}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_of_project(tmp_path_factory.mktemp("project"))


def test_a_dry_run_of_the_demo_needs_no_torch(project, tmp_path):
    for name in ("torch", "numpy", "open3d"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('a dry run imports this')")
    done = snakemake(project, "-n", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = planned(done)
    assert jobs["student"] == 2 * 10 + 18 * 3  # those of Table 1 in ten categories, the others in the compared ones
    assert jobs["teacher"] == 16  # the student's rotation and other extractors are nothing to the teacher
    assert (jobs["pretrain_fcgf"], jobs["pretrain_ppf_foldnet"], jobs["fpfh"]) == (1, 1, 1)
    assert (jobs["surrogates"], jobs["scenes"]) == (3, 12)
    assert jobs["tables"] == 6  # without the dataset paper's
    assert {jobs[method] for method in BASELINES} == {10}  # each once a category; with colours, only for its own tables
    assert (jobs["frame"], jobs["voxels"], jobs["depth"]) == (10, 30, 50)  # depth_vm has its own of train and test


def test_one_variant_is_a_target_of_its_own(project):
    jobs = planned(snakemake(project, "-n", "variant_near_half", *DOWEL))
    assert (jobs["teacher"], jobs["student"], jobs["score"], jobs["variant"]) == (1, 1, 1, 1)


def test_table1_needs_only_its_own_variants(project):
    jobs = planned(snakemake(project, "-n", "table1", *DOWEL))
    assert (jobs["teacher"], jobs["student"]) == (2, 2)
    assert {jobs[method] for method in BASELINES} == {1}
    assert (jobs["maps"], jobs["variant"]) == (8, 8)
    assert "cost" not in jobs


def test_table4_needs_its_nine_variants_and_the_base(project):
    jobs = planned(snakemake(project, "-n", "table4", *DOWEL))
    assert (jobs["teacher"], jobs["student"], jobs["variant"]) == (6, 10, 10)
    assert not set(BASELINES) & set(jobs)


def test_given_weights_need_no_scenes_and_must_be_there(project, tmp_path):
    variants = "variants={official: {extractor: {method: fcgf}, pretrain_fcgf: {checkpoint: best.pth}}}"
    done = snakemake(project, "-n", "variant_official", "--config", variants)
    assert done.returncode == 1
    expected = "config: pretrain_fcgf.checkpoint: best.pth: expected a file, found none"
    assert done.stderr.splitlines()[-1] == expected
    (project / "best.pth").touch()
    jobs = planned(snakemake(project, "-n", "variant_official", "--config", variants))
    (project / "best.pth").unlink()
    assert (jobs["pretrain_fcgf"], jobs["student"]) == (1, 3)
    assert not {"furniture", "scenes", "graph_scenes", "teacher"} & set(jobs)


def test_students_of_the_packages_teacher_need_no_scenes(project):
    variants = "variants={ready: {teacher: {weights: pretrained}, network: {blocks: 4}}}"
    done = snakemake(project, "-n", "variant_ready", "--config", variants, "categories=[dowel]")
    assert done.returncode == 0, done.stderr
    assert not {"furniture", "scenes", "graph_scenes", "teacher", "pretrained_teacher"} & set(planned(done))
    assert "st3d/pretrained/teacher.pt" in done.stdout


def test_every_rule_writes_to_the_folders_of_results_and_data_alone():
    for path in (ROOT / "rules").glob("*.smk"):
        for block in re.findall(r"^ +output:\n((?: {8,}.*\n)+)", path.read_text(), re.MULTILINE):
            code = re.sub(r"#.*", "", block)
            assert "basedir" not in code and "st3d/" not in code, path
            assert any(place in code for place in ("<results>/", "<data>/")), path


def test_evidence_that_came_with_a_clone_is_not_taken_for_that_of_a_run(project):
    kept = project / "docs/results/demo"
    (kept / "rows").mkdir(parents=True)
    (kept / "differences.txt").touch()
    jobs = planned(snakemake(project, "-n", "evidence", *DOWEL, "run_variants=[voxel_vm]"))
    shutil.rmtree(kept)
    assert (jobs["evidence"], jobs["evidence_row"], jobs["voxel_vm"]) == (1, 1, 1)


def test_a_variant_of_the_users_own_shares_what_those_of_the_config_own(project, tmp_path):
    (tmp_path / "my.yaml").write_text("variants: {mine: {network: {width: 32}, graph: {neighbours: x0.5}}}\n")
    done = snakemake(project, "-n", "variant_mine", "--configfile", str(tmp_path / "my.yaml"))
    assert done.returncode == 0, done.stderr
    assert "results/scale/near_half/scenes.json" in done.stdout
    assert "results/scale/mine" not in done.stdout


def test_the_methods_of_the_dataset_paper_need_nothing_of_3d_st(project):
    jobs = planned(snakemake(project, "-n", "mvtec_table2", "mvtec_table5", *DOWEL))
    assert {jobs[method] for method in BASELINES} == {2}  # without and with colours
    assert (jobs["frame"], jobs["voxels"], jobs["depth"]) == (1, 3, 5)
    assert not {"furniture", "scenes", "downsampling", "graph_scans", "teacher", "student", "cost"} & set(jobs)


def test_the_dataset_papers_table4_plans_twelve_trainings_per_category(project):
    jobs = planned(snakemake(project, "-n", "mvtec_table4", *DOWEL))
    assert {name: count for name, count in jobs.items() if name in BASELINES} == {
        "voxel_gan": 3, "voxel_ae": 3, "depth_gan": 3, "depth_ae": 3,
    }  # fmt: skip
    assert (jobs["voxels"], jobs["depth"], jobs["maps"]) == (3, 3, 12)


def test_btf_needs_object_images_alone_and_its_other_protocol_one_more_score(project):
    targets = ("variant_btf", "variant_btf_small", "variant_base", "variant_base_small")
    jobs = planned(snakemake(project, "-n", *targets[:2], "--config", "categories=[dowel]"))
    made = {name: jobs[name] for name in ("simulation", "objects", "btf_fpfh", "maps", "score", "variant")}
    assert made == {"simulation": 1, "objects": 2, "btf_fpfh": 1, "maps": 1, "score": 2, "variant": 2}
    assert set(jobs) == {*made, *targets[:2]}
    jobs = planned(snakemake(project, "-n", *targets[2:], "--config", "categories=[dowel]"))
    assert (jobs["objects"], jobs["maps"], jobs["score"], jobs["student"]) == (1, 1, 2, 1)  # of the test scans


def test_shape_guided_trains_one_expert_for_all_categories_and_its_colours_share_it(project, tmp_path):
    own = tmp_path / "own.yaml"
    weights = tmp_path / "wide.pth"
    own.write_text(
        f"categories: [dowel, rope]\ncolour: {{network: wide_resnet50_2, weights: {weights}}}\n"
        "variants: {rgb: {detector: {method: shape_guided, modality: 3d_rgb}}}\n"
    )
    targets = ("variant_shape_guided", "variant_rgb")
    refused = snakemake(project, "-n", *targets, "--configfile", str(own))
    assert refused.returncode and "wide.pth" in refused.stdout + refused.stderr  # the user's own file is not there
    weights.touch()
    jobs = planned(snakemake(project, "-n", *targets, "--configfile", str(own)))
    made = {name: jobs[name] for name in ("simulation", "objects", "sdf_expert", "shape_guided", "maps", "score")}
    assert made == {"simulation": 2, "objects": 6, "sdf_expert": 1, "shape_guided": 4, "maps": 4, "score": 4}
    assert set(jobs) == {*made, *targets, "variant"}
    given = f"sdf_expert={{checkpoint: {weights}}}"  # the banks still read the objects
    jobs = planned(snakemake(project, "-n", *targets, "--configfile", str(own), "--config", given))
    assert (jobs["sdf_expert"], jobs["objects"]) == (1, 6)


def test_a_table_of_methods_that_do_not_run_needs_no_job_but_its_own(project):
    jobs = planned(snakemake(project, "-n", "mvtec_table2", "--config", "run_variants=[base]"))
    assert jobs == {"tables": 1, "mvtec_table2": 1}


def test_each_overlay_is_planned_with_its_own_data(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    copy_of_project(folder)
    data = ("mvtec_3d_ad_sample/cable_gland", "modelnet10_sample/ModelNet10", "furniture", "kitti_velodyne", "3dmatch")
    for name in data:  # stand where configs/sample.yaml has them
        (tmp_path / "shared/data" / name).mkdir(parents=True)
    counts = {
        "paper": (["--config", "categories=[bagel]"], 11, 220),
        "sample": ([], 6, 9),
        "simulated": (["--config", "categories=[bagel]"], 12, 12),
        "pretrained_teacher": (["--config", "categories=[bagel]"], 1, 12),
        "cable_gland": ([], 12, 27),
        "simulated_dense": (["--config", "run_variants=[base]"], 10, 3),
    }
    assert set(counts) == {path.stem for path in (ROOT / "configs").glob("*.yaml")}
    for name in ("mvtec_3d_ad_cable_gland/cable_gland", "meshes/ModelNet10", "meshes/furniture", "kitti", "3dmatch"):
        (folder / "data" / name).mkdir(parents=True)  # where configs/cable_gland.yaml has them
    for name, (arguments, students, scenes) in counts.items():
        done = snakemake(
            folder, "-n", "table1", "table4", "--configfile", str(ROOT / f"configs/{name}.yaml"), *arguments
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"results/{name}/student/base" in done.stdout
        assert (planned(done)["student"], planned(done).get("scenes")) == (students, scenes)


def test_what_changes_in_the_users_own_data_reruns_its_readers_alone(tmp_path):
    folder = copy_of_project(tmp_path, stub=True)
    places = ("train/good", "validation/good", "test/good", "test/crack")
    for path in (
        folder / "own/part" / place / kind / f"00{i}" for place in places for kind in ("xyz", "gt") for i in (0, 1)
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a scan")
    own = ["--config", "dataset=own", "categories=[part]", "run_variants=[base,voxel_ae]"]
    done = snakemake(folder, "--cores", "4", "table1", *own)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing to be done" in snakemake(folder, "-n", "table1", *own).stdout
    readers = {"train": ("frame", "student", "voxel_ae"), "validation": ("student", "voxel_ae"), "test": ()}
    for split, trained in readers.items():
        path = folder / f"own/part/{split}/good/xyz/000"
        stat = path.stat()
        path.write_text("b scan")  # of the same size
        done = snakemake(folder, "-n", "table1", *own)
        jobs = planned(done)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert {"downsampling", "graph_scans", "voxels", "maps", "score"} <= set(jobs), split
        assert {"frame", "student", "voxel_ae"} & set(jobs) == set(trained), split
        assert (jobs["downsampling"], "teacher" in jobs) == (1, False)
    (folder / "own/part/test/crack/xyz/002").write_text("another scan")
    jobs = planned(snakemake(folder, "-n", "table1", *own))
    assert not {"scale_scans", "student", "frame", "voxel_ae", "teacher"} & set(jobs)
    assert (jobs["downsampling"], jobs["voxels"], jobs["maps"], jobs["score"]) == (1, 1, 2, 2)


def test_a_wrong_key_is_refused_before_the_first_job(project):
    done = snakemake(project, "--cores", "1", "--config", "graph={neighbors: 3}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("config: graph.neighbors: unknown key")
    assert not (project / "results").exists()


@pytest.mark.parametrize("key", ["dataset", "meshes"])
def test_a_missing_folder_of_the_users_own_is_refused(project, key):
    done = snakemake(project, "-n", "--config", f"{key}=no/such/folder")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"config: {key}: no/such/folder: expected a folder, found none"


def test_no_gpu_is_not_taken_for_any_number_of_gpus(project):
    done = snakemake(project, "-n", "--resources", "gpu=0")
    assert done.returncode == 1
    assert "give gpu=1 or more" in done.stderr


def test_two_gpu_jobs_never_share_one_gpu(tmp_path):
    folder = copy_of_project(tmp_path, stub=True)
    targets = [f"results/teacher/{name}/teacher.pt" for name in ("base", "width16", "width32", "width128")]
    ready = [*(f"results/graph/base/scenes/{part}.h5" for part in ("train_0", "train_1", "validation_0"))]
    done = snakemake(folder, "--cores", "8", *ready, "results/scale/base/scenes.json")
    assert done.returncode == 0, done.stderr
    for more in ([], ["--resources", "mem_mb=64000"], ["--workflow-profile", "none"]):
        shutil.rmtree(folder / "results/teacher", ignore_errors=True)
        (folder / "times.txt").unlink()
        done = snakemake(folder, "--cores", "8", *targets, *more, SECONDS_OF_A_JOB="0.3")
        assert done.returncode == 0, done.stderr
        times = sorted(tuple(map(float, line.split())) for line in (folder / "times.txt").read_text().splitlines())
        assert len(times) == 4
        assert all(first[1] <= second[0] for first, second in itertools.pairwise(times)), more


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The whole pipeline, once, at the tests' sizes."""
    folder = copy_of_project(tmp_path_factory.mktemp("finished"))
    done = snakemake(folder, "--cores", "2", "all", *MVTEC_TABLES, *OVERLAY)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return folder


def test_the_pipeline_ends_in_four_tables_with_measured_rows(finished):
    for name in ("table1", "table2", "table3", "table4"):
        with (finished / "results/tables" / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert any(row["source"] == "measured" and row["scale"] == "tiny" for row in rows), name
    page = (finished / "results/report/index.html").read_text()
    assert "3D-ST 16" in page and 'id="table-table4"' in page
    assert {path.stem for path in (finished / "results/report/figures").glob("*.svg")} >= {
        "figure5",
        "figure6",
        "figure7",
    }
    assert len(list((finished / "results/report/scans/dowel").glob("*.png"))) >= 5  # kinds of defects and a good scan


def test_snakemakes_own_report_holds_the_tables_the_figures_and_the_page_and_needs_no_cores(finished):
    done = snakemake(finished, "--report", "report.html", *OVERLAY)
    assert done.returncode == 0, done.stderr[-3000:]
    text = (finished / "report.html").read_text()
    for name in ("table1.csv", "table4.csv", "figure5.svg", "losses.svg", "index.html"):
        assert f'"{name}"' in text, name


def test_every_method_of_table1_is_measured(finished):
    with (finished / "results/tables/table1.csv").open(newline="") as file:
        measured = {row["method"]: row for row in csv.DictReader(file) if row["source"] == "measured"}
    for method in (*BASELINES, "3d_st_16"):
        assert all(0 <= float(measured[method][name]) <= 1 for name in ("dowel", "mean")), method


def test_a_command_pasted_into_a_shell_gives_the_bytes_of_the_run(finished):
    logs = "".join(path.read_text() for path in (finished / ".snakemake/log").iterdir())
    made = "results/student/base/dowel"
    command = re.search(rf"python -m st3d student .*--student {made}/student.pt.*(?= 2> )", logs)[0]
    command = command.replace(f"{made}/student.pt", "pasted.pt").replace(f"{made}/loss.csv", "pasted.csv")
    environment = clean_environment()
    assert ADDRESS not in environment  # a process of its own, not a fork of the run's
    subprocess.run(command, shell=True, cwd=finished, env=environment, check=True, capture_output=True)  # noqa: S602
    assert (finished / "pasted.pt").read_bytes() == (finished / made / "student.pt").read_bytes()
    assert (finished / "pasted.csv").read_bytes() == (finished / made / "loss.csv").read_bytes()


def test_other_data_and_other_extractors_are_measured_in_table4(finished):
    with (finished / "results/tables/table4.csv").open(newline="") as file:
        measured = {row["variant"]: row for row in csv.DictReader(file) if row["code"]}
    assert {"base", "random_weights", "kitti", "fcgf", "ppf_foldnet", "fpfh"} == set(measured)
    assert all(0 <= float(row["au_pro"]) <= 1 for row in measured.values())
    assert measured["kitti"]["dataset"] == "simulated_kitti"
    assert measured["fcgf"]["weights"] == "fcgf, trained on simulated"
    with (finished / "results/maps/ppf_foldnet/dowel/maps.csv").open(newline="") as file:
        assert {row["points"] for row in csv.DictReader(file)} == {"40"}


def test_given_weights_are_taken_and_a_change_of_their_file_is_seen(finished):
    weights = finished / "own weights.pth"
    torch.save({"state_dict": FCGF(1.0).state_dict()}, weights)
    variant = "variants={own: {extractor: {method: fcgf}, pretrain_fcgf: {checkpoint: own weights.pth}}}"
    target = "results/pretrain_fcgf/own/fcgf.pt"
    arguments = ["--cores", "1", target, *OVERLAY, "--config", variant]
    done = snakemake(finished, *arguments)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert (finished / target).stat().st_size > 0
    torch.save({"state_dict": FCGF(1.0).state_dict()}, weights)
    assert planned(snakemake(finished, "-n", *arguments)) == {"pretrain_fcgf": 1}


def test_absent_data_that_only_the_user_can_fetch_end_the_run_before_its_first_job(project):
    variant = "variants={drives: {scenes: {source: semantic_kitti}}}"
    done = snakemake(project, "--cores", "1", "variant_drives", "--config", variant)
    assert done.returncode == 1
    expected = "data/semantic_kitti: expected the point clouds of semantic_kitti, found no such folder; get them from"
    assert any(line.startswith(expected) for line in done.stderr.splitlines())
    assert not (project / "data").exists() and not (project / "results").exists()


def test_a_source_that_is_no_name_and_no_folder_is_refused_with_the_names(project):
    done = snakemake(project, "-n", "--config", "scenes={source: simulated_kiti}")
    assert done.returncode == 1
    expected = "config: scenes.source: simulated_kiti: expected a folder or one of meshes, simulated,"
    assert done.stderr.splitlines()[-1].startswith(expected)


def test_a_second_run_has_nothing_to_do(finished):
    done = snakemake(finished, "--cores", "2", *OVERLAY)
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_comment_reruns_nothing_and_a_number_what_depends_on_it(finished):
    network = finished / "st3d/student_teacher/network.py"
    source = network.read_text()
    try:
        network.write_text("# another comment\n" + source)
        assert "Nothing to be done" in snakemake(finished, "-n", *OVERLAY).stdout
        network.write_text(source + "\n_A_NUMBER = 7\n")
        jobs = planned(snakemake(finished, "-n", *OVERLAY))
    finally:
        network.write_text(source)
    assert {"teacher", "student", "maps", "score", "tables"} <= set(jobs)
    assert not {"scenes", "downsampling", "graph_scenes", "graph_scans", "scale_scenes", "simulation"} & set(jobs)


def test_a_setting_of_one_method_reruns_nothing_of_another(finished):
    jobs = planned(snakemake(finished, "-n", *OVERLAY, "--config", "voxel_gan={epochs: 3}"))
    assert (jobs["voxel_gan"], jobs["maps"], jobs["score"], jobs["variant"]) == (1, 1, 1, 1)
    assert not {"frame", "voxels", "depth", "teacher", "student", "cost", *BASELINES[1:]} & set(jobs)
    jobs = planned(snakemake(finished, "-n", *OVERLAY, "--config", "student={epochs: 3}"))
    assert not {"frame", "voxels", "depth", *BASELINES} & set(jobs)


def test_the_dataset_papers_tables_are_made_when_asked_for(finished):
    with (finished / "results/tables/mvtec_table2.csv").open(newline="") as file:
        measured = {(row["modality"], row["method"]): row["mean"] for row in csv.DictReader(file) if row["code"]}
    assert set(measured) == {*(("3d", method) for method in BASELINES), ("3d_rgb", "voxel_vm")}


def test_variants_come_and_go_without_a_rerun_of_the_others(finished):
    more = "run_variants=[base,near_double,points_double,near_half]"
    done = snakemake(
        finished, "-n", "variant_base", "variant_near_double", "variant_points_double", *OVERLAY, "--config", more
    )
    jobs = planned(done)
    assert not {"scenes", "downsampling", "simulation", "furniture"} & set(jobs)
    assert (jobs["teacher"], jobs["student"], jobs["maps"], jobs["score"], jobs["variant"]) == (2, 2, 2, 2, 2)
    assert (jobs["graph_scans"], jobs["graph_scenes"]) == (6, 6)
    for fewer in ("run_variants=[base]", "run_variants=[kitti,depth_ae]"):
        jobs = planned(snakemake(finished, "-n", *OVERLAY, "--config", fewer))
        assert set(jobs) <= {"tables", "report", "validation_maps", "all"}


def test_kills_at_any_moment_change_no_score(finished, tmp_path):
    folder = copy_of_project(tmp_path)
    for name in ("data", "results/scenes", "results/downsampling"):
        shutil.copytree(finished / name, folder / name)
    arguments = ["--cores", "1", "results/score/base/dowel.json", *OVERLAY, "--config", "run_variants=[base]"]
    for model in ("results/teacher/base/teacher", "results/student/base/dowel/student"):
        command = [sys.executable, "-m", "snakemake", *arguments]
        running = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while running.poll() is None and not any((folder / f"{model}{end}").exists() for end in (".checkpoint", ".pt")):
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
    done = snakemake(folder, *arguments)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    for name in ("score/base/dowel.json", "maps/base/dowel/maps.csv", "teacher/base/loss.csv"):
        assert (folder / "results" / name).read_bytes() == (finished / "results" / name).read_bytes(), name


def test_two_runs_in_one_folder_are_refused_in_one_line(finished):
    lock = (
        "import fcntl, time; f = open('results/.st3d.lock', 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True)"
    )
    holder = subprocess.Popen([sys.executable, "-c", f"{lock}; time.sleep(60)"], cwd=finished, stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        done = snakemake(finished, "--cores", "1", "--forcerun", "report", *OVERLAY)
    finally:
        holder.kill()
        holder.wait()
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("another snakemake is at work in results: wait for it")
