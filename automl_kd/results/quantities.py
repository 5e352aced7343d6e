"""What a finished trial can be asked for by name: its score, metrics, prices, and what it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from automl_kd.core import count, in_unit
from automl_kd.objectives import Objective
from automl_kd.results.trial import TrialResult

TEXT, COUNT = "text", "count"
"""Units of a word, and of a plain number of things."""
_PRICES = {"latency_ms": "ms", "memory_bytes": "bytes", "size_bytes": "bytes", "energy_mj": "mJ"}
_COUNTS = ("params", "flops", "epochs", "trial")
_WORDS: Mapping[str, Callable[[TrialResult], str]] = {
    "form": lambda trial: trial.recipe.form,
    "family": lambda trial: trial.recipe.student.family,
}


@dataclass(frozen=True)
class Quantity:
    """One thing that a trial has: a number in a unit, or a word.

    Attributes:
        name: Such as ``score``, ``macro_f1``, ``latency_ms@raspberry-pi-4``, ``params`` or ``form``.
        unit: That of an objective; ``count`` or ``text`` where there is none.
        title: Its name for people.
    """

    name: str
    unit: str
    title: str

    def of(self, trial: TrialResult) -> float | str | None:
        """Its value, None where the trial has none, such as a metric that its examples do not define."""
        if self.unit == TEXT:
            return _WORDS[self.name](trial)
        value = trial.score if self.name == "score" else _number(trial, self.name)
        return None if value is None or math.isnan(value) else float(value)

    def shown(self, value: float | str | None) -> str:
        """A value for people."""
        if isinstance(value, str):
            return value
        if self.unit != COUNT:
            return in_unit(value, self.unit)
        return count(value) if self.name in ("params", "flops") or value is None else f"{value:.0f}"


def quantities(objectives: Sequence[Objective], metrics: Sequence[Objective] = ()) -> dict[str, Quantity]:
    """All that a trial of a study can be asked for, by name, the most asked for first.

    Args:
        objectives: Of the study: the score first, then prices.
        metrics: All that the study reports.
    """
    score = objectives[0]
    found = [Quantity("score", score.unit, score.title)]
    found += [Quantity(each.name, each.unit, each.title) for each in (*objectives[1:], score, *metrics)]
    found += [Quantity(name, unit, Objective(name, "minimize", unit).title) for name, unit in _PRICES.items()]
    found += [Quantity(name, COUNT, "parameters" if name == "params" else name) for name in _COUNTS]
    found += [Quantity(name, TEXT, name) for name in _WORDS]
    return {each.name: each for each in found}


def _number(trial: TrialResult, name: str) -> float | None:
    for values in (trial.objectives, trial.metrics):
        if name in values:
            return values[name]
    value = getattr(trial, name, None) if name in _PRICES or name in _COUNTS else None
    return None if value is None else float(value)
