"""One class of several for each example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from automl_kd.core import Meaning, Output
from automl_kd.tasks.metrics import Metric, metric_named, metrics_of
from automl_kd.tasks.problems.problem import Problem


@dataclass(frozen=True)
class Multiclass(Problem):
    """Labels (N,) int64, the number of a class; outputs are logits (N, classes)."""

    names: tuple[str, ...]
    name: ClassVar[str] = "multiclass"
    meaning: ClassVar[Meaning] = "categorical"

    @property
    def output(self) -> Output:
        return Output("logits", len(self.names), "categorical")

    def metrics(self) -> tuple[Metric, ...]:
        return metrics_of("multiclass", len(self.names))

    def metric_named(self, name: str) -> Metric:
        return metric_named(name, "multiclass", len(self.names))

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy in nats; ``targets`` are classes (N,), or distributions (N, classes)."""
        return functional.cross_entropy(_wide(outputs), targets, reduction="none")

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(_wide(outputs), targets)

    def blendable(self, labels: Tensor) -> Tensor:
        return functional.one_hot(labels, len(self.names)).float()

    def mean_of_members(self, outputs: Tensor) -> Tensor:
        """The logarithm of the mean of their probabilities."""
        mean = outputs.softmax(dim=2).mean(dim=1)
        # In float64 the logarithm keeps the order of any two float32. A probability that underflowed has a finite one.
        return mean.clamp(min=torch.finfo(mean.dtype).tiny).double().log()

    def strata(self, labels: Tensor) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        return labels.numpy(), self.names


def _wide(outputs: Tensor) -> Tensor:
    return outputs if outputs.dtype in (torch.float32, torch.float64) else outputs.float()
