"""A rule over finished trials, such as ``score >= 0.95 and latency_ms <= 3``: parsed, never evaluated as Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automl_kd.objectives import Objective
from automl_kd.results.conditions import Condition
from automl_kd.results.quantities import quantities
from automl_kd.results.rule_text import parsed
from automl_kd.results.trial import TrialResult


@dataclass(frozen=True)
class Rule:
    """What trials must be like. ``str`` of it is a rule that is equal.

    Attributes:
        condition: The rule without ``not``, which is taken into the comparisons: a trial that lacks a value neither
            meets a comparison nor its opposite.
    """

    condition: Condition

    @classmethod
    def parse(cls, text: str, objectives: Sequence[Objective], metrics: Sequence[Objective] = ()) -> Rule:
        """Read a rule.

        Args:
            text: Comparisons such as ``score >= 95%``, ``latency_ms <= 3ms``, ``params < 100k`` or ``form == int8``,
                joined by ``and``, ``or``, ``not`` and parentheses. A number without a unit is in the quantity's own.
            objectives: Of the study: the score first, then prices.
            metrics: All that the study reports.

        Raises:
            UserError: If it cannot be read; it says where, and what would be right.
        """
        return cls(parsed(text, quantities(objectives, metrics)))

    def holds(self, trial: TrialResult) -> bool:
        """Whether it is true of a trial."""
        return self.condition.holds(trial)

    def distance(self, trial: TrialResult) -> float:
        """How far a trial is from it, by which trials can be ordered; 0 where it holds."""
        return self.condition.short(trial)[0]

    def missed(self, trial: TrialResult) -> list[str]:
        """What keeps it from holding of a trial, for people; of alternatives, what is missing to the nearest."""
        return [each.missed(trial) for each in self.condition.short(trial)[1]]

    def __str__(self) -> str:
        return str(self.condition)


def is_rule(text: str) -> bool:
    """Whether a text is meant as a rule: it compares something."""
    return any(sign in text for sign in "<>=")
