"""Points as numbers: which objective leads, and values with the sign or on the scale that a calculation needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from automl_kd.objectives.objective import Objective, Point


def leading(objectives: Sequence[Objective]) -> int:
    """Position of the objective that a front is ordered by: the first known one, else the last."""
    return next((position for position, each in enumerate(objectives) if each.known), len(objectives) - 1)


def leading_first(objectives: Sequence[Objective]) -> list[int]:
    """Positions of all objectives: the leading one, then the others in their order."""
    lead = leading(objectives)
    return [lead, *(position for position in range(len(objectives)) if position != lead)]


def measured_first(objectives: Sequence[Objective]) -> list[int]:
    """Positions of all objectives: those that are measured, then those that are known."""
    return sorted(range(len(objectives)), key=lambda position: objectives[position].known)


def costs(points: Sequence[Point], objectives: Sequence[Objective], order: Sequence[int]) -> list[tuple[float, ...]]:
    """Values of the objectives in an order, with the sign that makes smaller better; one tuple a point."""
    if not points:
        return []
    columns = list(zip(*[point.values for point in points], strict=True))
    return list(zip(*[_cost(columns[position], objectives[position]) for position in order], strict=True))


def scaled(points: Sequence[Point], objectives: Sequence[Objective]) -> NDArray[np.float64]:
    """Values on the scale on which distances count, shape (objectives, n)."""
    return np.stack(
        [each.scaled([point.values[position] for point in points]) for position, each in enumerate(objectives)]
    )


def _cost(values: Sequence[float], objective: Objective) -> Sequence[float]:
    return values if objective.direction == "minimize" else [-value for value in values]
