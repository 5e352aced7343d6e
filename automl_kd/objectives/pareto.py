"""Dominance between candidates, and the orders that follow from it."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from automl_kd.objectives.axes import costs, leading_first, scaled
from automl_kd.objectives.objective import Objective, Point


def dominates(first: Point, second: Point, objectives: Sequence[Objective]) -> bool:
    """Whether the first is at least as good in all objectives and better in one.

    >>> objectives = [Objective("accuracy", "maximize", "%"), Objective("latency_ms", "minimize", "ms", known=True)]
    >>> dominates(Point(0, (0.9, 1.0)), Point(1, (0.9, 2.0)), objectives)
    True
    """
    better = False
    for objective, ours, theirs in zip(objectives, first.values, second.values, strict=True):
        if objective.goodness(ours) < objective.goodness(theirs):
            return False
        better = better or ours != theirs
    return better


def pareto_front(points: Sequence[Point], objectives: Sequence[Objective]) -> list[Point]:
    """The points that none dominates; of equals the oldest.

    The best in the first known objective comes first ("fastest first"), in the last objective where none is known. With
    two objectives the last point is therefore the best in the other one.

    >>> objectives = [Objective("accuracy", "maximize", "%"), Objective("latency_ms", "minimize", "ms", known=True)]
    >>> cloud = [Point(0, (0.9, 2.0)), Point(1, (0.8, 1.0)), Point(2, (0.7, 3.0))]
    >>> [point.trial for point in pareto_front(cloud, objectives)]
    [1, 0]
    """
    rows = costs(points, objectives, leading_first(objectives))
    order = sorted(range(len(points)), key=lambda index: (rows[index], points[index].trial))
    if len(objectives) == 2:
        front: list[int] = []
        for index in order:
            if not front or rows[index][1] < rows[front[-1]][1]:
                front.append(index)
        return [points[index] for index in front]
    values = np.array([rows[index] for index in order], dtype=np.float64).reshape(len(points), len(objectives))
    return [points[order[place]] for place in _undominated(values)]


def non_dominated(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows no other row dominates where small values are good, shape (n,); of equal rows the first.

    >>> non_dominated(np.array([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0], [1.0, 2.0]])).tolist()
    [True, True, False, False]

    Args:
        values: Shape (n, objectives).
    """
    order = np.lexsort(values.T[::-1])
    keep = np.zeros(len(values), dtype=bool)
    keep[order[_undominated(values[order])]] = True
    return keep


def _undominated(values: NDArray[np.float64]) -> list[int]:
    """Rows that no other row dominates, of rows in lexicographic order."""
    kept: list[int] = []
    rest = np.arange(len(values))
    while len(rest):  # in this order no later row dominates the first
        kept.append(int(rest[0]))
        rest = rest[(values[rest] < values[rest[0]]).any(axis=1)]
    return kept


def non_dominated_ranks(points: Sequence[Point], objectives: Sequence[Objective]) -> list[int]:
    """The front that each point belongs to: 0 for the Pareto front, 1 for the front of the rest, and so on.

    Source: non-dominated sorting (Deb et al. 2002, NSGA-II). Adding points never lowers a rank.

    >>> objectives = [Objective("accuracy", "maximize", "%"), Objective("latency_ms", "minimize", "ms", known=True)]
    >>> non_dominated_ranks([Point(0, (0.9, 2.0)), Point(1, (0.8, 1.0)), Point(2, (0.7, 3.0))], objectives)
    [0, 0, 1]
    """
    rows = costs(points, objectives, leading_first(objectives))
    return _ranks_of_two(rows) if len(objectives) == 2 else _ranks_of_many(rows)


def _ranks_of_two(rows: Sequence[tuple[float, ...]]) -> list[int]:
    # In order of the first cost a point is dominated by a front exactly if that front already reached its second cost,
    # and the costs that the fronts have reached rise from front to front: one binary search a point.
    ranks = [0] * len(rows)
    reached: list[float] = []
    previous: tuple[float, ...] | None = None
    for index in sorted(range(len(rows)), key=rows.__getitem__):
        here = rows[index]
        if here != previous:
            rank = bisect.bisect_right(reached, here[1])
            reached[rank : rank + 1] = [here[1]]
        ranks[index] = rank
        previous = here
    return ranks


def _ranks_of_many(rows: Sequence[tuple[float, ...]]) -> list[int]:
    if not rows:
        return []
    # In lexicographic order all that dominate a point come before it, and its rank is one more than the highest of
    # theirs: the best of them has a dominator in every front before.
    distinct, place = np.unique(np.array(rows, dtype=np.float64) + 0.0, axis=0, return_inverse=True)
    ranks = np.zeros(len(distinct), dtype=np.int64)
    for index in range(1, len(distinct)):
        ahead = (distinct[:index] <= distinct[index]).all(axis=1)
        ranks[index] = ranks[:index].max(initial=-1, where=ahead) + 1
    return [int(rank) for rank in ranks[place]]


def crowding_distances(points: Sequence[Point], objectives: Sequence[Objective]) -> NDArray[np.float64]:
    """How alone each point stands among points of one rank, shape (n,): infinite at the ends (Deb et al. 2002).

    Known objectives count on a logarithmic scale.

    >>> objectives = [Objective("accuracy", "maximize", "%"), Objective("latency_ms", "minimize", "ms", known=True)]
    >>> front = [Point(0, (0.6, 1.0)), Point(1, (0.7, 2.0)), Point(2, (0.8, 4.0))]
    >>> crowding_distances(front, objectives).tolist()
    [inf, 2.0, inf]
    """
    distances = np.zeros(len(points))
    if not len(points):
        return distances
    for values in scaled(points, objectives):
        order = np.argsort(values, kind="stable")
        span = values[order[-1]] - values[order[0]]
        distances[order[[0, -1]]] = np.inf
        if span > 0:
            distances[order[1:-1]] += (values[order[2:]] - values[order[:-2]]) / span
    return distances


def ranking(points: Sequence[Point], objectives: Sequence[Objective]) -> list[int]:
    """Indices from best to worst: by rank, within a rank by crowding distance, then the oldest first."""
    ranks = non_dominated_ranks(points, objectives)
    order: list[int] = []
    for rank in range(max(ranks, default=-1) + 1):
        members = [index for index, each in enumerate(ranks) if each == rank]
        distances = crowding_distances([points[index] for index in members], objectives)
        trials = [points[index].trial for index in members]
        order += [index for _, _, index in sorted(zip(-distances, trials, members, strict=True))]
    return order
