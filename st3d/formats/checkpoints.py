"""Trained models and half-trained ones on disk: torch files with provenance, equal content in equal bytes."""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from st3d.formats.atomic import atomic
from st3d.formats.errors import error_text
from st3d.formats.provenance import FORMAT


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically; equal content gives equal bytes.

    Parameters
    ----------
    path
        The file to write.
    content
        Tensors, numbers, texts and their containers; with `kind` and `format`, which `load` checks.
    """
    # torch.save names the archive's root after the file; through memory the (temporary) name stays out of the bytes
    memory = io.BytesIO()
    torch.save(dict(content), memory)
    with atomic(path) as partial:
        partial.write_bytes(memory.getbuffer())


def load(path: Path, *kinds: str) -> dict[str, Any]:
    """Read what `save` wrote, onto the CPU.

    Parameters
    ----------
    path
        The checkpoint.
    kinds
        What it may be ("teacher", "student", "progress"), what is usually meant first.

    Returns
    -------
    Its content

    Raises
    ------
    ValueError
        One line with the file if it is damaged, of another kind or of another version.
    """
    kind = kinds[0]
    content = read_tensors(path, f"a {kind}", " of st3d")
    if not isinstance(content, dict) or content.get("kind") not in kinds:
        found = content.get("kind", "no kind") if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"{path}: expected a {kind} of st3d, found {found}")
    if content["format"] != FORMAT:
        raise ValueError(f"{path}: expected format {FORMAT}, found {content['format']}; train it again")
    return content


def read_tensors(path: Path, what: str, origin: str = "", harmless: Sequence[Any] = ()) -> Any:
    """Read what torch.save wrote, onto the CPU, without running anything in it.

    Parameters
    ----------
    path
        The file.
    what, origin
        For errors: "a teacher", " of st3d".
    harmless
        Classes to read beside tensors, numbers, texts and their containers.

    Returns
    -------
    What was saved

    Raises
    ------
    ValueError
        One line with the file if it is missing or truncated, or needs other classes.
    """
    try:
        with torch.serialization.safe_globals(list(harmless)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{path}: expected {what}, found no such file") from None
    except MemoryError:
        raise
    except Exception as error:  # another program's pickle raises anything
        refused = re.search(r"Unsupported global: GLOBAL ([\w.]+)", str(error))
        reason = f"it needs {refused[1]}, which is not read" if refused else error_text(error)
        if reason.startswith("Weights only load failed"):  # advice to those who wrote the program
            reason = "torch did not write it"
        raise ValueError(f"{path}: expected {what}{origin}, found a truncated or other file ({reason})") from None


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Put weights that were read from a file into a module.

    Parameters
    ----------
    module
        Takes the weights, in place.
    weights
        By the names of the module's state dictionary.
    path
        Their file, for errors.

    Raises
    ------
    ValueError
        One line with the file if a name or a shape differs from the module's.
    """
    expected = module.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        wanted, found = (tuple(side[name].shape) if name in side else "none" for side in (expected, weights))
        if wanted != found:
            raise ValueError(f"{path}: expected {name} of shape {wanted}, found {found}")
    module.load_state_dict(weights)
