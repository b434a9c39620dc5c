"""Trained models and half-trained ones on disk: torch files with provenance, equal content in equal bytes."""

import io
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from st3d.formats.atomic import atomic
from st3d.formats.errors import short
from st3d.formats.provenance import FORMAT

log = logging.getLogger("st3d")


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` atomically."""
    # torch.save names the archive's root after the file; through memory the (temporary) name stays out of the bytes
    memory = io.BytesIO()
    torch.save(dict(content), memory)
    with atomic(path) as temporary:
        temporary.write_bytes(memory.getbuffer())


def load(path: Path, *kinds: str) -> dict[str, Any]:
    """Read one of `kinds` ("teacher", "student", "progress") onto the CPU; anything else in the file is an error."""
    kind = kinds[0]  # what is usually meant
    content = read_tensors(path, f"a {kind}", " of st3d")
    if not isinstance(content, dict) or content.get("kind") not in kinds:
        found = content.get("kind", "no kind") if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"{path}: expected a {kind} of st3d, found {found}")
    if content["format"] != FORMAT:
        raise ValueError(f"{path}: expected format {FORMAT}, found {content['format']}; train it again")
    return content


def read_tensors(path: Path, what: str, whose: str = "", harmless: Sequence[Any] = ()) -> Any:
    """What torch.save wrote to `path`, on the CPU; a cut file, or one that needs other classes, is an error.

    Nothing in the file is run: only tensors, numbers, texts and containers of them are read, and `harmless` classes.
    """
    try:
        with torch.serialization.safe_globals(list(harmless)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{path}: expected {what}, found no such file") from None
    except MemoryError:
        raise
    except Exception as error:  # a foreign pickle raises anything
        refused = re.search(r"Unsupported global: GLOBAL ([\w.]+)", str(error))
        reason = f"it needs {refused[1]}, which is not read" if refused else short(error)
        raise ValueError(f"{path}: expected {what}{whose}, found a cut or foreign file ({reason})") from None


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Put `weights`, read from `path`, into `module`; other names or dimensions are an error."""
    expected = module.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        wanted, found = (tuple(side[name].shape) if name in side else "none" for side in (expected, weights))
        if wanted != found:
            raise ValueError(f"{path}: expected {name} of shape {wanted}, found {found}")
    module.load_state_dict(weights)
