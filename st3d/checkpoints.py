"""Trained models and half-trained ones on disk: torch files with provenance, equal content in equal bytes."""

import io
import logging
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from st3d.errors import short
from st3d.optimizer import Adam
from st3d.runtime import FORMAT, atomic, digest, sha256

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


def run_hash(settings: Mapping[str, Any], inputs: Sequence[Path], code: str) -> str:
    """What makes a training run the one it is: a checkpoint is only resumed by its own run."""
    return digest({"settings": settings, "inputs": [sha256(path) for path in inputs], "code": code})


def finished(path: Path, kind: str, run: str) -> bool:
    """Whether `path` already is the result of this very run: an orphaned job may have ended it before its successor."""
    try:
        return path.exists() and load(path, kind)["run"] == run
    except ValueError:
        return False


class Progress:
    """Where a training run stands, on disk after every epoch: a killed run goes on there and ends as it would have.

    Random streams are seeded by epoch, so the state is the weights, the optimizer's, the best epoch and the losses.

    Parameters
    ----------
    path : the checkpoint, beside the result
    run : what `run_hash` gives; a checkpoint of another run is not resumed
    network : the network to keep, at its best epoch; None keeps none, the last epoch counts
    trained : all that is trained, the network included
    optimizers : of `trained`
    epochs : how many there will be
    """

    def __init__(
        self,
        path: Path,
        run: str,
        network: nn.Module | None,
        trained: nn.Module,
        optimizers: Sequence[Adam],
        epochs: int,
    ) -> None:
        self._path, self._run, self._network, self._trained = path, run, network, trained
        self._optimizers, self._epochs = optimizers, epochs
        self.history: list[dict[str, float]] = []
        self.best_weights = _on_cpu(network)
        self._best = math.inf
        state = self._read()
        if state:
            trained.load_state_dict(state["weights"])
            for optimizer, found in zip(optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(found)
            self._best, self.best_weights, self.history = state["best"], state["best_weights"], state["history"]

    def epochs_left(self) -> range:
        """The numbers of the epochs that are still to do, the first being 1."""
        return range(len(self.history) + 1, self._epochs + 1)

    def end_epoch(self, train: Sequence[Tensor], validation: Sequence[Tensor], seconds: float) -> None:
        """Take the losses (scalars) of the epoch's steps and of the validation clouds, log them, save the state."""
        epoch = len(self.history) + 1
        train_loss, held_loss = (float(torch.stack(list(each)).double().mean()) for each in (train, validation))
        if not math.isfinite(train_loss + held_loss):
            raise ValueError(f"{self._path}: expected finite losses, found {train_loss} and {held_loss}, epoch {epoch}")
        self.history.append({"epoch": epoch, "train": train_loss, "validation": held_loss})
        if held_loss < self._best:
            self._best, self.best_weights = held_loss, _on_cpu(self._network)
        log.info(
            "epoch %d/%d train %.5g valid %.5g best %.5g %.1f s, %.0f s left",
            *(epoch, self._epochs, train_loss, held_loss, self._best, seconds, seconds * (self._epochs - epoch)),
        )
        state = {"kind": "progress", "format": FORMAT, "run": self._run, "history": self.history}
        state |= {"best": self._best, "best_weights": self.best_weights}
        state |= {"optimizers": [optimizer.state_dict() for optimizer in self._optimizers]}
        save(self._path, state | {"weights": self._trained.state_dict()})

    def _read(self) -> dict[str, Any] | None:
        if not self._path.exists():
            return None
        try:
            state = load(self._path, "progress")
        except ValueError as error:
            log.warning("%s; starting from the first epoch", error)
            return None
        if state["run"] != self._run:
            log.info("%s: another run left it (other settings, inputs or code); starting afresh", self._path)
            return None
        log.info("%s: resuming after epoch %d", self._path, len(state["history"]))
        return state


def _on_cpu(module: nn.Module | None) -> dict[str, Tensor]:
    state = module.state_dict() if module is not None else {}
    return {name: value.detach().cpu().clone() for name, value in state.items()}
