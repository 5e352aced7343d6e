"""The volume that a front dominates, exact, and how it grows point by point."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from automl_kd.objectives.axes import costs, leading_first
from automl_kd.objectives.objective import Objective, Point
from automl_kd.objectives.pareto import non_dominated

Array = NDArray[np.float64]


def hypervolume(points: Sequence[Point], objectives: Sequence[Objective], reference: Sequence[float]) -> float:
    """Volume that the points dominate, up to a reference, in the product of the objectives' units.

    >>> objectives = [Objective("accuracy", "maximize", "%"), Objective("latency_ms", "minimize", "ms", known=True)]
    >>> hypervolume([Point(0, (0.75, 2.0)), Point(1, (0.5, 1.0))], objectives, (0.0, 4.0))
    2.0

    Args:
        points: Any points; those that are not better than the reference in every objective count for nothing.
        objectives: From one to three in O(n log n); with every further one the time grows by a factor of about n.
        reference: The worst values that count, in the objectives' own units and order.
    """
    return dominated_volume(*_as_costs(points, objectives, reference))


def growth(points: Sequence[Point], objectives: Sequence[Objective], reference: Sequence[float]) -> Array:
    """Hypervolume after each point in turn, shape (points,), never falling.

    >>> objectives = [Objective("accuracy", "maximize", "%"), Objective("latency_ms", "minimize", "ms", known=True)]
    >>> growth([Point(0, (0.5, 1.0)), Point(1, (0.25, 2.0)), Point(2, (0.75, 2.0))], objectives, (0.0, 4.0)).tolist()
    [1.5, 1.5, 2.0]

    Args:
        points: In the order in which they became known; those worse than the reference add nothing.
        objectives: What the values are of.
        reference: The worst values that count, in the objectives' own units and order.
    """
    return dominated_volumes(*_as_costs(points, objectives, reference))


def dominated_volume(values: Array, reference: Array) -> float:
    """Volume between rows and a reference where small values are good.

    Slabs along the last objective, whose base is the volume of one dimension less that the rows so far dominate.

    >>> dominated_volume(np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]), np.array([2.0, 2.0, 2.0]))
    3.0

    Args:
        values: Shape (n, objectives), at least one objective.
        reference: Shape (objectives,).
    """
    inside = values[(values < reference).all(axis=1)]
    if not len(inside):
        return 0.0
    if len(reference) == 1:
        return float(reference[0] - inside.min())
    if len(reference) == 2:
        return _area(inside, reference)
    inside = inside[non_dominated(inside)]
    inside = inside[np.argsort(inside[:, -1], kind="stable")]
    bases = dominated_volumes(inside[:, :-1], reference[:-1])
    return float(bases @ np.diff(inside[:, -1], append=reference[-1]))


def dominated_volumes(values: Array, reference: Array) -> Array:
    """The same after each row in turn, shape (n,), never falling."""
    if len(reference) == 1:
        best = np.minimum.accumulate(values[:, 0])
        return np.asarray(np.maximum(reference[0] - best, 0.0))
    return np.cumsum(_stairs(values, reference) if len(reference) == 2 else _exclusive(values, reference))


def _as_costs(
    points: Sequence[Point], objectives: Sequence[Objective], reference: Sequence[float]
) -> tuple[Array, Array]:
    order = leading_first(objectives)
    rows = np.array(costs(points, objectives, order), dtype=np.float64).reshape(len(points), len(order))
    return rows, np.array(costs([Point(-1, tuple(reference))], objectives, order)[0], dtype=np.float64)


def _area(values: Array, reference: Array) -> float:
    right, floor = reference.tolist()
    area = 0.0
    for first, second in sorted(values.tolist()):
        if second < floor:
            area += (floor - second) * (right - first)
            floor = second
    return float(area)


def _stairs(values: Array, reference: Array) -> Array:
    """Area that each row adds to those before it.

    The front is kept as a staircase: each row enters it once and leaves it at most once, so that n rows take
    O(n log n) instead of a new front a row.
    """
    right, bottom = reference.tolist()
    firsts: list[float] = []  # of the front, rising together with how good its second values are
    goods: list[float] = []
    gains = np.zeros(len(values))
    for index, (first, second) in enumerate(values.tolist()):
        place = bisect.bisect_right(firsts, first)
        good, floor = -second, goods[place - 1] if place else -bottom
        if good <= floor or first >= right:
            continue
        begin = place - 1 if place and firsts[place - 1] == first else place
        end = bisect.bisect_right(goods, good)
        # What it adds is a stair of its own: from where it stands to the first that is better in the second value.
        edge = first
        for stair in range(place, end):
            gains[index] += (firsts[stair] - edge) * (good - floor)
            edge, floor = firsts[stair], goods[stair]
        gains[index] += ((firsts[end] if end < len(firsts) else right) - edge) * (good - floor)
        firsts[begin:end], goods[begin:end] = [first], [good]
    return gains


def _exclusive(values: Array, reference: Array) -> Array:
    """Volume that each row adds to those before it: its own box without what they cover of it.

    Source: the exclusive hypervolume of While, Bradstreet & Barone 2012 (WFG).
    """
    gains = np.zeros(len(values))
    front = np.empty((0, len(reference)))
    for index, row in enumerate(values):
        if (row < reference).all() and not (front <= row).all(axis=1).any():
            covered = dominated_volume(np.maximum(front, row), reference)
            gains[index] = max(0.0, float(np.prod(reference - row)) - covered)
            front = np.vstack([front[(front < row).any(axis=1)], row])
    return gains
