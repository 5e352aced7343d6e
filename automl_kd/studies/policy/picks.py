"""Which points of the front are distilled in full, and what they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_kd.controller.pareto import Point, dominates, knee, pareto_front
from automl_kd.controller.statistics import difference_error
from automl_kd.recipes import Recipe

PLAIN_KD = ((2.0, 0.5), (4.0, 0.9), (8.0, 0.9))
"""Temperature and weight of the plain-KD candidates; the task loss weighs the rest."""


def choose_picks(points: Sequence[Point], count: int) -> list[Point]:
    """Picks that cover the front, in the order in which they are worth training.

    The knee first, then the most accurate, then the fastest, then always the point farthest from those chosen.

    Args:
        points: Candidates at the top rung.
        count: How many picks at most.
    """
    front = pareto_front(points)
    if not front:
        return []
    chosen = list(dict.fromkeys([knee(front), front[-1], front[0]]))
    accuracy = np.array([point.accuracy for point in front])
    latency = np.log(np.maximum([point.latency_ms for point in front], 1e-9))
    spots = np.stack([_unit(accuracy), _unit(latency)], axis=1)
    while len(chosen) < min(count, len(front)):
        taken = [front.index(point) for point in chosen]
        gaps = np.linalg.norm(spots[:, None] - spots[None, taken], axis=2).min(axis=1)
        gaps[taken] = -1
        chosen.append(front[int(np.argmax(gaps))])
    return chosen[:count]


def near_ties(
    points: Sequence[Point], intervals: Mapping[int, tuple[float, float]], images: int, count: int
) -> list[Point]:
    """Points behind the front that nothing on it beats for certain, the most accurate first.

    A member of the front beats a point for certain where it is more accurate by two standard errors of the difference
    of two accuracies, or where the intervals of their latencies do not meet.

    Args:
        points: Candidates at the top rung.
        intervals: Predicted latency by trial, low and high.
        images: Size of the split that accuracies are of.
        count: How many at most.
    """
    front = pareto_front(points)

    def beaten(point: Point) -> bool:
        low = intervals[point.trial][0]
        error = 2 * difference_error(point.accuracy, images)
        return any(
            dominates(each, point) and (each.accuracy - point.accuracy > error or intervals[each.trial][1] < low)
            for each in front
        )

    behind = [point for point in points if point not in front and not beaten(point)]
    return sorted(behind, key=lambda point: (-point.accuracy, point.latency_ms, point.trial))[: max(0, count)]


def of_length(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe with another length of training."""
    return recipe.with_(train=recipe.train.model_dump() | {"epochs": epochs})


def no_distillation(recipe: Recipe) -> Recipe:
    """The arm that shares training, epochs and seed, and never hears the teacher."""
    return _with_losses(recipe, {"task": {"weight": 1.0}})


def plain_kd(recipe: Recipe, temperature: float, weight: float) -> Recipe:
    """The arm that shares training, epochs and seed, with soft targets alone."""
    losses = {"task": {"weight": round(1 - weight, 6)}, "kd": {"weight": weight, "temperature": temperature}}
    arm = _with_losses(recipe, losses)
    # Nobody decides for a recipe that hears no teacher; left open, whoever makes the arm again would decide anew.
    return arm if arm.distill.targets else arm.with_(distill=arm.distill.model_dump() | {"targets": "live"})


def _with_losses(recipe: Recipe, losses: dict[str, Any]) -> Recipe:
    # The teacher is heard in the same way. Weights are as published: the settings of plain KD are known so.
    heard = {name: getattr(recipe.distill, name) for name in ("targets", "views", "mixed", "fuse")}
    return recipe.with_(distill={**heard, "balance": "none", "losses": losses})


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    span = float(values.max() - values.min()) or 1.0
    return np.asarray((values - values.min()) / span)
