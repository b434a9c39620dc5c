"""Training in a process of its own that dies by kill -9."""

import os
import subprocess
import sys

SCRIPT = """
import os, sys
from pathlib import Path
import st3d.training.run as run
count = 0
end_epoch = run.Progress.end_epoch
def dies(self, *epoch):
    global count
    count += 1
    if count == {fatal}:
        os.kill(os.getpid(), 9)
    end_epoch(self, *epoch)
run.Progress.end_epoch = dies
"""


def killed_in(fatal: int, training: str) -> None:
    """Run the Python source `training`, which dies before the state of its `fatal`th epoch is saved."""
    script = SCRIPT.format(fatal=fatal) + training
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == -9, done.stderr
