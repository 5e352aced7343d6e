"""What metrics that a result holds by name are called, and which way is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from automl_kd.core import UserError
from automl_kd.objectives import Objective
from automl_kd.tasks.metrics import Problem, metric_named

_MANY = 1_000_000
"""A result does not say how many classes its problem has, and no title depends on it."""


def reported(groups: Iterable[Mapping[str, float]], searched: Objective) -> tuple[Objective, ...]:
    """The metrics that occur in any of the groups: the one that is searched, then the others in their order.

    A metric of the user's own that is not the one searched is shown under its name, as a number.

    Args:
        groups: Values by the name of a metric.
        searched: The score.
    """
    names = dict.fromkeys([searched.name, *(name for group in groups for name in group)])
    return tuple(searched if name == searched.name else _named(name) for name in names)


def _named(name: str) -> Objective:
    for problem in get_args(Problem):
        try:
            return metric_named(name, problem, _MANY).objective
        except UserError:
            continue
    return Objective(name, "maximize", "")
