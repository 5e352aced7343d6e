"""The balance of the losses: factors that give the recipe's weights a common unit, measured or learned."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from automl_kd.distillation.probe import FIRST, Pull

_LARGEST_CHANGE = math.log(4)
_ATTEMPTS = 16
"""How often a new loss is measured at most for its first ratios, because some measurements give no ratio."""
_MOST = 5.0


class GradientBalance:
    """Scales that give every loss, at weight 1, the gradient norm of the task's loss on the weights that both reach.

    The idea of GradNorm (Chen et al. 2018, arXiv:1711.02257) without its learning: the ratio of the norms is measured.
    While a loss is new, its scale is the geometric mean of the ratios so far. Later ratios count by half and change the
    scale fourfold at most, because a loss that is nearly solved has a gradient near 0 which no scale should restore.
    """

    def __init__(self) -> None:
        self._logs: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._attempts: dict[str, int] = {}

    def wants(self, names: Iterable[str]) -> bool:
        """Whether some of these losses needs more measurements for its scale."""
        return any(
            self._counts.get(name, 0) < FIRST and self._attempts.get(name, 0) < _ATTEMPTS
            for name in names
            if name != "task"
        )

    def learn(self, found: Mapping[str, Pull]) -> None:
        """Update the scales by the pulls of one step."""
        for name, pull in found.items():
            if name == "task":
                continue
            self._attempts[name] = self._attempts.get(name, 0) + 1
            ratio = pull.task / pull.norm if pull.norm > 0 else 0.0
            if not (0 < ratio < math.inf):
                continue
            count = self._counts.get(name, 0)
            self._counts[name] = count + 1
            log = math.log(ratio)
            if name not in self._logs:
                self._logs[name] = log
            elif count < FIRST:
                self._logs[name] += (log - self._logs[name]) / (count + 1)
            else:
                step = (log - self._logs[name]) / 2
                self._logs[name] += max(-_LARGEST_CHANGE, min(_LARGEST_CHANGE, step))

    def scale(self, name: str) -> float:
        """The factor of a loss beside its weight; 1 until the loss is measured."""
        return math.exp(self._logs.get(name, 0.0))

    def state_dict(self) -> dict[str, dict[str, float]]:
        """The state that a checkpoint keeps."""
        return {
            "logs": dict(self._logs),
            "counts": {name: float(count) for name, count in self._counts.items()},
            "attempts": {name: float(count) for name, count in self._attempts.items()},
        }

    def load_state_dict(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Restore what :meth:`state_dict` gave."""
        self._logs = dict(state["logs"])
        self._counts = {name: int(count) for name, count in state["counts"].items()}
        self._attempts = {name: int(count) for name, count in state["attempts"].items()}


class UncertaintyBalance(nn.Module):
    """Learned weights (Kendall et al. 2018, arXiv:1705.07115): exp(-s) L + s / 2 for each loss, with s a log variance.

    It is bounded, s = 5 tanh(θ / 5): the paper's form has no minimum for a loss that is negative or exactly 0, and one
    large step of θ would leave a loss without weight for good. What the recipe weighs a loss by multiplies both parts,
    so that weights and schedules keep their meaning.

    Args:
        names: The losses.
    """

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        self._positions = {name: position for position, name in enumerate(names)}
        self.log_variances = nn.Parameter(torch.zeros(len(self._positions)))

    def forward(self, name: str, loss: Tensor) -> Tensor:
        """The part of the total, a scalar, that a loss contributes at weight 1."""
        s = self.log_variance(name)
        return torch.exp(-s) * loss + s / 2

    def log_variance(self, name: str) -> Tensor:
        """S of a loss, a scalar."""
        return _MOST * torch.tanh(self.log_variances[self._positions[name]] / _MOST)
