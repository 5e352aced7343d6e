"""The conditions that a rule over trials is made of, and how far a trial is from each."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from automl_kd.results.quantities import Quantity
from automl_kd.results.trial import TrialResult

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
"""By how they are written."""
PLAIN_NAME = re.compile(r"[^\W\d][\w.@:/+-]*")
"""A name that needs no quotes."""
_LEAST = 1e-9


class Condition(Protocol):
    """A part of a rule."""

    def holds(self, trial: TrialResult) -> bool:
        """Whether it is true of a trial."""

    def short(self, trial: TrialResult) -> tuple[float, tuple[Comparison, ...]]:
        """How far a trial is from it, 0 where it holds, and which comparisons keep it from holding."""


@dataclass(frozen=True)
class Comparison:
    """One quantity beside one value. Of a trial that has no such value it is never true.

    Attributes:
        quantity: What is compared.
        operator: How.
        value: With what, in the quantity's unit.
    """

    quantity: Quantity
    operator: str
    value: float | str

    def holds(self, trial: TrialResult) -> bool:
        """Whether it is true of a trial."""
        value = self.quantity.of(trial)
        return value is not None and OPERATORS[self.operator](value, self.value)

    def short(self, trial: TrialResult) -> tuple[float, tuple[Comparison, ...]]:
        """How far a trial is from it: points of a share, else relative to the value; a whole one for a wrong word."""
        return (0.0, ()) if self.holds(trial) else (self._distance(self.quantity.of(trial)), (self,))

    def _distance(self, value: float | str | None) -> float:
        if value is None:
            return math.inf
        if isinstance(value, str) or isinstance(self.value, str):
            return 1.0
        apart = abs(value - self.value)
        if self.quantity.unit == "%" or not math.isfinite(apart):
            return apart
        return apart / max(abs(self.value), _LEAST)

    def missed(self, trial: TrialResult) -> str:
        """What a trial has instead: ``latency 4 ms (asked: <= 3 ms)``."""
        shown = self.quantity.shown
        return f"{self.quantity.title} {shown(self.quantity.of(trial))} (asked: {self.operator} {shown(self.value)})"

    def __str__(self) -> str:
        return f"{_spelled(self.quantity.name)} {self.operator} {_written(self.value)}"


@dataclass(frozen=True)
class All:
    """Conditions that must all hold."""

    parts: tuple[Condition, ...]

    def holds(self, trial: TrialResult) -> bool:
        """Whether all are true of a trial."""
        return all(each.holds(trial) for each in self.parts)

    def short(self, trial: TrialResult) -> tuple[float, tuple[Comparison, ...]]:
        """The sum over the parts."""
        found = [each.short(trial) for each in self.parts]
        return sum(distance for distance, _ in found), tuple(one for _, missing in found for one in missing)

    def __str__(self) -> str:
        return " and ".join(f"({each})" if isinstance(each, Either) else str(each) for each in self.parts)


@dataclass(frozen=True)
class Either:
    """Conditions of which one must hold."""

    parts: tuple[Condition, ...]

    def holds(self, trial: TrialResult) -> bool:
        """Whether one is true of a trial."""
        return any(each.holds(trial) for each in self.parts)

    def short(self, trial: TrialResult) -> tuple[float, tuple[Comparison, ...]]:
        """That of the nearest part."""
        return min((each.short(trial) for each in self.parts), key=lambda found: found[0])

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))


def _spelled(name: str) -> str:
    return name if PLAIN_NAME.fullmatch(name) else _quoted(name)


def _written(value: float | str) -> str:
    if isinstance(value, str):
        return _quoted(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'
