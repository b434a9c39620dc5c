"""Kernels: arrays and tensors in, arrays and tensors out; compiled C, Triton or NumPy behind one name.

What must not enter: files, paths, formats, settings, logging, training.
"""
