"""Results of a trial at lower fidelities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real

from optuna.trial import FrozenTrial

Readings = Callable[[FrozenTrial], Mapping[int, float]]
"""Gives a trial's results at lower fidelities, by epoch."""


@dataclass(frozen=True)
class AttributeReadings:
    """The readings that a trial keeps in user attributes ``<prefix><epoch>``.

    Attributes:
        prefix: Of the attributes' names. What stands behind it and is no epoch, and a value that is no number, is
            passed over.
    """

    prefix: str

    def __call__(self, trial: FrozenTrial) -> dict[int, float]:
        """Results by epoch."""
        return {
            int(name.removeprefix(self.prefix)): float(value)
            for name, value in trial.user_attrs.items()
            if name.startswith(self.prefix) and name.removeprefix(self.prefix).isdecimal() and isinstance(value, Real)
        }


SCORE_ATTRIBUTES = AttributeReadings("score@")
"""The readings of a trial that says ``trial.set_user_attr("score@3", 0.61)`` after three epochs."""
