"""The unit of the weights: what a loss is multiplied by so that its weight is in units of the task loss's pull."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from automl_kd.distillation.probe import FIRST, Pull

_LARGEST_CHANGE = math.log(4)


class GradientBalance:
    """Scales that give every loss, at weight 1, the gradient norm of the task's loss on the weights that both reach.

    The idea of GradNorm (Chen et al. 2018, arXiv:1711.02257) without its learning: the ratio of the norms is measured.
    While a loss is new its scale is the geometric mean of the ratios so far; later ones count by half, and change it
    fourfold at most, since a loss that is nearly solved has a gradient near 0 which no scale should bring back.
    """

    def __init__(self) -> None:
        self._logs: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def wants(self, names: Iterable[str]) -> bool:
        """Whether some of these losses was measured fewer times than its scale needs."""
        return any(self._counts.get(name, 0) < FIRST for name in names)

    def learn(self, found: Mapping[str, Pull]) -> None:
        """Take in what a step's losses pull."""
        for name, pull in found.items():
            count = self._counts.get(name, 0)
            self._counts[name] = count + 1
            ratio = pull.task / pull.norm if pull.norm > 0 else 0.0
            if name == "task" or not (0 < ratio < math.inf):
                continue
            log = math.log(ratio)
            if name not in self._logs:
                self._logs[name] = log
            elif count < FIRST:
                self._logs[name] += (log - self._logs[name]) / (count + 1)
            else:
                step = (log - self._logs[name]) / 2
                self._logs[name] += max(-_LARGEST_CHANGE, min(_LARGEST_CHANGE, step))

    def scale(self, name: str) -> float:
        """What a loss is multiplied by, beside its weight; 1 until it is measured."""
        return math.exp(self._logs.get(name, 0.0))

    def state_dict(self) -> dict[str, dict[str, float]]:
        """What a checkpoint keeps."""
        return {"logs": dict(self._logs), "counts": {name: float(count) for name, count in self._counts.items()}}

    def load_state_dict(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Take up what :meth:`state_dict` gave."""
        self._logs = dict(state["logs"])
        self._counts = {name: int(count) for name, count in state["counts"].items()}


class UncertaintyBalance(nn.Module):
    """Learned weights (Kendall et al. 2018, arXiv:1705.07115): Σ exp(-s_k) w_k L_k + s_k / 2, with s_k a log variance.

    Args:
        names: The losses.
    """

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        self.log_variances = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in names})

    def forward(self, name: str, weighted: Tensor) -> Tensor:
        """The part of the total, a scalar, that a loss times its weight contributes."""
        s = self.log_variances[name]
        total: Tensor = torch.exp(-s) * weighted + s / 2
        return total
