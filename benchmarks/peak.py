"""`python -m benchmarks.peak MODULE FUNCTION [SMALL SIZES]`: the growth of memory at its peak, MB, as its last line."""

import importlib
import json
import sys

import torch

from st3d.evaluation.peak_memory import PeakMemory

if __name__ == "__main__":
    module, function, *numbers = sys.argv[1:]
    prepare = getattr(importlib.import_module(module), function)
    if numbers:
        prepare(*map(int, numbers))()
    call = prepare()
    memory = PeakMemory(torch.device("cpu"))
    call()
    sys.stdout.write(json.dumps(memory.grown_gb() * 1000) + "\n")
