"""Trained models and half-trained ones on disk: torch files with provenance, equal content in equal bytes."""

import contextlib
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from st3d.formats.atomic import atomic
from st3d.formats.errors import error_text, refuse_devices
from st3d.formats.provenance import FORMAT

LONGEST = 100  # characters of a value in an error


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
    found = content.get("kind", "no kind") if isinstance(content, dict) else type(content).__name__
    if not isinstance(found, str) or found not in kinds or not isinstance(content, dict):
        raise ValueError(f"{path}: expected a {kind} of st3d, found {str(found)[:LONGEST]}")
    if content.get("format") != FORMAT:
        found = str(content.get("format"))[:LONGEST]
        raise ValueError(f"{path}: expected format {FORMAT}, found {found}; train it again")
    return content


@contextlib.contextmanager
def content_of(path: Path, what: str) -> Iterator[None]:
    """Replace what a damaged content raises where it is used by an error of one line.

    Parameters
    ----------
    path
        Its file.
    what
        What the file should hold: "a teacher".

    Raises
    ------
    ValueError
        One line with the file: a value is missing, or of another type.
    """
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError, RuntimeError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error_text(error)
        raise ValueError(f"{path}: expected {what} of st3d, found a damaged or other file ({reason})") from None


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
    refuse_devices(path, f"{path}: expected {what}")
    try:
        _refuse_bombs(path)
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


def _refuse_bombs(path: Path) -> None:
    """Refuse a zip whose members, which torch does not pack, unpack to more than the file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > Path(path).stat().st_size:
            raise ValueError(f"its parts unpack to {size} bytes")


def _shape(weight: Any) -> tuple[int, ...] | str:
    """Of a plain tensor of real numbers its shape, else what it is."""
    if not isinstance(weight, Tensor):
        return type(weight).__name__
    if weight.layout != torch.strided or weight.is_complex() or weight.is_meta:
        return f"a tensor of {weight.dtype} in {weight.layout} on {weight.device}"
    return tuple(weight.shape)


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
    if not isinstance(weights, Mapping):
        raise ValueError(f"{path}: expected weights by name, found {type(weights).__name__}")
    for name in sorted(expected.keys() | weights.keys(), key=str):
        wanted, found = (_shape(side[name]) if name in side else "none" for side in (expected, weights))
        if wanted != found:
            raise ValueError(f"{path}: expected {str(name)[:LONGEST]} of shape {wanted}, found {found}")
        if not bool(torch.isfinite(weights[name]).all()):
            raise ValueError(f"{path}: expected finite numbers, found others in {name}")
    module.load_state_dict(weights)
