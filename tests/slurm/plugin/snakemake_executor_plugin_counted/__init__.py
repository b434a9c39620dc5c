"""A cluster that computes nothing: each submission is written to a file, and what it would make is there at once.

A snakemake with this folder's parent on PYTHONPATH has `--executor counted`, so that what a profile submits can be counted
where there is no cluster. A line of submissions.txt is one submission, as JSON: its group, its jobs' rules, what it asks
for. A dry run does not show groups.
"""

import json
import os
import time
from collections import Counter
from pathlib import Path

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo  # noqa: TID251  # a part of Snakemake
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor  # noqa: TID251
from snakemake_interface_executor_plugins.settings import CommonSettings  # noqa: TID251

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
        rules = [each.rule.name for each in (job.jobs if job.is_group() else [job])]
        asked = {name: job.resources.get(name) for name in ("_cores", "mem_mb", "runtime", "gpu")}
        line = {"group": job.name, "rules": Counter(rules)} | asked
        with open("submissions.txt", "a") as file:
            file.write(json.dumps(line) + "\n")
        for each in job.jobs if job.is_group() else [job]:
            for output in each.output:
                path = Path(output)
                if output.is_directory:
                    path.mkdir(parents=True, exist_ok=True)
                else:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text("")
                os.utime(path, (time.time(), time.time()))
        self.report_job_submission(SubmittedJobInfo(job))

    async def check_active_jobs(self, active_jobs):
        for job_info in active_jobs:
            self.report_job_success(job_info)
        for none in ():
            yield none

    def cancel_jobs(self, active_jobs):
        pass
