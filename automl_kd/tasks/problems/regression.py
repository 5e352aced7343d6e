"""One number, or several, for each example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import Meaning, Output, whole
from automl_kd.tasks.labels import Labels
from automl_kd.tasks.problems.numbers import numbers
from automl_kd.tasks.problems.precision import wide
from automl_kd.tasks.problems.problem import Problem, ReadLabels
from automl_kd.tasks.problems.registry import PROBLEMS
from automl_kd.tasks.reading import Found

_GROUPS, _GROUP = 10, 20  # quantile bins of a stratified draw, and the fewest examples in one
_FEW_VALUES, _MANY = 10, 50  # so few distinct values among so many examples look like classes
_FAR = 10.0  # interquartile ranges beyond the quartiles


@dataclass(frozen=True)
class Regression(Problem):
    """Labels (N, D) float32; outputs are values (N, D) in the labels' unit.

    Attributes:
        names: One a value.
        mean: Of the training labels, one a value; empty before they are known.
        std: Their standard deviation.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    _placed: dict[torch.device, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    name: ClassVar[str] = "regression"
    meaning: ClassVar[Meaning] = "real"

    @classmethod
    def read(cls, stored: Mapping[str, Labels]) -> ReadLabels:
        """Numbers (N,) or (N, D), or cells that spell them."""
        names, labels = numbers(stored)
        return ReadLabels(cls(names), labels)

    def fitted(self, labels: Tensor) -> Regression:
        values = labels.double().numpy()
        mean, std = (tuple(float(f"{each:.6g}") for each in of(values, axis=0)) for of in (np.mean, np.std))
        return replace(self, mean=mean, std=tuple(each or 1.0 for each in std))

    @property
    def output(self) -> Output:
        return Output("values", len(self.names), "real", self.mean, self.std)

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The squared error in units of the labels' standard deviation, mean over the values."""
        return self._squares(outputs, targets).mean(dim=1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self._squares(outputs, targets).mean()

    def blendable(self, labels: Tensor) -> Tensor:
        return labels.float()

    def mean_of_members(self, outputs: Tensor) -> Tensor:
        return outputs.double().mean(dim=1)

    def constant_answer(self, labels: Tensor) -> Tensor:
        """Their mean."""
        return labels.double().mean(dim=0).float()

    def strata(self, labels: Tensor) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Quantile bins of the first value, so that small splits are alike."""
        ranks = np.argsort(np.argsort(labels[:, 0].numpy(), kind="stable"), kind="stable")
        bins = max(1, min(_GROUPS, len(labels) // _GROUP))
        return (ranks * bins // max(1, len(labels))).astype(np.int64), ()

    def identity(self) -> dict[str, Any]:
        return {"problem": {"type": self.name, "names": self.names, "mean": self.mean, "std": self.std}}

    @property
    def words(self) -> str:
        return f"with a value each ({self.names[0]})" if len(self.names) == 1 else f"with {len(self.names)} values each"

    def counts(self, labels: Tensor) -> tuple[int, ...]:
        return (len(labels),) * len(self.names)

    def told(self, labels: Tensor) -> str:
        each = [
            f"{name} {_number(low)} to {_number(high)}, half from {_number(first)} to {_number(third)}, median"
            f" {_number(median)}"
            for name, (low, first, median, third, high) in zip(self.names, _quartiles(labels), strict=True)
        ]
        more = f"; … {len(each) - 3} more values" if len(each) > 3 else ""
        return f"{whole(len(labels))} ({'; '.join(each[:3])}{more})"

    def shown(self, label: Tensor) -> str:
        return ", ".join(map(_number, label.tolist()))

    def odd(self, labels: Mapping[str, Tensor], found: Found, noun: str) -> tuple[str, ...]:
        return tuple(
            line for column, name in enumerate(self.names) for line in self._odd(name, labels["train"][:, column], noun)
        )

    def refusal(self, labels: Tensor, noun: str) -> str | None:
        for name, column in zip(self.names, labels.T, strict=True):
            if bool((column == column[0]).all()):
                value = f"{name} is {_number(float(column[0]))} in all {len(labels)} training {noun}s"
                return f"{value}, so nothing can be learned of it; leave it out"
        return None

    def _odd(self, name: str, values: Tensor, noun: str) -> Iterator[str]:
        distinct = len(np.unique(values.numpy()))
        if distinct <= _FEW_VALUES and len(values) >= _MANY and bool((values == values.round()).all()):
            yield (
                f"{name} has {distinct} distinct values in {len(values)} training {noun}s, which looks like classes;"
                " where their order means nothing, say problem: multiclass"
            )
            return
        _, first, _, third, _ = _quartiles(values[:, None])[0]
        reach = _FAR * (third - first)
        far = ((values < first - reach) | (values > third + reach)).nonzero().flatten()
        if len(far) and reach > 0:
            worst = int(far[(values[far] - values.median()).abs().argmax()])
            yield (
                f"{name} is far from all others in {len(far)} of {len(values)} training {noun}s, up to"
                f" {_number(float(values[worst]))}: such errors outweigh all others; look at them, or store logarithms"
            )

    def _squares(self, outputs: Tensor, targets: Tensor) -> Tensor:
        outputs = wide(outputs)
        # Made once for each device, because a copy to a GPU waits for all that the GPU still has to do.
        if outputs.device not in self._placed:
            self._placed[outputs.device] = torch.tensor(self.std or [1.0] * len(self.names), device=outputs.device)
        squares: Tensor = ((outputs - targets) / self._placed[outputs.device]) ** 2
        return squares


def _quartiles(labels: Tensor) -> list[tuple[float, ...]]:
    return [tuple(each) for each in np.quantile(labels.double().numpy(), (0, 0.25, 0.5, 0.75, 1), axis=0).T.tolist()]


def _number(value: float) -> str:
    return f"{value:.4g}"


PROBLEMS.add("regression", Regression)
