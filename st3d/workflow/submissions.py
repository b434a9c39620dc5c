"""What to say when jobs that went to a cluster together have ended in another way than by their own success."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from st3d.workflow.run_progress import counts_text

LIMITS = {
    "TIMEOUT": "runtime",
    "DEADLINE": "runtime",
    "OUT_OF_MEMORY": "mem_mb",
}  # what was too little


@dataclass(frozen=True)
class Ended:
    """A submission that failed.

    Attributes
    ----------
    number
        The cluster's, of the submission; empty if it took none.
    said
        What the executor says of it.
    counts
        Jobs of each rule.
    done
        Jobs that had finished; their files are kept.
    minutes, megabytes
        What was asked for; None where nothing was.
    log
        The cluster's log file; empty if there is none.
    last
        Whether it is not tried again.
    """

    number: str
    said: str
    counts: Mapping[str, int]
    done: int
    minutes: int | None
    megabytes: int | None
    log: str
    last: bool

    def state(self) -> str:
        """Slurm's word for the end; without cgroups it calls too much memory FAILED, and tells the log alone."""
        found = re.search(r"status is: '(\w+)", self.said)
        state = found[1] if found else "FAILED"
        if state == "FAILED" and self.log and Path(self.log).is_file():
            end = Path(self.log).read_text(errors="replace")[-20_000:]
            if re.search(r"exceeded (job |step )?memory limit|oom[-_ ]kill|out of memory", end, re.IGNORECASE):
                return "OUT_OF_MEMORY"
        return state

    def __str__(self) -> str:
        """One line: what ended and how, what is kept, what follows, what to do."""
        total = sum(self.counts.values())
        refused = re.search(r"error message was '(.*?)'\.?\s*(?:sbatch call|$)", self.said, re.DOTALL)
        if refused:
            said = " ".join(refused[1].split())
            return f"the cluster refused {total} jobs ({counts_text(self.counts)}): {said}{self._if_refused(said)}"
        end = f"cluster job {self.number} ({counts_text(self.counts)}) ended as {self.state()}"
        return f"{end}{self._limit()}; {self.done} of {total} jobs are done and kept; {self._next()}"

    def _limit(self) -> str:
        limit = LIMITS.get(self.state())
        amounts = {"runtime": f"{self.minutes} minutes", "mem_mb": f"{self.megabytes} MB"}
        return f" at its limit of {amounts[limit]}" if limit else ""

    def _next(self) -> str:
        if not self.last:
            return "trying again"
        log = f"; log: {self.log}" if self.log else ""
        limit = LIMITS.get(self.state())
        if limit:
            return f"raise {limit} of its rules in the profile, then the same command goes on{log}"
        return f"the same command goes on from there{log}"

    def _if_refused(self, said: str) -> str:
        if "generic resource" in said or "gres" in said:
            return "; without GPUs, set runtime: {device: cpu} in the config"
        if "time limit" in said.lower():
            return "; lower runtime of its rules in the profile, or its group-components"
        return ""
