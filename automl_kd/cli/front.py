"""The front of a study as a table: a column for the score, and one for each price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl_kd.core import count

if TYPE_CHECKING:
    from automl_kd.objectives import Objective
    from automl_kd.results import Price, TrialResult


def front_table(front: Sequence[TrialResult], objectives: Sequence[Objective]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a front.

    Args:
        front: Its points, in the order of the rows; what form each ships in is told where one is compressed.
        objectives: The score first, then prices.
    """
    score, *prices = objectives
    compressed = any(each.recipe.compress for each in front)
    rows = [
        [
            str(each.trial),
            *([each.recipe.form] if compressed else []),
            score.shown(each.score),
            *price_cells(each, prices),
        ]
        for each in front
    ]
    return ["trial", *(["form"] if compressed else []), score.title, *price_header(prices)], rows


def price_header(prices: Sequence[Objective]) -> list[str]:
    """Columns of a student's price: every objective, behind a latency its interval; parameters."""
    columns = [[each.title, "interval"] if _has_interval(each) else [each.title] for each in prices]
    return [*(name for names in columns for name in names), "parameters"]


def price_cells(price: Price, prices: Sequence[Objective]) -> list[str]:
    """Cells of a student's price under :func:`price_header`."""
    from automl_kd.studies.objectives import KnownObjective

    cells = []
    for each in prices:
        value, low, high = KnownObjective.of_name(each.name).interval(price)
        cells += [each.shown(value), *([f"{low:.3g}–{high:.3g}"] if _has_interval(each) else [])]
    return [*cells, count(price.params)]


def _has_interval(price: Objective) -> bool:
    return price.name.partition("@")[0] == "latency_ms"
