"""Workflow: config, variants, stages, fingerprints, command line. Light: a dry run needs no torch.

What must not enter: arrays, and imports of torch, NumPy or Open3D (but in `check`, a command for users).
"""
