"""Cameras: MVTec 3D-AD's camera_parameters.json."""

import json
from pathlib import Path

from st3d.formats.errors import error_text, refuse_devices
from st3d.kernels.geometry.camera import Camera


def read_camera(path: Path) -> Camera:
    """Read a category's camera.

    Parameters
    ----------
    path
        camera_parameters.json, as MVTec 3D-AD has it.

    Returns
    -------
    Camera, not yet fitted to the scans

    Raises
    ------
    ValueError
        One line with the file: missing, no JSON, or not a camera's parameters.
    """
    refuse_devices(path, f"{path}: expected the camera's parameters")
    if not path.is_file():
        raise ValueError(f"{path}: expected the camera's parameters, which the baselines need, found no such file")
    try:
        parameters = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON, found {error_text(error)}") from None
    if not isinstance(parameters, dict):
        raise ValueError(f"{path}: expected parameters by name, found {type(parameters).__name__}")
    return Camera.from_parameters(parameters, str(path))
