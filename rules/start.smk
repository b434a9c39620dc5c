"""Before the first job: what the run shows, which runs may work at once, and a look at the data."""

import logging

from st3d.workflow.console import use_console


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
    use_console(logging.getLogger("snakemake.logging"), to_open)
