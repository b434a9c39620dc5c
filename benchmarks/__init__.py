"""Every kernel beside its reference implementation in one run; `make bench`, or `python -m benchmarks [NAME ...]`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # the reference implementations
