"""The front of a study as a table: a column for the score, and one for each price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl_kd.core import count

if TYPE_CHECKING:
    from automl_kd.objectives import Objective
    from automl_kd.results import TrialResult


def front_table(front: Sequence[TrialResult], objectives: Sequence[Objective]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a front.

    Args:
        front: Its points, in the order of the rows.
        objectives: The score first, then prices; of a latency the interval is shown, too.
    """
    from automl_kd.studies.objectives import KnownObjective

    score, *prices = objectives
    known = [KnownObjective.of_name(each.name) for each in prices]
    header = ["trial", score.title]
    for price, each in zip(prices, known, strict=True):
        header += [price.title, "interval"] if each.quantity == "latency" else [price.title]
    rows = []
    for entry in front:
        row = [str(entry.trial), score.shown(entry.score)]
        for price, each in zip(prices, known, strict=True):
            value, low, high = each.interval(entry)
            row += [price.shown(value), *([f"{low:.3g}–{high:.3g}"] if each.quantity == "latency" else [])]
        rows.append([*row, count(entry.params)])
    return [*header, "parameters"], rows
