"""Which points of a front are worth a closer look: its knee, a spread over it, and what it does not clearly beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from automl_kd.objectives.axes import costs, leading, measured_first, scaled
from automl_kd.objectives.objective import Objective, Point
from automl_kd.objectives.pareto import dominates, pareto_front


def knee(front: Sequence[Point], objectives: Sequence[Objective]) -> Point:
    """The point where more of one objective begins to cost much of another.

    Every objective is scaled to [0, 1] over the front, known ones logarithmic, 1 being best; the knee has the largest
    sum. It is the point farthest beyond the plane through the corners that are best in one objective and worst in the
    others; with two objectives these corners are the ends of the front and the plane is the straight line between them
    (Das 1999, "On characterizing the 'knee' of the Pareto curve"). Where no point is beyond it, the best in the first
    measured objective.

    >>> objectives = [Objective("accuracy", "maximize", "%"), Objective("latency_ms", "minimize", "ms", known=True)]
    >>> front = [Point(0, (0.5, 1.0)), Point(1, (0.88, 1.5)), Point(2, (0.9, 4.0)), Point(3, (0.91, 16.0))]
    >>> knee(front, objectives).trial
    1

    Args:
        front: Points of a Pareto front, at least one.
        objectives: What their values are of.
    """
    ordered = pareto_front(front, objectives)
    first, lead = measured_first(objectives)[0], leading(objectives)
    best = [objectives[first].goodness(point.values[first]) for point in ordered]
    if len(ordered) < 3:
        return ordered[max(range(len(ordered)), key=lambda index: (best[index], index))]
    beyond = np.zeros(len(ordered))
    for position, values in enumerate(scaled(ordered, objectives)):
        good = objectives[position].goodness(1.0) * values
        span = max(float(good.max() - good.min()), 1e-12)
        # What is lost of the leading objective, not what is kept: so both ends of a front of two are exactly 0.
        beyond += (good - good.max() if position == lead else good - good.min()) / span
    return ordered[max(range(len(ordered)), key=lambda index: (beyond[index], best[index], index))]


def choose_spread(points: Sequence[Point], objectives: Sequence[Objective], count: int) -> list[Point]:
    """Points that cover the front, in the order in which they are worth a closer look.

    The knee first, then the best of every measured objective, then the best of every known one, then always the point
    farthest from those chosen.

    >>> objectives = [Objective("accuracy", "maximize", "%"), Objective("latency_ms", "minimize", "ms", known=True)]
    >>> front = [Point(0, (0.5, 1.0)), Point(1, (0.88, 1.5)), Point(2, (0.9, 4.0)), Point(3, (0.91, 16.0))]
    >>> [point.trial for point in choose_spread(front, objectives, 3)]
    [1, 3, 0]

    Args:
        points: Any points.
        objectives: What their values are of.
        count: How many at most.
    """
    front = pareto_front(points, objectives)
    if not front:
        return []
    bests = [_best(front, objectives[position], position) for position in measured_first(objectives)]
    chosen = list(dict.fromkeys([knee(front, objectives), *bests]))
    spots = np.stack([_unit(values) for values in scaled(front, objectives)], axis=1)
    while len(chosen) < min(count, len(front)):
        taken = [front.index(point) for point in chosen]
        gaps = np.linalg.norm(spots[:, None] - spots[None, taken], axis=2).min(axis=1)
        gaps[taken] = -1
        chosen.append(front[int(np.argmax(gaps))])
    return chosen[:count]


def near_ties(
    points: Sequence[Point],
    objectives: Sequence[Objective],
    intervals: Mapping[int, Sequence[tuple[float, float]]],
    errors: Mapping[int, Sequence[float]],
    count: int,
) -> list[Point]:
    """Points behind the front that nothing on it beats for certain, the best in the first measured objective first.

    A member of the front beats a point for certain where it dominates it and either leads in a measured objective by
    more than two standard errors of the difference, or is better in a known objective by intervals that do not meet.

    >>> objectives = [Objective("accuracy", "maximize", "%"), Objective("latency_ms", "minimize", "ms", known=True)]
    >>> points = [Point(0, (0.9, 1.0)), Point(1, (0.89, 1.1)), Point(2, (0.7, 1.1))]
    >>> intervals = {0: [(0.8, 1.2)], 1: [(0.9, 1.3)], 2: [(0.9, 1.3)]}
    >>> [each.trial for each in near_ties(points, objectives, intervals, dict.fromkeys(range(3), [0.01]), 5)]
    [1]

    Args:
        points: Candidates at the top rung.
        objectives: What their values are of.
        intervals: By trial and known objective, in the objectives' order: low and high.
        errors: By trial and measured objective, in the objectives' order: the standard error of the difference of two
            values about as good as the trial's (``difference_error``).
        count: How many at most.
    """
    front = pareto_front(points, objectives)
    measured = [position for position, each in enumerate(objectives) if not each.known]
    known = [each for each in objectives if each.known]

    def surely(best: Point, point: Point) -> bool:
        for position, error in zip(measured, errors[point.trial], strict=True):
            goodness = objectives[position].goodness
            if goodness(best.values[position]) - goodness(point.values[position]) > 2 * error:
                return True
        pairs = zip(known, intervals[best.trial], intervals[point.trial], strict=True)
        return any(_apart(objective, ours, theirs) for objective, ours, theirs in pairs)

    def beaten(point: Point) -> bool:
        return any(dominates(each, point, objectives) and surely(each, point) for each in front)

    behind = [point for point in points if point not in front and not beaten(point)]
    rows = costs(behind, objectives, measured_first(objectives))
    order = sorted(range(len(behind)), key=lambda index: (rows[index], behind[index].trial))
    return [behind[index] for index in order[: max(0, count)]]


def _apart(objective: Objective, ours: tuple[float, float], theirs: tuple[float, float]) -> bool:
    """Whether all of our interval is better than all of theirs."""
    return ours[1] < theirs[0] if objective.direction == "minimize" else ours[0] > theirs[1]


def _best(front: Sequence[Point], objective: Objective, position: int) -> Point:
    return max(front, key=lambda point: objective.goodness(point.values[position]))


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    span = float(values.max() - values.min()) or 1.0
    return np.asarray((values - values.min()) / span)
