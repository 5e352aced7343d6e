"""How the front grew over a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automl_kd.delivery.prices import value_of
from automl_kd.objectives import Objective, Point, growth
from automl_kd.results import HistoryRow

_NOTHING = 1e-100
"""Of a smaller number, and of 0, a hundredth spans no volume."""


@dataclass(frozen=True)
class Step:
    """The front after one more trial was finished.

    Attributes:
        trial: The trial.
        finished: How many were finished then.
        seconds: Since the search began.
        best: The best score so far, on search-validation.
        hypervolume: Dominated volume as a share of the final one.
        grew: Whether the trial entered the front.
    """

    trial: int
    finished: int
    seconds: float
    best: float
    hypervolume: float
    grew: bool


@dataclass(frozen=True)
class Progress:
    """The steps of a search and the reference of its hypervolume.

    Attributes:
        steps: One a finished trial, in the order in which they finished.
        reference: A value an objective, somewhat worse than the worst finished trial, so that a front of one student
            has a volume; empty without finished trials.
    """

    steps: tuple[Step, ...]
    reference: tuple[float, ...] = ()


def progress(history: Sequence[HistoryRow], objectives: Sequence[Objective]) -> Progress:
    """How a search went, by finished trials.

    Args:
        history: One row a trial, in any order.
        objectives: What the front is of, the score first.
    """
    rows = sorted(history, key=lambda row: row.seconds)
    if not rows:
        return Progress(())
    points = [Point(row.trial, tuple(_value(row, each) for each in objectives)) for row in rows]
    columns = list(zip(*[point.values for point in points], strict=True))
    reference = tuple(_reference(column, each) for column, each in zip(columns, objectives, strict=True))
    volumes = growth(points, objectives, reference)
    score = objectives[0]
    best = np.maximum.accumulate([score.goodness(row.score) for row in rows])
    grew = np.diff(volumes, prepend=0.0) > 0
    steps = tuple(
        Step(
            trial=row.trial,
            finished=index + 1,
            seconds=row.seconds,
            best=score.goodness(float(best[index])),
            hypervolume=float(volumes[index] / volumes[-1]),
            grew=bool(grew[index]),
        )
        for index, row in enumerate(rows)
    )
    return Progress(steps, reference)


def _value(row: HistoryRow, objective: Objective) -> float:
    return value_of(row, objective) if objective.known else row.objectives[objective.name]


def _reference(values: Sequence[float], objective: Objective) -> float:
    """The worst value, and a point of a share or 1 % of anything else beyond it."""
    worst = min(values, key=objective.goodness)
    if objective.unit == "%":
        return worst - objective.goodness(0.01)
    # Spelt out as a product because that is, bit for bit, what reports of earlier studies say.
    if abs(worst) < _NOTHING:
        return worst - objective.goodness(0.01)
    return worst * (1.01 if objective.goodness(worst) < 0 else 0.99)
