"""On a cluster: jobs are submitted in groups (profiles/slurm); what a failed group has finished is kept.

Three of Snakemake's processes read this file then: the one that submits; on the node the one that starts a job step; in
the step the one that runs the group's jobs, and that one alone has no number of nodes.
"""

import os
import shutil
import subprocess

from collections import Counter
from pathlib import Path

from snakemake.dag import DAG
from snakemake.jobs import GroupJob

from st3d.workflow.submissions import Ended

SUBMITS = workflow.is_main_process and workflow.resource_settings.nodes is not None
STARTS_STEP = workflow.remote_exec and workflow.resource_settings.nodes is not None
RUNS_JOBS = workflow.remote_exec and workflow.resource_settings.nodes is None
RESTARTED = "ST3D_RESTARTED"


def marked(paths):
    """Those of the paths that have the mark of unfinished files, which their submission sets and their job removes."""
    workflow.persistence._clear_cache()
    keys = {workflow.persistence._get_key(path): path for path in paths}
    return [keys[key] for key in workflow.persistence._filter_incomplete_keys(keys)]


def done_in_group(job):
    """Whether a job of a submitted group has finished."""
    return all(Path(path).exists() for path in job.output) and not marked(job.output)


kept = set()  # jobs of failed groups that had finished


async def postprocess(group, error=False, **settings):
    """In the place of GroupJob.postprocess, which takes all jobs of a failed group for failed, and removes their files."""
    if not error:
        return await postprocess_whole(group, **settings)
    for level in group.toposorted:
        for job in level:
            done = done_in_group(job)
            if done:
                kept.add(job)
            await job.postprocess(error=not done, **{**settings, "check_output_mtime": False})


def register(group, external_jobid=None):
    """In the place of GroupJob.register: what an earlier attempt finished is not marked as incomplete again."""
    for job in group.jobs:
        if job not in kept:
            job.register(external_jobid=external_jobid)


def log_error(group, msg=None, aux_logs=None, **settings):
    """In the place of GroupJob.log_error, which drops what the cluster says and calls all jobs of the group failed."""
    jobs = list(group.jobs)
    unfinished = [job for job in jobs if not done_in_group(job)]
    ended = Ended(
        str(settings.get("external_jobid") or ""),
        msg or "",
        Counter(job.rule.name for job in jobs),
        len(jobs) - len(unfinished),
        group.resources.get("runtime"),
        group.resources.get("mem_mb"),
        next(iter(aux_logs or []), None) or "",
        group.attempt > max(job.restart_times for job in jobs),
    )
    (snakemake_logger.error if ended.last else snakemake_logger.info)(str(ended))  # a run that recovers has not failed
    for job in unfinished if ended.state() == "FAILED" else ():
        if any(Path(log).exists() and Path(log).stat().st_size for log in job.log):  # else it says nothing of a fault
            job.log_error(indent=True)


def cancel_left():
    """Cancel what a killed run left in Slurm's queue: this run submits the same jobs, which must not run twice at once."""
    jobs = workflow.dag.needrun_jobs()
    numbers = sorted(
        {number for job in jobs for number in workflow.persistence.external_jobids(job) if number.isdecimal()}
    )
    if not numbers or shutil.which("squeue") is None:
        return
    asked = ["squeue", "--me", "--noheader", "--format=%A", f"--jobs={','.join(numbers)}"]
    there = subprocess.run(asked, capture_output=True, text=True).stdout.split()
    if there:
        subprocess.run(["scancel", *there])
        snakemake_logger.warning(f"cancelled what an earlier run had left in the queue: {', '.join(there)}")


if SUBMITS:
    postprocess_whole = GroupJob.postprocess
    GroupJob.postprocess, GroupJob.register, GroupJob.log_error = postprocess, register, log_error


def in_one_step(dag):
    """In the place of DAG._update_group_components: all jobs of a submission are one group, and so one job step."""
    first, *others = set(dag._group.values())
    for each in others:
        first.merge(each)
    dag._group = dict.fromkeys(dag._group, first)
    first.finalize()


if STARTS_STEP:
    for each in workflow.rules:
        each.group = "submission"
    DAG._update_group_components = in_one_step
    if os.environ.get("SLURM_RESTART_COUNT"):  # Slurm itself puts a job of a failed node back into the queue
        os.environ[RESTARTED] = "1"  # the step sees no such variable of Slurm's


async def force_unfinished(dag):
    """In the place of DAG.check_incomplete: what an earlier attempt of the same submission finished is not done again."""
    dag.forcefiles.intersection_update(marked(dag.forcefiles))


def prepare_dag(**settings):
    """In the place of Workflow._prepare_dag, where the settings of this process are known at last."""
    if workflow.execution_settings.attempt > 1 or os.environ.get(RESTARTED):
        DAG.check_incomplete = force_unfinished
    if workflow.group_settings.local_groupid != "local":
        start_server()
    prepare_whole_dag(**settings)


if RUNS_JOBS:
    if cores := os.getenv("SLURM_CPUS_PER_TASK"):  # else all cores of a node that does not bind jobs to theirs
        workflow.register_resource("_cores", int(cores))
    prepare_whole_dag, workflow._prepare_dag = workflow._prepare_dag, prepare_dag

if SUBMITS or STARTS_STEP:
    for each in workflow.rules:  # Snakemake wants a resource that is text to be the same in all jobs of a group
        each.resources.setdefault("cache_gb", TRAINING["cache_gb"])
