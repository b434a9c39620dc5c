"""How an artefact was made: version, code, settings; and hashes of them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from st3d import __version__

FORMAT = 2  # raised whenever an artefact's layout changes


def sha256(path: Path) -> str:
    """A file's checksum.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    64 hexadecimal digits

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(content: Mapping[str, Any]) -> str:
    """A hash of settings, the same for equal content, whatever its order.

    Parameters
    ----------
    content
        What JSON can hold; other values count by their text.

    Returns
    -------
    64 hexadecimal digits
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def provenance(settings: Mapping[str, Any], code: str) -> dict[str, Any]:
    """How an artefact was made.

    Parameters
    ----------
    settings
        The stage's flags.
    code
        Fingerprint of the stage's source.

    Returns
    -------
    st3d (the version), code, format and settings, by name
    """
    return {"st3d": __version__, "code": code, "format": FORMAT, "settings": dict(settings)}
