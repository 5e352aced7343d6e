"""The pull of each loss: its gradient on the weights that it shares with the task loss, measured at few steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

FIRST = 4
"""How often a loss is measured as soon as it begins."""
_PARTS = 16
_LEAST_PERIOD = 50


@dataclass(frozen=True)
class Pull:
    """The gradient of one loss on the trunk: all weights of the student that it reaches, except the head's.

    Attributes:
        norm: L2 norm of its gradient there.
        task: L2 norm of the task loss's gradient on the same weights; NaN where there is no task loss at this step.
        cosine: Of the angle between the two; NaN where either is 0 or missing.
    """

    norm: float
    task: float
    cosine: float


def is_due(step: int, total_steps: int) -> bool:
    """Whether all losses are measured again at this step: sixteen times a run, and at most every fiftieth step."""
    return step % max(_LEAST_PERIOD, total_steps // _PARTS) == 0


def pulls(losses: Mapping[str, Tensor], trunk: Sequence[nn.Parameter]) -> dict[str, Pull]:
    """The pulls of losses, measured by one backward pass each; the graph is kept. Waits for the device once.

    Args:
        losses: Unweighted losses by name, scalars with a graph; the others are compared with ``task`` among them.
        trunk: The weights.
    """
    gradients = {
        name: torch.autograd.grad(loss, trunk, retain_graph=True, allow_unused=True)
        for name, loss in losses.items()
        if loss.requires_grad
    }
    reference = gradients.get("task")
    rows = []
    for each in gradients.values():
        nothing = torch.zeros((), device=trunk[0].device)
        norm, task, dot = nothing, nothing, nothing
        for index, gradient in enumerate(each):
            if gradient is None:
                continue
            norm = norm + gradient.square().sum()
            other = None if reference is None else reference[index]
            if other is not None:
                task, dot = task + other.square().sum(), dot + (gradient * other).sum()
        rows.append(torch.stack([norm, task, dot]))
    read = torch.stack(rows).double().tolist() if rows else []
    found = {name: Pull(0.0, math.nan, math.nan) for name in losses}
    for name, (norm, task, dot) in zip(gradients, read, strict=True):
        both = math.sqrt(norm * task) if reference is not None else 0.0
        found[name] = Pull(
            math.sqrt(norm), math.sqrt(task) if reference is not None else math.nan, dot / both if both else math.nan
        )
    return found
