"""What the students of a front have in common, by the holes of their space."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from automl_kd.core import three_digits
from automl_kd.objectives import Objective, Point, commonalities, pareto_front
from automl_kd.results import CommonValue, CommonValues

_SURE = 0.05
_FEW = 6
"""Numbers of more different values than these are compared by thirds; each value alone would be too rare."""


def common(trials: Sequence[FrozenTrial], objectives: Sequence[Objective]) -> CommonValues:
    """Values of holes that the front has more often than chance would give as many of the finished trials.

    Those beyond chance come first, then those that most of the front shares. A front of one shares nothing.

    Args:
        trials: Of one study; only complete ones count.
        objectives: What the study is of.
    """
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    points = [Point(row, tuple(trial.values)) for row, trial in enumerate(complete)]
    front = [point.trial for point in pareto_front(points, objectives)]
    if len(front) < 2:
        return CommonValues(looked_at=0, values=())
    found = commonalities(_worded(complete), front)
    values = tuple(
        CommonValue(**asdict(each), sure=each.p <= _SURE)
        for each in found
        if each.p <= _SURE or (2 * each.chosen > len(front) and each.count < each.of_count)
    )
    return CommonValues(looked_at=len(found), values=values)


def _worded(trials: Sequence[FrozenTrial]) -> list[dict[str, str]]:
    """Values by hole as a reader knows them, numbers of many values by the third that they lie in."""
    rows: list[dict[str, str]] = [{} for _ in trials]
    for name in sorted({name for trial in trials for name in trial.params}):
        having = [row for row, trial in enumerate(trials) if name in trial.params]
        values = [trials[row].params[name] for row in having]
        choice = isinstance(trials[having[0]].distributions[name], CategoricalDistribution)
        words = [_word(value) for value in values] if choice or len(set(values)) <= _FEW else _thirds(values)
        for row, word in zip(having, words, strict=True):
            rows[row][name] = word
    return rows


def _thirds(values: Sequence[float]) -> list[str]:
    low, high = (float(cut) for cut in np.quantile(values, [1 / 3, 2 / 3]))
    names = (
        f"below {three_digits(low)}",
        f"{three_digits(low)} to {three_digits(high)}",
        f"above {three_digits(high)}",
    )
    return [names[bisect.bisect_right((low, high), value)] for value in values]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value).replace('"', "")
