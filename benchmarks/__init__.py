"""Every kernel beside its plain twin, side by side in one run; `make bench`, or `python -m benchmarks [NAME ...]`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # the twins
