"""Before the first job: what the run shows, which runs may work at once, a look at the data, the jobs' server."""

import contextlib
import importlib.util
import logging
import os
import subprocess
import tempfile
import threading
import time

from types import SimpleNamespace

from st3d.workflow.console import use_console
from st3d.workflow import results_origin
from st3d.workflow.leftovers import remove_ownerless
from st3d.workflow.run_locks import RunLock
from st3d.workflow.server import ADDRESS
from st3d.workflow.stages import BASELINES

snakemake_logger = logging.getLogger("snakemake.logging")


def to_open():
    """What to look at after a run: the page among the targets' files, or else these files."""
    files = list(dict.fromkeys(str(path) for job in workflow.dag.targetjobs for path in job.output or job.input))
    pages = [path for path in files if path.endswith("index.html")]
    if pages:
        return pages[:1]
    return [path for path in files if Path(path).exists()][:3]


# Whoever wants to see more gets all that Snakemake prints: -p, --verbose, --debug-dag, or any --quiet.
shown = workflow.output_settings
if workflow.is_main_process and not (
    shown.dryrun or shown.quiet or shown.printshellcmds or shown.verbose or shown.debug_dag
):
    use_console(snakemake_logger, to_open)
logging.raiseExceptions = True  # of faults in showing; the Snakefile has switched them off for its first lines


def refuse(why):
    """End before the first job; a WorkflowError would add lines about this file."""
    sys.exit(why)


RECORDS = Path(".snakemake")
if workflow.is_main_process and not results_origin.known(Path(config["results"]), RECORDS):
    snakemake_logger.warning(
        f"{config['results']} was made with Snakemake's records of another place: what was changed since then is not seen."
        f" Copy {RECORDS} along with it, or delete what is to be made anew; if nothing was changed, delete"
        f" {config['results']}/{results_origin.NAME}"
    )

results_lock = RunLock(Path(config["results"], ".st3d.lock"))
looked_at = time.time()  # what is there is looked at from here on
data_locks = {}  # by the file that says that a folder of data is complete


def lock_folders():
    """Keep other runs out of the results folder and of what this run makes in the data folder, and let it be read."""
    if not results_lock.take(alone=True):
        refuse(
            f"another snakemake is at work in {config['results']}: wait for it, stop it, or name another results folder"
        )
    with contextlib.suppress(OSError):  # of a folder that cannot be written to the first job says more
        results_origin.mark(Path(config["results"]), RECORDS)
    remove_ownerless()
    jobs = list(workflow.dag.needrun_jobs())
    makers = {str(path): job for job in jobs for path in job.output if in_data(path) and path.endswith("complete.json")}
    for path in makers:
        lock_data(path, alone=True)
    for path in {path for job in jobs for path in data_read_by(job)} - set(makers):
        lock_data(path, alone=False)
    threading.Thread(target=share_when_made, args=(makers,), daemon=True).start()


def lock_data(path, alone):
    """Lock a folder of data; if another run makes it, wait for that and start anew: it need not be made again then."""
    name = "_".join(Path(path).parent.relative_to(config["data"]).parts)
    lock = data_locks[path] = RunLock(Path(config["data"], ".locks", name))
    if lock.take(alone):
        return
    if alone and lock.take(alone=False):  # then those who hold it read
        if Path(path).exists() and Path(path).stat().st_mtime > looked_at:
            start_anew()  # it has been made since this run looked
        refuse(
            f"another snakemake reads {Path(path).parent}, which this one would make anew: wait for it, stop it, or name"
            " another data folder"
        )
    snakemake_logger.warning(f"another snakemake makes {Path(path).parent}: waiting for it")
    for each in data_locks.values():
        each.release()
    lock.take(alone=False, wait=True)
    start_anew()


def start_anew():
    """Begin this run once more, in the same process; its locks close."""
    logging.shutdown()
    workflow._snakemake_tmp_dir.cleanup()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def share_when_made(makers):
    """Let other runs read each folder of data once its job is done."""
    while makers:
        for path in [path for path, job in makers.items() if workflow.dag.finished(job)]:
            data_locks[path].take(alone=False)
            makers.pop(path)
        time.sleep(0.5)


def in_data(path):
    """Whether a path lies in the folder of simulated and downloaded data."""
    return Path(path).is_relative_to(config["data"])


def data_read_by(job):
    """The files that say that the data which a job reads are complete."""
    paths = [str(path) for path in job.input]
    if "dataset" in job.params.keys():  # the scans may also be the inputs of earlier jobs alone
        for category in [job.wildcards.get("category")] if "category" in job.wildcards.keys() else config["categories"]:
            paths.append(str(scans_complete(SimpleNamespace(category=category)) or ""))
    return [path for path in paths if in_data(path) and path.endswith("complete.json")]


def look_at_data():
    """End before the first job if the user's own data, or downloaded ones, have faults that their headers show."""
    if importlib.util.find_spec("tifffile") is None:
        return  # with --sdm conda, snakemake's own Python need not have what reads data; the jobs find the faults
    categories, splits, modalities, folders = set(), set(), set(), {}
    there = config["dataset"] != MVTEC_3D_AD or Path(DATASET, "complete.json").is_file()
    for job in workflow.dag.needrun_jobs():
        stage, wildcards = job.rule.name, job.wildcards
        if stage == "scenes":
            folders |= dict.fromkeys(own_sources(wildcards))
        elif stage in BASELINES:
            modalities.add(study.variants[wildcards.variant]["detector"]["modality"])
        elif "dataset" in job.params.keys() and there and config["dataset"] != SIMULATED:
            named = wildcards.get("category")
            categories |= {named} if named else set(config["categories"])
            splits.add(wildcards.get("split", "train" if stage == "frame" else "test"))
            if stage in ("frame", "voxels", "depth"):
                modalities.add("3d")
    if categories or folders:
        categories = [name for name in config["categories"] if name in categories]
        baselines = max(modalities, default="none")  # 3d_rgb comes after 3d
        splits = [split for split in (*SPLITS, "test") if split in splits]
        flags = ["--dataset", DATASET, "--categories", *categories, "--splits", *splits]
        flags += ["--baselines", baselines, "--sources", *folders]
        found = subprocess.run([sys.executable, "-m", "st3d", "check", *flags], stderr=subprocess.PIPE, text=True)
        if found.returncode:
            refuse(f"{found.stderr}the data have these faults; nothing was computed")


def start_server():
    """Start the process that this run's jobs are forks of; without it each of them would load torch by itself."""
    global server_folder
    if sys.platform != "linux" or DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
        return
    # this user's alone; in Snakemake's, since that has a name to be found by if this run is killed
    server_folder = tempfile.TemporaryDirectory(
        prefix="st3d-", dir=workflow.snakemake_tmp_dir, ignore_cleanup_errors=True
    )
    os.environ[ADDRESS] = os.path.join(server_folder.name, "jobs")
    command = [sys.executable, "-m", "st3d.workflow.server", os.environ[ADDRESS], str(os.getpid())]
    # as Snakemake sets them for a job, for libraries that read them once, when they are loaded
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(config["runtime"]["threads"])
    )
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        env=os.environ | threads,
        start_new_session=True,  # Ctrl-C is for jobs' clients
    )
    while not os.path.exists(os.environ[ADDRESS]) and server.poll() is None:
        time.sleep(0.01)
