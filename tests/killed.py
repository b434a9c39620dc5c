"""Training in a process of its own that dies by kill -9."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import st3d.training.run as run
count = 0
end_epoch = run.Progress.end_epoch
def dies(self, *losses):
    global count
    count += 1
    if count == {fatal}:
        os.kill(os.getpid(), 9)
    end_epoch(self, *losses)
run.Progress.end_epoch = dies
"""


def killed_in(fatal: int, training: str) -> None:
    """Run the Python source `training`, which dies before the state of its `fatal`th epoch is saved."""
    script = SCRIPT.format(tests=str(Path(__file__).parent), fatal=fatal) + training
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
