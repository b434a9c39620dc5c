"""The epochs of a training: the learning rate's schedule, and an end before the last one."""

import pytest
import torch

from st3d.training.optimizer import Adam
from st3d.training.run import Progress, training_run
from st3d.training.settings import Machine


def trained(path, losses, *, epochs=None, killed_after=None, **options):
    """Epochs that had these validation losses, the factors of their learning rates, and the weights that were kept."""
    path.mkdir(exist_ok=True)
    network, factors = torch.nn.Linear(1, 1), []
    optimizer = Adam(network.parameters(), 0.1, 0.0)
    machine = Machine(device="cpu", threads=1)
    with training_run(
        path / "model.pt", [path / "loss.csv"], "student", settings={}, inputs=[], machine=machine, code="c"
    ) as run:
        progress = Progress(run, path / "loss.csv", network, network, [optimizer], epochs or len(losses), **options)
        for epoch in progress:
            factors.append(optimizer.factor)
            torch.nn.init.constant_(network.weight, epoch.number)
            epoch.train.append(torch.tensor(1.0))
            epoch.validation.append(torch.tensor(losses[epoch.number - 1]))
            if epoch.number == killed_after:
                progress.end_epoch(epoch, 0.0)
                break
    return [each["epoch"] for each in progress.history], factors, float(progress.best_weights["weight"])


def test_training_ends_once_patience_is_over_and_keeps_the_best_epoch(tmp_path):
    losses = [5.0, 3.0, 4.0, 2.0, 2.5, 2.0, 2.2, 1.0]  # an equal loss is no better one
    assert trained(tmp_path / "a", losses, patience=3)[::2] == ([1, 2, 3, 4, 5, 6, 7], 4.0)
    assert trained(tmp_path / "b", losses, patience=4)[::2] == ([*range(1, 9)], 8.0)
    assert trained(tmp_path / "c", losses, patience=0)[::2] == ([*range(1, 9)], 8.0)


@pytest.mark.parametrize("killed_after", [1, 4, 6, 7])
def test_a_resumed_training_ends_where_an_uninterrupted_one_ends(tmp_path, killed_after):
    losses = [5.0, 3.0, 4.0, 2.0, 2.5, 2.0, 2.2, 1.0]
    trained(tmp_path / "a", losses, patience=3, killed_after=killed_after)
    assert trained(tmp_path / "a", losses, patience=3)[::2] == ([1, 2, 3, 4, 5, 6, 7], 4.0)


def test_a_cosine_falls_from_the_learning_rate_to_none_and_a_constant_stays(tmp_path):
    _, factors, _ = trained(tmp_path / "a", [1.0] * 4, schedule="cosine")
    assert factors == pytest.approx([1, 0.8535534, 0.5, 0.1464466])
    assert trained(tmp_path / "b", [1.0] * 3)[1] == [1, 1, 1]


def test_a_factor_scales_what_a_step_moves():
    weights = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
    for weight, factor in zip(weights, (1.0, 0.25), strict=True):
        optimizer = Adam([weight], 0.1, 0.0)
        optimizer.factor = factor
        weight.sum().backward()
        optimizer.step()
    assert torch.allclose(1 - weights[1], 0.25 * (1 - weights[0]), rtol=1e-5)
