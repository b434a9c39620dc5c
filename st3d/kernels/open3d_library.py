"""Open3D, whose wheel for Linux needs libusb-1.0 and does not bring it."""

import ctypes
import importlib
import sys
from typing import Any


def open3d_module() -> Any:
    """Import Open3D, which takes a second: the one way to it in this project.

    The loader finds a library that a process has loaded by its name, so that the system need not have it: that of the
    package libusb-package is loaded before.

    Returns
    -------
    The module; its own types have no arrays, so none is promised

    Raises
    ------
    ImportError
        If it is not installed, or lacks one of the system's libraries.
    """
    if sys.platform == "linux" and "open3d" not in sys.modules:
        import libusb_package

        library = libusb_package.get_library_path()
        if library is not None:
            ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    return importlib.import_module("open3d")
