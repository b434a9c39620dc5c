"""Before the first job: what the run shows, which runs may work at once, and a look at the data."""

import importlib.util
import logging
import os
import subprocess
import threading
import time

from st3d.workflow.console import use_console
from st3d.workflow.run_locks import FolderLock
from st3d.workflow.stages import BASELINES

snakemake_logger = logging.getLogger("snakemake.logging")
results_lock, data_lock = FolderLock(config["results"]), FolderLock(config["data"])


def to_open():
    """What to look at after a run: the page among the targets' files, or else these files."""
    files = list(dict.fromkeys(str(path) for job in workflow.dag.targetjobs for path in job.output or job.input))
    for ending in ("index.html", "summary.md"):
        pages = [path for path in files if path.endswith(ending)]
        if pages:
            return pages[:1]
    return [path for path in files if Path(path).exists()][:3]


# Whoever wants to see more gets all that Snakemake prints: -p, --verbose, --debug-dag, or any --quiet.
shown = workflow.output_settings
if workflow.is_main_process and not (
    shown.dryrun or shown.quiet or shown.printshellcmds or shown.verbose or shown.debug_dag
):
    use_console(snakemake_logger, to_open)


def refuse(why):
    """End before the first job; a WorkflowError would add lines about this file."""
    sys.exit(why)


def lock_folders():
    """Keep other runs out of the results folder, and out of the data folder while this run makes data there."""
    if not results_lock.take(alone=True):
        refuse(
            f"another snakemake is at work in {config['results']}: wait for it, stop it, or name another results folder"
        )
    jobs = list(workflow.dag.needrun_jobs())
    makers = [job for job in jobs if any(in_data(path) for path in job.output)]
    if makers:
        lock_data_alone()
        threading.Thread(target=share_data_after, args=(makers,), daemon=True).start()
    elif any(in_data(path) for job in jobs for path in [*job.input, *data_of(job)]) and not data_lock.take(alone=False):
        restart_when_data_are_made()


def lock_data_alone():
    """Lock the data folder for a run that makes data there."""
    if data_lock.take(alone=True):
        return
    if data_lock.take(alone=False):  # those who hold it read there
        refuse(
            f"another snakemake reads in {config['data']}, where this one would make data: wait for it, stop it, or name"
            " another data folder"
        )
    restart_when_data_are_made()


def restart_when_data_are_made():
    """Wait until another run has made its data, and start anew: it may have made this run's too."""
    snakemake_logger.warning(f"another snakemake makes data in {config['data']}; waiting for them")
    data_lock.take(alone=False, wait=True)
    logging.shutdown()
    workflow._snakemake_tmp_dir.cleanup()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # locks close; the process stays the same


def share_data_after(makers):
    """Let other runs read in the data folder once the jobs that write there are done."""
    while not all(workflow.dag.finished(job) for job in makers):
        time.sleep(0.5)
    data_lock.take(alone=False)


def in_data(path):
    """Whether a path lies in the folder of simulated and downloaded data."""
    return Path(path).is_relative_to(config["data"])


def data_of(job):
    """The folders of scans, meshes and point clouds that a job reads, by its params."""
    return [path for path in (job.params.get("dataset"), *(job.params.get("source") or [])) if path]


def look_at_data():
    """End before the first job if the user's own data, or downloaded ones, have faults that their headers show."""
    if importlib.util.find_spec("tifffile") is None:
        return  # with --sdm conda, snakemake's own Python need not have what reads data; the jobs find the faults
    categories, splits, modalities, folders = {}, {}, set(), {}
    there = config["dataset"] != MVTEC_3D_AD or Path(DATASET, "complete.json").is_file()
    for job in workflow.dag.needrun_jobs():
        stage, wildcards = job.rule.name, job.wildcards
        if stage == "scenes":
            folders |= dict.fromkeys(own_sources(wildcards))
        elif stage in BASELINES:
            modalities.add(study.variants[wildcards.variant]["detector"]["modality"])
        elif "dataset" in job.params.keys() and there and config["dataset"] != SIMULATED:
            named = wildcards.get("category")
            categories |= dict.fromkeys([named] if named else config["categories"])
            splits[wildcards.get("split", "train" if stage == "frame" else "test")] = None
            if stage in ("frame", "voxels", "depth"):
                modalities.add("3d")
    if categories or folders:
        baselines = max(modalities, default="none")  # 3d_rgb comes after 3d
        flags = ["--dataset", DATASET, "--categories", *categories, "--splits", *splits]
        flags += ["--baselines", baselines, "--sources", *folders]
        found = subprocess.run([sys.executable, "-m", "st3d", "check", *flags], stderr=subprocess.PIPE, text=True)
        if found.returncode:
            refuse(f"{found.stderr}the data have these faults; nothing was computed")
