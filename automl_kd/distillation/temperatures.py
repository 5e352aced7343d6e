"""Temperatures: scheduled, one for each sample by the teacher's entropy, or learned against the student."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl_kd.core import Meaning
from automl_kd.distillation import schedules
from automl_kd.recipes.schedules import EntropyTemperature, LearnedTemperature, Temperature


def at(
    spec: Temperature, progress: float, teacher: Tensor | None, learned: nn.Module | None, meaning: Meaning
) -> float | Tensor:
    """The temperature of a loss at ``progress`` in [0, 1].

    Args:
        spec: The temperature in the recipe.
        progress: The share of the schedule that is done.
        teacher: The teacher's logits (B, C), which a temperature by entropy reads.
        learned: The module that :func:`module` made.
        meaning: What the logits are.

    Returns:
        A number; a scalar tensor that takes a gradient where it is learned; (B,) where every sample has its own.
    """
    match spec:
        case EntropyTemperature():
            if teacher is None:
                return (spec.low + spec.high) / 2
            return by_entropy(teacher, meaning, low=spec.low, high=spec.high)
        case LearnedTemperature():
            assert isinstance(learned, AdversarialTemperature)
            value: Tensor = learned(progress)
            return value
        case _:
            return schedules.number(spec, progress)


def module(spec: Temperature | None) -> nn.Module | None:
    """A fresh module for a temperature that is learned; None for any other."""
    return AdversarialTemperature(spec) if isinstance(spec, LearnedTemperature) else None


def by_entropy(teacher: Tensor, meaning: Meaning, *, low: float, high: float) -> Tensor:
    """A temperature for every sample, linear in the teacher's entropy as a share of its maximum.

    Where the teacher is sure, the temperature is higher, because a sure teacher says little of what else it may be.

    Args:
        teacher: Logits (B, C).
        meaning: What they are. Of C classes the maximum is log C; of C labels it is log 2 each, and their mean counts.
        low: Where the teacher knows nothing.
        high: Where it is sure.

    Returns:
        Temperatures (B,).
    """
    if meaning == "bernoulli":
        each = functional.binary_cross_entropy_with_logits(teacher.float(), teacher.float().sigmoid(), reduction="none")
        return high + (low - high) * each.mean(dim=1) / math.log(2)
    log_q = teacher.float().log_softmax(dim=1)
    entropy = -(log_q.exp() * log_q).sum(dim=1) / math.log(max(2, teacher.shape[1]))
    return high + (low - high) * entropy


class AdversarialTemperature(nn.Module):
    """A global temperature that ascends the loss (Li et al. 2023, arXiv:2211.16231): low + (high - low)·sigmoid(θ).

    The gradient of θ is reversed and multiplied by a strength that grows from 0 to 1 by half a cosine.
    """

    def __init__(self, spec: LearnedTemperature) -> None:
        super().__init__()
        share = (spec.start - spec.low) / (spec.high - spec.low)
        self.logit = nn.Parameter(torch.tensor(math.log(share / (1 - share))))
        self._low, self._high, self._full = spec.low, spec.high, spec.full

    def forward(self, progress: float) -> Tensor:
        """The temperature, a scalar, at ``progress`` in [0, 1]."""
        strength = (1 - math.cos(math.pi * min(1.0, progress / self._full))) / 2
        reversed_logit: Tensor = _Reverse.apply(self.logit, strength)  # type: ignore[no-untyped-call]
        return self._low + (self._high - self._low) * reversed_logit.sigmoid()


class _Reverse(torch.autograd.Function):
    """The identity, whose gradient is multiplied by minus a strength (Ganin & Lempitsky 2015, arXiv:1409.7495)."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None
