"""Builds the C kernels into the package; all other facts are in pyproject.toml."""

from pathlib import Path

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "st3d.kernels._native",
            sources=sorted(str(path) for path in Path("st3d/kernels/src").glob("*.c")),
            # no fast-math: orders and ties must be exact; a file that must not fuse multiply-adds says so itself
            extra_compile_args=["-O3", "-std=gnu11", "-Wno-psabi", "-fno-math-errno", "-fno-trapping-math"],
        )
    ]
)
