"""Adam's state off the device: the step is done on the CPU, and the device holds weights and gradients alone.

torchao 0.18's CPUOffloadOptimizer is not used: clipping would meet gradients that are still on their way to the CPU,
each weight is a group of its own, schedules find no `defaults` to ask, and without a GPU it cannot even be made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

Groups = list[dict[str, Any]]


class OffloadedOptimizer(Optimizer):
    """An optimizer that works on copies of the weights in the CPU's memory: 8 bytes a weight on the device, not 16.

    Its groups hold the weights on the device, so schedules, clipping and the scaling of fp16 are as ever. Its state is
    that of the optimizer inside, so a checkpoint does not say where the state was.
    """

    def __init__(self, groups: Groups, make: Callable[[Groups], Optimizer]) -> None:
        super().__init__(groups, {})
        copied = [[_on_cpu(weight) for weight in group["params"]] for group in self.param_groups]
        self._inside = make(
            [{**group, "params": copies} for group, copies in zip(self.param_groups, copied, strict=True)]
        )
        self.defaults = self._inside.defaults  # which some schedules ask
        self._copies = [copy for copies in copied for copy in copies]
        self._gradients = [_on_cpu(copy) for copy in self._copies]
        self._behind = False  # the weights have been set from elsewhere
        for group, inside in self._groups():
            group.update({name: value for name, value in inside.items() if name not in group})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # noqa: ANN401 - the loss
        """Gradients to the CPU, the step there, the weights back."""
        with torch.enable_grad():
            loss = closure() if closure is not None else None
        weights = [weight for group in self.param_groups for weight in group["params"]]
        for weight, copy, gradient in zip(weights, self._copies, self._gradients, strict=True):
            copy.grad = None if weight.grad is None else gradient.copy_(weight.grad, non_blocking=True)
            if self._behind:
                copy.copy_(weight, non_blocking=True)
        if weights[0].device.type != "cpu":
            torch.accelerator.synchronize(weights[0].device)  # until they have arrived
        self._behind = False
        self._tell()
        self._inside.step()
        for weight, copy in zip(weights, self._copies, strict=True):
            weight.copy_(copy, non_blocking=True)  # whatever the device is given next comes after it
        return loss

    def state_dict(self) -> dict[str, Any]:
        """That of the optimizer inside."""
        self._tell()
        return self._inside.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there, with the weights that the model has at the next step."""
        self._inside.load_state_dict(state_dict)
        for group, inside in self._groups():
            group.update({name: inside[name] for name in group.keys() & inside.keys() - {"params"}})
        self._behind = True

    def _tell(self) -> None:
        """What a schedule has set, to the optimizer inside."""
        for group, inside in self._groups():
            inside.update({name: value for name, value in group.items() if name != "params"})

    def _groups(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        return list(zip(self.param_groups, self._inside.param_groups, strict=True))


def _on_cpu(tensor: Tensor) -> Tensor:
    """A copy in the CPU's memory, pinned where a GPU reads and writes it."""
    return torch.empty_like(tensor, device="cpu", pin_memory=torch.cuda.is_available()).copy_(tensor.detach())
