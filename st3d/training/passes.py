"""One pass over what a network is shown: with a step for each item, or without any."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn

from st3d.training.optimizer import Adam

T = TypeVar("T")


def trained(network: nn.Module, optimizer: Adam, items: Iterable[T], loss_of: Callable[[T], Tensor]) -> list[Tensor]:
    """A step per item, and its loss; batch normalisation by the item's own statistics."""
    network.train()
    losses = []
    for item in items:
        optimizer.zero_grad()
        loss = loss_of(item)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses


@torch.no_grad()
def validated(network: nn.Module, items: Iterable[T], loss_of: Callable[[T], Tensor]) -> list[Tensor]:
    """The loss of each item, by the running statistics."""
    network.eval()
    return [loss_of(item) for item in items]
