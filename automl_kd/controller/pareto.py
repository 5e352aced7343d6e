"""Dominance between candidates: accuracy up, latency down."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Point:
    """A candidate as the front sees it.

    Attributes:
        trial: Its number.
        accuracy: Share of right answers, in [0, 1].
        latency_ms: Predicted latency.
    """

    trial: int
    accuracy: float
    latency_ms: float


def dominates(first: Point, second: Point) -> bool:
    """Whether the first is at least as good in both and better in one."""
    as_good = first.accuracy >= second.accuracy and first.latency_ms <= second.latency_ms
    return as_good and (first.accuracy > second.accuracy or first.latency_ms < second.latency_ms)


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """The points that none dominates, fastest first; of equals the oldest."""
    front: list[Point] = []
    for point in sorted(points, key=lambda each: (each.latency_ms, -each.accuracy, each.trial)):
        if not front or point.accuracy > front[-1].accuracy:
            front.append(point)
    return front


def non_dominated_ranks(points: Sequence[Point]) -> list[int]:
    """The front that each point belongs to: 0 for the Pareto front, 1 for the front of the rest, and so on.

    Source: non-dominated sorting (Deb et al. 2002, NSGA-II). Adding points never lowers a rank.
    """
    # In order of latency a point is dominated by a front exactly if that front already reached its accuracy, and the
    # accuracies that the fronts have reached fall from front to front: one binary search a point.
    ranks = [0] * len(points)
    reached: list[float] = []  # negated, so that it ascends
    previous: tuple[float, float] | None = None
    for index in sorted(range(len(points)), key=lambda each: (points[each].latency_ms, -points[each].accuracy)):
        here = (points[index].latency_ms, points[index].accuracy)
        if here != previous:
            rank = bisect.bisect_right(reached, -here[1])
            reached[rank : rank + 1] = [-here[1]]
        ranks[index] = rank
        previous = here
    return ranks


def crowding_distances(points: Sequence[Point]) -> NDArray[np.float64]:
    """How alone each point stands among points of one rank, shape (n,): infinite at the ends (Deb et al. 2002).

    Latency counts on a logarithmic scale: 1 ms and 2 ms are as far apart as 10 ms and 20 ms.
    """
    distances = np.zeros(len(points))
    for values in (
        np.array([point.accuracy for point in points]),
        np.log(np.maximum([point.latency_ms for point in points], 1e-9)),
    ):
        order = np.argsort(values, kind="stable")
        span = values[order[-1]] - values[order[0]] if len(points) else 0.0
        distances[order[[0, -1]]] = np.inf
        if span > 0:
            distances[order[1:-1]] += (values[order[2:]] - values[order[:-2]]) / span
    return distances


def ranking(points: Sequence[Point]) -> list[int]:
    """Indices from best to worst: by rank, within a rank by crowding distance, then the oldest first."""
    ranks = non_dominated_ranks(points)
    order: list[int] = []
    for rank in range(max(ranks, default=-1) + 1):
        members = [index for index, each in enumerate(ranks) if each == rank]
        distances = crowding_distances([points[index] for index in members])
        order += [
            index for _, _, index in sorted(zip(-distances, [points[i].trial for i in members], members, strict=True))
        ]
    return order


def knee(front: Sequence[Point]) -> Point:
    """The point where more accuracy begins to cost much more time.

    The farthest from the straight line between fastest and most accurate, both axes scaled to [0, 1], latency
    logarithmic (Das 1999). The most accurate where none is above that line.

    Args:
        front: Points of a Pareto front, at least one.
    """
    ordered = pareto_front(front)
    if len(ordered) < 3:
        return ordered[-1]
    accuracy = np.array([point.accuracy for point in ordered])
    latency = np.log(np.maximum([point.latency_ms for point in ordered], 1e-9))
    x = (latency - latency[0]) / max(latency[-1] - latency[0], 1e-12)
    y = (accuracy - accuracy[0]) / max(accuracy[-1] - accuracy[0], 1e-12)
    return ordered[len(ordered) - 1 - int(np.argmax((y - x)[::-1]))]


def hypervolume(points: Sequence[Point], *, accuracy: float, latency_ms: float) -> float:
    """Area dominated by the points down to a reference, in accuracy x ms.

    Args:
        points: Any points; those worse than the reference count for nothing.
        accuracy: The reference's accuracy.
        latency_ms: The reference's latency.
    """
    area, floor = 0.0, accuracy
    for point in pareto_front([p for p in points if p.accuracy > accuracy and p.latency_ms < latency_ms]):
        area += (point.accuracy - floor) * (latency_ms - point.latency_ms)
        floor = point.accuracy
    return area
