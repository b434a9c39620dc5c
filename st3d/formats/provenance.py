"""How an artefact was made: version, code, settings; and hashes of them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from st3d import __version__

FORMAT = 2  # raised whenever an artefact's layout changes


def sha256(path: Path) -> str:
    """A file's checksum in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(content: Mapping[str, Any]) -> str:
    """A hash of settings: the same for equal content, whatever its order."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def provenance(settings: Mapping[str, Any], code: str) -> dict[str, Any]:
    """Provenance of an artefact: the version, the fingerprint of the code, the settings."""
    return {"st3d": __version__, "code": code, "format": FORMAT, "settings": dict(settings)}
