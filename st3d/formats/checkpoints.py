"""Trained models and half-trained ones on disk: torch files with provenance, equal content in equal bytes."""

import contextlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from st3d.formats.atomic import atomic
from st3d.formats.errors import error_text, refuse_devices
from st3d.formats.provenance import FORMAT

N = TypeVar("N", bound=nn.Module)

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
    found = _shown(content.get("kind", "no kind") if isinstance(content, dict) else content)
    if found not in kinds or not isinstance(content, dict):
        raise ValueError(f"{path}: expected a {kind} of st3d, found {found}")
    version = _shown(content.get("format"))
    if version != str(FORMAT):
        raise ValueError(f"{path}: expected format {FORMAT}, found {version}; train it again")
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
    except ValueError as error:  # of what does not know the file
        raise ValueError(str(error) if str(path) in str(error) else f"{path}: {error}") from None


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
        source = _source(path)
        with torch.serialization.safe_globals(list(harmless)):
            return torch.load(source, map_location="cpu", weights_only=True)
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


def load_network(make: Callable[[], N], weights: Mapping[str, Tensor], path: Path) -> N:
    """A network with weights from a file, made only if they are its own: a damaged width would fill all memory.

    Parameters
    ----------
    make
        Makes the network.
    weights, path
        As for `load_weights`.

    Returns
    -------
    The network

    Raises
    ------
    ValueError
        As `load_weights`.
    """
    with torch.device("meta"):
        _refuse_others(make(), weights, path)
    network = make()
    load_weights(network, weights, path)
    return network


def _refuse_others(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    expected = module.state_dict()
    if not isinstance(weights, Mapping):
        raise ValueError(f"{path}: expected weights by name, found {type(weights).__name__}")
    for name in sorted(expected.keys() | weights.keys(), key=str):
        wanted = tuple(expected[name].shape) if name in expected else "none"
        found = _shape(weights[name]) if name in weights else "none"
        if wanted != found:
            raise ValueError(f"{path}: expected {str(name)[:LONGEST]} of shape {wanted}, found {found}")
        if not bool(torch.isfinite(weights[name]).all()):
            raise ValueError(f"{path}: expected finite numbers, found others in {name}")


def _source(path: Path) -> Path | io.BytesIO:
    """A file that takes no more memory than it has bytes.

    The parts of a zip are not packed by torch, so that they hold no more than the file. What older versions wrote is
    read from memory: of a file, Python would allocate the gigabytes that a damaged length names.
    """
    if not zipfile.is_zipfile(path):
        return io.BytesIO(Path(path).read_bytes())
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > Path(path).stat().st_size:
        raise ValueError(f"its parts unpack to {size} bytes")
    return path


def _shown(value: Any) -> str:
    """A value in an error: of a tensor, or what holds others, only its type."""
    return str(value)[:LONGEST] if isinstance(value, str | int | float) else type(value).__name__


def _shape(weight: Any) -> tuple[int, ...] | str:
    """Of a plain tensor of real numbers its shape, else what it is."""
    if not isinstance(weight, Tensor):
        return type(weight).__name__
    if weight.layout != torch.strided or weight.is_complex() or weight.is_meta or weight.is_quantized:
        return f"a tensor of {weight.dtype} in {weight.layout} on {weight.device}"
    if weight.numel() * weight.element_size() > weight.untyped_storage().nbytes():
        return f"a tensor that repeats its {weight.untyped_storage().nbytes()} bytes"
    return tuple(weight.shape)


def plain(value: Any) -> Tensor:
    """A value that was read from a file, if it is a tensor that takes no more memory than the file.

    Parameters
    ----------
    value
        The value.

    Returns
    -------
    The same

    Raises
    ------
    ValueError
        If it is another thing, or a tensor that repeats a few numbers, is sparse, complex or quantized.
    """
    found = _shape(value)
    if not isinstance(found, tuple):
        raise ValueError(f"expected a plain tensor, found {found}")
    return value


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
        One line with the file if a name or a shape differs from the module's, or a number is not finite.
    """
    _refuse_others(module, weights, path)
    module.load_state_dict(weights)
