"""A cluster that computes nothing: each submission is written down, and the files that its jobs would make are there.

A snakemake with the folder above this one on PYTHONPATH has `--executor counted`: what a profile submits can then be
counted where there is no cluster, for a dry run shows no groups. A line of submissions.txt is one submission, as JSON:
its jobs by rule, what it asks for, at which attempt. In the first attempt of a submission with a job of the rule in
COUNTED_FAILS this job makes nothing, nor do those after it, and the cluster calls the submission TIMEOUT.
"""

import json
import os
from collections import Counter
from pathlib import Path

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.settings import CommonSettings

common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_default_storage_provider_args=True,
    pass_default_resources_args=True,
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
    init_seconds_before_status_checks=0,
)


class Executor(RemoteExecutor):
    """Makes empty files in the place of jobs."""

    def run_job(self, job):
        levels = job.toposorted if job.is_group() else [[job]]
        rules = Counter(each.rule.name for level in levels for each in level)
        asked = {name: job.resources.get(name) for name in ("_cores", "mem_mb", "runtime", "gpu")}
        with open("submissions.txt", "a") as file:
            file.write(json.dumps({"rules": rules, "attempt": job.attempt, **asked}) + "\n")
        fails = os.environ.get("COUNTED_FAILS")
        fails = fails if fails in rules and job.attempt == 1 else None
        job.register(external_jobid="12")  # marks all outputs as incomplete
        for level in levels:
            if any(each.rule.name == fails for each in level):
                break
            for each in level:
                self._make(each, job.attempt)
        self.report_job_submission(SubmittedJobInfo(job, "12", {"fails": fails}), register_job=False)

    def _make(self, job, attempt):
        """The outputs of a job, unless an earlier attempt made them; without their mark, as on a node."""
        for output in job.output:
            path = Path(output)
            if output.is_directory:
                path.mkdir(parents=True, exist_ok=True)
            elif not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"attempt {attempt}")
            self.workflow.persistence._unmark_incomplete(self.workflow.persistence._get_key(output))

    async def check_active_jobs(self, active_jobs):
        for info in active_jobs:
            if info.aux["fails"]:
                self.report_job_error(info, msg="job '12' failed, SLURM status is: 'TIMEOUT'.", aux_logs=["12.log"])
            else:
                self.report_job_success(info)
        for none in ():
            yield none

    def cancel_jobs(self, active_jobs):
        pass
