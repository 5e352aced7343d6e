"""How the front grew over a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automl_kd.controller import Point, hypervolume


@dataclass(frozen=True)
class Step:
    """The front after one more trial was complete.

    Attributes:
        trial: The trial that was completed.
        seconds: Since the search began.
        best_accuracy: The highest so far, on search-validation.
        hypervolume: Dominated area as a share of the final one, from the worst complete accuracy (less 1 %, so that a
            front of one point has an area) and the highest complete latency (plus 1 %).
        grew: Whether the trial entered the front.
    """

    trial: int
    seconds: float
    best_accuracy: float
    hypervolume: float
    grew: bool


def progress(history: Sequence[Mapping[str, Any]]) -> list[Step]:
    """The steps of a search, complete trials only: an accuracy at a lower rung is not comparable.

    Args:
        history: ``trial``, ``seconds``, ``accuracy``, ``latency_ms`` and ``state``, one row a trial.
    """
    rows = sorted(
        (row for row in history if str(row.get("state")).lower() == "complete" and row.get("accuracy") is not None),
        key=lambda row: row["seconds"],
    )
    if not rows:
        return []
    points = [Point(row["trial"], row["accuracy"], row["latency_ms"]) for row in rows]
    floor = min(point.accuracy for point in points) - 0.01
    ceiling = max(point.latency_ms for point in points) * 1.01
    areas = [hypervolume(points[: end + 1], accuracy=floor, latency_ms=ceiling) for end in range(len(points))]
    return [
        Step(
            trial=row["trial"],
            seconds=row["seconds"],
            best_accuracy=max(point.accuracy for point in points[: index + 1]),
            hypervolume=areas[index] / areas[-1],
            grew=areas[index] > (areas[index - 1] if index else 0.0),
        )
        for index, row in enumerate(rows)
    ]
