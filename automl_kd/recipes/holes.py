"""Holes: the decisions of a search, one value each, under a stable and readable name."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Value = bool | int | float | str | None
"""A value that may fill a hole: what an Optuna parameter may hold. Lists and mappings are stored as JSON text."""


class Rng(Protocol):
    """Any generator with uniform draws: ``numpy.random.Generator`` and ``random.Random`` both are."""

    def random(self) -> float: ...


class Trial(Protocol):
    """The part of an Optuna trial that a space draws through."""

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...


@dataclass(frozen=True)
class Categorical:
    """One of several options. Numbers in ascending order count as ordered: their neighbours are alike."""

    name: str
    options: tuple[Value, ...]

    @property
    def kind(self) -> Literal["ordered", "category"]:
        numbers = [o for o in self.options if isinstance(o, int | float) and not isinstance(o, bool)]
        return "ordered" if len(numbers) == len(self.options) and numbers == sorted(numbers) else "category"

    def count(self) -> float:
        return len(self.options)

    def contains(self, value: Any) -> bool:
        return any(same(option, value) for option in self.options)

    def sample(self, rng: Rng) -> Value:
        return self.options[int(rng.random() * len(self.options))]

    def neighbour(self, value: Value, rng: Rng) -> Value:
        position = self._position(value)
        if self.kind == "category":
            others = [option for index, option in enumerate(self.options) if index != position]
            return others[int(rng.random() * len(others))]
        return self.options[_step(position, len(self.options), rng)]

    def suggest(self, trial: Trial) -> Value:
        value: Value = trial.suggest_categorical(self.name, list(self.options))
        return value

    def number(self, value: Value) -> float:
        """The position of an option: scaled to [0, 1] where options are ordered, the index where they are not."""
        position = self._position(value)
        return position / max(1, len(self.options) - 1) if self.kind == "ordered" else float(position)

    def extremes(self) -> tuple[Value, ...]:
        return self.options

    def values(self) -> Iterable[Value]:
        """Every value."""
        return self.options

    def describe(self) -> str:
        """Its values, for people."""
        return ", ".join(_word(option) for option in self.options)

    def _position(self, value: Value) -> int:
        return next(index for index, option in enumerate(self.options) if same(option, value))


class _Range:
    """What holes between two bounds have in common."""

    low: float
    high: float
    log: bool
    kind = "ordered"

    def number(self, value: Value) -> float:
        return _unit(float(value or 0), self.low, self.high, self.log)

    def extremes(self) -> tuple[Value, ...]:
        return (self.low, self.high)

    def describe(self) -> str:
        """Its range, for people."""
        return f"{self.low:g} to {self.high:g}{' (log)' if self.log else ''}"


@dataclass(frozen=True)
class Integer(_Range):
    """A whole number between two bounds, both included."""

    name: str
    low: int
    high: int
    log: bool = False

    def count(self) -> float:
        return self.high - self.low + 1

    def contains(self, value: Any) -> bool:
        return _is_number(value) and float(value).is_integer() and self.low <= value <= self.high

    def sample(self, rng: Rng) -> int:
        return min(self.high, max(self.low, round(_draw(self.low - 0.5, self.high + 0.5, self.log, rng))))

    def neighbour(self, value: Value, rng: Rng) -> int:
        return self.low + _step(int(value or 0) - self.low, self.high - self.low + 1, rng)

    def values(self) -> Iterable[Value]:
        """Every value."""
        return range(self.low, self.high + 1)

    def suggest(self, trial: Trial) -> int:
        return trial.suggest_int(self.name, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Float(_Range):
    """A real number between two bounds, both included."""

    name: str
    low: float
    high: float
    log: bool = False

    def count(self) -> float:
        return math.inf if self.low < self.high else 1

    def contains(self, value: Any) -> bool:
        return _is_number(value) and self.low <= value <= self.high

    def sample(self, rng: Rng) -> float:
        return min(self.high, max(self.low, _draw(self.low, self.high, self.log, rng)))

    def neighbour(self, value: Value, rng: Rng) -> float:
        # A step of up to a fifth of the range, on the scale that the hole is searched on.
        unit = min(1.0, max(0.0, self.number(value) + 0.4 * (rng.random() - 0.5)))
        if self.log:
            return float(min(self.high, max(self.low, self.low * (self.high / self.low) ** unit)))
        return min(self.high, max(self.low, self.low + unit * (self.high - self.low)))

    def values(self) -> Iterable[Value]:
        """Its only value, where the bounds are equal."""
        if self.low < self.high:
            raise ValueError(f"{self.name} has more values than can be listed")
        return (self.low,)

    def suggest(self, trial: Trial) -> float:
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)


Hole = Categorical | Integer | Float


def as_value(data: Any) -> Value:
    """An option as a hole's value: scalars as they are, lists and mappings as JSON text."""
    return data if data is None or isinstance(data, bool | int | float | str) else json.dumps(data)


def same(left: Any, right: Any) -> bool:
    """Equality of plain data in which 1 and 1.0 are equal but 1 and true are not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def _word(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _draw(low: float, high: float, log: bool, rng: Rng) -> float:
    return float(low * (high / low) ** rng.random()) if log else low + (high - low) * rng.random()


def _unit(value: float, low: float, high: float, log: bool) -> float:
    if low == high:
        return 0.0
    if not log:
        return (value - low) / (high - low)
    ratio = high / low
    if ratio == math.inf:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return math.log(value / low) / math.log(ratio)


def _step(position: int, count: int, rng: Rng) -> int:
    """A position next to this one."""
    if position == 0:
        return 1
    if position == count - 1:
        return count - 2
    return position + (1 if rng.random() < 0.5 else -1)
