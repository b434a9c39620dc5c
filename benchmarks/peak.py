"""`python -m benchmarks.peak MODULE FUNCTION [NUMBER ...]`: the growth of memory at its peak, MB, as its last line."""

import importlib
import json
import sys

import torch

from st3d import runtime

if __name__ == "__main__":
    module, function, *numbers = sys.argv[1:]
    call = getattr(importlib.import_module(module), function)(*map(int, numbers))
    memory = runtime.PeakMemory(torch.device("cpu"))
    call()
    sys.stdout.write(json.dumps(memory.grown_gb() * 1000) + "\n")
