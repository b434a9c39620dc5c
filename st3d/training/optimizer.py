"""Adam by torch's fused kernel; the classes of torch.optim import a compiler, 2 s in each of many short jobs."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim.adam import adam

EPSILON = 1e-8


class Adam:
    """Adam (Kingma and Ba, 2015) with an L2 penalty, as torch.optim.Adam defines it.

    Parameters
    ----------
    parameters
        float32, all on one device.
    learning_rate
        Learning rate.
    weight_decay
        L2 penalty, added to the gradient.
    decays
        Of the running means of the gradient and of its square, in [0, 1).

    Attributes
    ----------
    factor
        Of the learning rate from now on; a schedule sets it.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        weight_decay: float,
        decays: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        self._parameters: list[torch.Tensor] = list(parameters)
        self._learning_rate, self._weight_decay, self._decays = learning_rate, weight_decay, decays
        self.factor = 1.0
        self._means, self._squares = ([torch.zeros_like(each) for each in self._parameters] for _ in range(2))
        self._steps = [torch.zeros((), device=each.device) for each in self._parameters]

    def zero_grad(self) -> None:
        """Forget the gradients; before each backward pass."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters by their gradients; all have one."""
        gradients = [each.grad for each in self._parameters if each.grad is not None]
        adam(
            *(self._parameters, gradients, self._means, self._squares, [], self._steps),
            fused=True,
            amsgrad=False,
            beta1=self._decays[0],
            beta2=self._decays[1],
            lr=self._learning_rate * self.factor,
            weight_decay=self._weight_decay,
            eps=EPSILON,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """All that a later `load_state_dict` needs to go on."""
        return {"means": self._means, "squares": self._squares, "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken; the parameters' values are the module's own to restore.

        Parameters
        ----------
        state
            What `state_dict` returned, for parameters of the same shapes in the same order.
        """
        for name in ("means", "squares", "steps"):
            for own, found in zip(getattr(self, f"_{name}"), state[name], strict=True):
                own.copy_(found)
