"""A training run on disk: its identity, whether it is finished, its epochs; a killed run resumes after the last one."""

import contextlib
import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from st3d.formats.atomic import locked, write_csv
from st3d.formats.checkpoints import load, save
from st3d.formats.provenance import FORMAT, digest, provenance, sha256
from st3d.training.device import choose_device, set_threads
from st3d.training.memory import Memory
from st3d.training.optimizer import Adam
from st3d.training.progress_bar import progress_bar
from st3d.training.settings import Machine, Schedule, factor

log = logging.getLogger("st3d")
T = TypeVar("T")


def run_hash(settings: Mapping[str, Any], inputs: Sequence[Path], code: str) -> str:
    """The identity of a training run: a resume file is only read by the run that wrote it.

    Parameters
    ----------
    settings
        All numbers that decide the result, by name.
    inputs
        All files that decide it, by their content.
    code
        Fingerprint of the stage's source.

    Returns
    -------
    64 hexadecimal digits
    """
    return digest({"settings": settings, "inputs": [sha256(path) for path in inputs], "code": code})


@contextlib.contextmanager
def training_run(
    result: Path,
    curves: Sequence[Path],
    kind: str,
    *,
    settings: Mapping[str, Any],
    inputs: Sequence[Path],
    machine: Machine,
    code: str,
    cache_gb: float = 0.0,
) -> Iterator["TrainingRun"]:
    """Set up a job's threads and device, and hold the lock on its result.

    Parameters
    ----------
    result
        The model to write; the lock and the resume files lie beside it.
    curves
        CSVs of losses per epoch to write, one per network that is trained by itself.
    kind
        teacher, student, extractor or baseline; kept with the model.
    settings
        All numbers that decide the result, by name.
    inputs
        All files that decide it.
    machine
        Device and threads.
    code
        Fingerprint of the stage's source.
    cache_gb
        Memory that may hold the inputs, GB; it changes no result.

    Yields
    ------
    TrainingRun

    Raises
    ------
    ValueError
        If `machine` asks for a GPU and there is none, or for no thread.
    """
    set_threads(machine.threads)
    device = choose_device(machine.device)
    if device.type == "cuda":
        log.info("trains on %s", torch.cuda.get_device_name(device))  # read by st3d.evaluation.job_logs
    run = run_hash({**settings, "device": device.type}, inputs, code)
    with locked(result.with_suffix(".lock")):
        content = provenance(settings, code) | {"kind": kind, "run": run}
        yield TrainingRun(result, tuple(curves), content, device, Memory(cache_gb, device))


class TrainingRun:
    """One training on one device.

    Attributes
    ----------
    device
        Where it runs.
    memory
        What may hold its inputs.
    finished
        Whether the result is there already: an orphaned job may have ended it before its successor.
    """

    def __init__(
        self, result: Path, curves: Sequence[Path], content: Mapping[str, Any], device: torch.device, memory: Memory
    ) -> None:
        self.device, self.memory = device, memory
        self.result, self.identity, self._content = result, content["run"], content
        self.curves: dict[Path, Progress | None] = dict.fromkeys(curves)
        self.finished = self._is_finished()
        if self.finished:
            log.info("%s is already there", result)

    def save(self, **content: Any) -> None:
        """Write the curves and the model, and delete the resume files.

        Parameters
        ----------
        content
            The model's weights and dimensions, by name; the run's provenance is added.
        """
        for curve, progress in self.curves.items():
            write_csv(curve, progress.history if progress else [], ["epoch", "train", "validation"])
        save(self.result, {**self._content, **content})
        for progress in filter(None, self.curves.values()):
            progress.path.unlink(missing_ok=True)

    def _is_finished(self) -> bool:
        if not all(path.exists() for path in (self.result, *self.curves)):
            return False
        try:
            return load(self.result, self._content["kind"])["run"] == self.identity
        except ValueError:
            return False


@dataclass
class Epoch:
    """One epoch of a training.

    Attributes
    ----------
    number
        From 1.
    train, validation
        Losses, () tensors, that the stage's loop appends, one per step.
    """

    number: int
    train: list[Tensor] = field(default_factory=list)
    validation: list[Tensor] = field(default_factory=list)

    def shown(self, items: Iterable[T], total: int) -> Iterable[T]:
        """The items, used one at a time, with a progress bar of this epoch on a terminal; `total` is their number."""
        return progress_bar(items, f"epoch {self.number}", total)


class Progress:
    """The epochs of a training that are left; iterating gives each, and saves the state after it.

    Random streams are seeded by epoch, so the state is the weights, the optimizers', the best epoch and the losses.

    Parameters
    ----------
    run
        The run that this training belongs to.
    curve
        The one of the run's CSVs that gets its losses.
    network
        The network to keep, at its best epoch; None keeps none, the last epoch counts.
    trained
        All that is trained, the network included.
    optimizers
        Of `trained`.
    epochs
        How many there will be, unless `patience` ends it.
    schedule
        Of the learning rate, see `factor`.
    patience
        Epochs in a row without a better validation loss after which it ends; 0: never.
    name
        Tells apart the resume files of one run, such as ".gan".
    constant_loss
        Validation loss of a constant prediction; a warning is logged where the best one is not below it.
    """

    def __init__(
        self,
        run: TrainingRun,
        curve: Path,
        network: nn.Module | None,
        trained: nn.Module,
        optimizers: Sequence[Adam],
        epochs: int,
        *,
        schedule: Schedule = "constant",
        patience: int = 0,
        name: str = "",
        constant_loss: float | None = None,
    ) -> None:
        self.path, self._run = run.result.with_suffix(f"{name}.checkpoint"), run.identity
        self._network, self._trained, self._optimizers = network, trained, optimizers
        self._epochs, self._constant_loss = epochs, constant_loss
        self._schedule, self._patience = schedule, patience
        run.curves[curve] = self
        self.history: list[dict[str, float]] = []
        self.best_weights = _on_cpu(network)
        self._best = math.inf
        state = self._read()
        if state:
            trained.load_state_dict(state["weights"])
            for optimizer, found in zip(optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(found)
            self._best, self.best_weights, self.history = state["best"], state["best_weights"], state["history"]

    def __iter__(self) -> Iterator[Epoch]:
        for number in range(len(self.history) + 1, self._epochs + 1):
            if self._has_ended():
                log.info("no better validation loss in %d epochs: training ends", self._patience)
                break
            for optimizer in self._optimizers:
                optimizer.factor = factor(self._schedule, number, self._epochs)
            started, epoch = time.monotonic(), Epoch(number)
            yield epoch
            self.end_epoch(epoch, time.monotonic() - started)
        if self._constant_loss is not None and not self._best < self._constant_loss:
            log.warning(
                "%s: expected a validation loss below %g, that of a constant prediction, found %.5g: not converged",
                *(self.path.with_suffix(""), self._constant_loss, self._best),
            )

    def end_epoch(self, epoch: Epoch, seconds: float) -> None:
        """Log the mean losses of the epoch's steps and of its validation, and save the state.

        Parameters
        ----------
        epoch
            With one loss or more of each kind.
        seconds
            That it took, for the log.

        Raises
        ------
        ValueError
            If a mean loss is not finite.
        """
        train, validation = (float(torch.stack(losses).double().mean()) for losses in (epoch.train, epoch.validation))
        if not math.isfinite(train + validation):
            raise ValueError(
                f"{self.path}: expected finite losses, found {train} and {validation}, epoch {epoch.number}"
            )
        self.history.append({"epoch": epoch.number, "train": train, "validation": validation})
        if validation < self._best:
            self._best, self.best_weights = validation, _on_cpu(self._network)
        log.info(
            "epoch %d/%d train %.5g valid %.5g best %.5g %.1f s, %.0f s left",
            *(epoch.number, self._epochs, train, validation, self._best),
            *(seconds, seconds * (self._epochs - epoch.number)),
        )
        state = {"kind": "progress", "format": FORMAT, "run": self._run, "history": self.history}
        state |= {"best": self._best, "best_weights": self.best_weights}
        state |= {"optimizers": [optimizer.state_dict() for optimizer in self._optimizers]}
        save(self.path, state | {"weights": self._trained.state_dict()})

    def _has_ended(self) -> bool:
        """Whether patience is at its end; it follows from the history alone, so that a resumed run decides alike."""
        losses = [each["validation"] for each in self.history]
        return bool(losses) and 0 < self._patience <= len(losses) - 1 - losses.index(min(losses))

    def _read(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        try:
            state = load(self.path, "progress")
        except ValueError as error:
            log.warning("%s; starting from the first epoch", error)
            return None
        if state["run"] != self._run:
            reason = "another run left it (other settings, inputs or code)"
            log.info("%s: %s; starting from the first epoch", self.path, reason)
            return None
        log.info("%s: resuming after epoch %d", self.path, len(state["history"]))
        return state


def _on_cpu(module: nn.Module | None) -> dict[str, Tensor]:
    state = module.state_dict() if module is not None else {}
    return {name: value.detach().cpu().clone() for name, value in state.items()}
