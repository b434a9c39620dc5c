"""Doctests are looked for in every module; one imports Triton, which comes with torch for CUDA only."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("triton") else ["st3d/kernels/aggregation_triton.py"]
