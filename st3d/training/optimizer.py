"""Adam, on all parameters at once.

torch.optim's own costs more than a small network's step: a dozen operations per parameter, and 1.4 s to import its
compiler at the first use, in each of some hundred jobs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

EPSILON = 1e-8


class Adam:
    """Adam (Kingma and Ba, 2015) with an L2 penalty, as torch.optim.Adam defines it.

    The parameters become views of one buffer, their gradients of another.

    Parameters
    ----------
    parameters : float32, all on one device; afterwards neither they nor their `grad` may be replaced
    learning_rate : step size
    weight_decay : L2 penalty, added to the gradient
    decays : of the running means of the gradient and of its square
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        weight_decay: float,
        decays: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        self._first_decay, self._second_decay = decays
        self._parameters = parameters = list(parameters)
        self._learning_rate, self._weight_decay, self._steps = learning_rate, weight_decay, 0
        with torch.no_grad():
            self._values = torch.cat([parameter.reshape(-1) for parameter in parameters])
        self._gradient, self._mean, self._square = (torch.zeros_like(self._values) for _ in range(3))
        start = 0
        for parameter in parameters:
            place = slice(start, start + parameter.numel())
            parameter.data = self._values[place].view_as(parameter)
            parameter.grad = self._gradient[place].view_as(parameter)
            start = place.stop

    def zero_grad(self) -> None:
        """Forget the gradients; before each backward pass."""
        self._gradient.zero_()

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters by their gradients."""
        last = self._parameters[-1].grad  # a module's own zero_grad would have dropped it
        assert last is not None and last.untyped_storage().data_ptr() == self._gradient.untyped_storage().data_ptr()
        self._steps += 1
        gradient = self._gradient.add(self._values, alpha=self._weight_decay)
        self._mean.lerp_(gradient, 1 - self._first_decay)
        self._square.mul_(self._second_decay).addcmul_(gradient, gradient, value=1 - self._second_decay)
        first, second = 1 - self._first_decay**self._steps, 1 - self._second_decay**self._steps
        root = self._square.sqrt().div_(second**0.5).add_(EPSILON)
        self._values.addcdiv_(self._mean, root, value=-self._learning_rate / first)

    def state_dict(self) -> dict[str, Any]:
        """All that a later `load_state_dict` needs to go on."""
        return {"steps": self._steps, "mean": self._mean, "square": self._square}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken; the parameters' values are the module's own to restore."""
        self._steps = state["steps"]
        self._mean.copy_(state["mean"])
        self._square.copy_(state["square"])
