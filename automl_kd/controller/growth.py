"""How the dominated area grows, point by point."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from automl_kd.controller.pareto import Point


def hypervolumes(points: Sequence[Point], *, accuracy: float, latency_ms: float) -> NDArray[np.float64]:
    """Area dominated after each point in turn, in accuracy x ms; shape (points,), never falling.

    The front is kept as a staircase: each point enters it once and leaves it at most once, so that n points take
    O(n log n) instead of a new front a point.

    Args:
        points: In the order in which they became known; those worse than the reference add nothing.
        accuracy: The reference's accuracy.
        latency_ms: The reference's latency.
    """
    latencies: list[float] = []  # of the front, rising together with its accuracies
    accuracies: list[float] = []
    gains = np.zeros(len(points))
    for index, point in enumerate(points):
        place = bisect.bisect_right(latencies, point.latency_ms)
        floor = accuracies[place - 1] if place else accuracy
        if point.accuracy <= floor or point.latency_ms >= latency_ms:
            continue
        first = place - 1 if place and latencies[place - 1] == point.latency_ms else place
        last = bisect.bisect_right(accuracies, point.accuracy)
        # What it adds is a stair of its own: from where it stands to the first that is more accurate.
        edge = point.latency_ms
        for stair in range(place, last):
            gains[index] += (latencies[stair] - edge) * (point.accuracy - floor)
            edge, floor = latencies[stair], accuracies[stair]
        end = latencies[last] if last < len(latencies) else latency_ms
        gains[index] += (end - edge) * (point.accuracy - floor)
        latencies[first:last], accuracies[first:last] = [point.latency_ms], [point.accuracy]
    return np.cumsum(gains)
