"""Doctests are looked for in every module; some import Triton, which comes with torch for CUDA only."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("triton") else ["st3d/kernels/*_triton.py"]
