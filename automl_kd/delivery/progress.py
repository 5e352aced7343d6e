"""How the front grew over a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl_kd.controller import Point, hypervolumes


@dataclass(frozen=True)
class Step:
    """The front after one more trial was complete.

    Attributes:
        trial: The trial that was completed.
        finished: How many were complete then.
        seconds: Since the search began.
        best_accuracy: The highest so far, on search-validation.
        hypervolume: Dominated area as a share of the final one.
        grew: Whether the trial entered the front.
    """

    trial: int
    finished: int
    seconds: float
    best_accuracy: float
    hypervolume: float
    grew: bool


@dataclass(frozen=True)
class Progress:
    """The steps of a search and the reference of its hypervolume.

    Attributes:
        steps: One a complete trial, in the order in which they finished.
        accuracy: The reference's: the worst complete one less a point, so that a front of one student has an area.
        latency_ms: The reference's: the highest complete one and 1 %.
    """

    steps: list[Step]
    accuracy: float = 0.0
    latency_ms: float = 0.0


def progress(history: Sequence[Mapping[str, Any]]) -> Progress:
    """How a search went, by complete trials only: an accuracy at a lower rung is not comparable.

    Args:
        history: ``trial``, ``seconds``, ``accuracy``, ``latency_ms`` and ``state``, one row a trial.
    """
    rows = sorted(
        (row for row in history if str(row.get("state")).lower() == "complete" and row.get("accuracy") is not None),
        key=lambda row: row["seconds"],
    )
    if not rows:
        return Progress([])
    points = [Point(row["trial"], row["accuracy"], row["latency_ms"]) for row in rows]
    floor = min(point.accuracy for point in points) - 0.01
    ceiling = max(point.latency_ms for point in points) * 1.01
    areas = hypervolumes(points, accuracy=floor, latency_ms=ceiling)
    best = np.maximum.accumulate([point.accuracy for point in points])
    grew = np.diff(areas, prepend=0.0) > 0
    steps = [
        Step(
            trial=row["trial"],
            finished=index + 1,
            seconds=row["seconds"],
            best_accuracy=float(best[index]),
            hypervolume=float(areas[index] / areas[-1]),
            grew=bool(grew[index]),
        )
        for index, row in enumerate(rows)
    ]
    return Progress(steps, floor, ceiling)
