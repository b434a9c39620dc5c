"""A training run on disk: what it is, whether it is finished, where it stands; a killed run goes on there."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from st3d.formats.checkpoints import load, save
from st3d.formats.provenance import FORMAT, digest, sha256
from st3d.training.optimizer import Adam

log = logging.getLogger("st3d")


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
