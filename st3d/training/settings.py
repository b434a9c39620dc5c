"""Settings that several stages share; a stage takes them as groups, its command line as flags of the fields' names."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from st3d.training.device import Device

Schedule = Literal["constant", "cosine"]


@dataclass(frozen=True, kw_only=True)
class GraphSettings:
    """The graphs of the clouds.

    Parameters
    ----------
    points
        n, points of a cloud.
    neighbours
        k, nearest neighbours of a point; the scale is their mean distance.
    """

    points: int
    neighbours: int


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Device and threads of a job; part of the run, since both change the order of summation.

    Parameters
    ----------
    device
        auto, cpu or cuda.
    threads
        CPU threads.
    """

    device: Device
    threads: int


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What every training has.

    Parameters
    ----------
    epochs
        Passes over the training split.
    learning_rate
        Learning rate of Adam.
    seed
        Seed of the initial weights and of all random draws.
    """

    epochs: int
    learning_rate: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class DecayedTrainingSettings(TrainingSettings):
    """A training with weight decay.

    Parameters
    ----------
    weight_decay
        Weight decay (L2 penalty) of Adam.
    """

    weight_decay: float


@dataclass(frozen=True, kw_only=True)
class ScheduledTrainingSettings(DecayedTrainingSettings):
    """A training that may change its learning rate, and may end before its last epoch.

    Parameters
    ----------
    schedule
        Of the learning rate over the epochs: constant, or cosine (falls to 0 along half a cosine).
    patience
        Epochs in a row without a better validation loss after which the training ends; 0: it never ends early.
    """

    schedule: Schedule
    patience: int


def factor(schedule: Schedule, epoch: int, epochs: int) -> float:
    """What the learning rate is multiplied by in an epoch.

    Parameters
    ----------
    schedule
        constant, or cosine: (1 + cos(pi (epoch - 1) / epochs)) / 2.
    epoch
        From 1.
    epochs
        How many there are at most.

    Returns
    -------
    In (0, 1]
    """
    return 1.0 if schedule == "constant" else (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2


def flat(*groups: Any) -> dict[str, Any]:
    """All fields of settings by name, as they are hashed and kept with a result.

    Parameters
    ----------
    groups
        Instances of dataclasses; of two fields of one name the last counts.

    Returns
    -------
    Values by name
    """
    return {name: value for group in groups for name, value in asdict(group).items()}
