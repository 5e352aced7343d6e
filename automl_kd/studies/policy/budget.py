"""How a budget is split between teacher, search and the final picks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_RESERVED = 0.5
"""Share of the time after the teacher that the picks may hold back from the search."""
MOST_PICKS = 5
"""Points of the front that are distilled in full at most."""
LEAST_PICKS = 3
"""Points of the front for which full distillations are cut shorter where the time left does not hold them."""
SEEDS = 2
"""Seeds of a pick and of each of its arms before the next pick is compared."""
REPORT_SECONDS = 6.0
"""What the report of a study takes at its end."""
MEASURING_SECONDS = 8.0
"""What measuring the picks takes, where they can be measured here."""
FINISHING_SECONDS = 4.0
"""What exporting, testing and describing one pick takes."""
DECIDING_SECONDS = 6.0
"""What writing a pick with each of its layers alone in integers takes, where some may stay in floats."""
_MARGIN = 1.15
"""Full trainings take longer than the search's epochs lead to expect, by up to about this."""
_TRUST_IN_NOMINAL = 0.3
"""Weight of the nominal speed beside one student that was seen."""


@dataclass(frozen=True)
class Split:
    """Seconds by phase; they add up to the budget.

    Attributes:
        teacher: What the teacher took or is expected to take.
        search: For cheap runs of candidates.
        picks: Held back for the full distillation of the picks and their arms.
    """

    teacher: float
    search: float
    picks: float


def split(budget: float, teacher: float, wanted: float | None) -> Split:
    """Divide a budget.

    Args:
        budget: Seconds in all.
        teacher: Seconds that the teacher takes.
        wanted: Seconds that the picks could use, once candidates have shown what an epoch costs; None before.
    """
    left = max(0.0, budget - teacher)
    most = MOST_RESERVED * left
    picks = most if wanted is None else min(most, wanted)
    return Split(teacher, left - picks, picks)


def seconds_for_picks(
    picks: int, seconds_per_run: float, workers: int, settings: int, from_scratch: bool = False
) -> float:
    """Wall time to distil picks in full, each under ``SEEDS`` seeds beside its arms, and to deliver and report them.

    A pick takes its own seeds, as many without distillation, and as many with plain KD, whose settings compete under
    the first seed.

    Args:
        picks: Number of picks.
        seconds_per_run: Time of one full training on one worker.
        workers: Trainings at a time.
        settings: Number of plain-KD settings that compete.
        from_scratch: Whether one of the picks, the knee, is trained from random weights, too.
    """
    runs = picks * (3 * SEEDS + settings - 1) + SEEDS * from_scratch
    return _MARGIN * -(-runs // workers) * seconds_per_run + picks * FINISHING_SECONDS + REPORT_SECONDS


def full_epochs(wanted: int, least: int, seconds_per_epoch: float, seconds: float, workers: int, runs: int) -> int:
    """Length of full distillations: as wanted, or what holds so many of them where the time left is short.

    Args:
        wanted: As the recipe says.
        least: Shorter than this they are not made: the search's own runs are as long.
        seconds_per_epoch: Of one of them, on one worker.
        seconds: Left for training.
        workers: Trainings at a time.
        runs: Trainings that are to be held.
    """
    rounds = -(-runs // workers)
    holds = int(max(0.0, seconds) / (_MARGIN * rounds * max(seconds_per_epoch, 1e-9)))
    return min(wanted, max(least, holds))


def epoch_seconds(nominal: float, seen: Sequence[tuple[float, float]]) -> float:
    """Time of an epoch of a student, by what an epoch of others took.

    A part that all students share (steps, losses, the teacher) and one in proportion to their operations, fitted by
    least squares of relative errors. Operations alone would be wrong for small students: where one of 0.1 million
    takes as long as one of 1 million, one of 10 million seemed a hundred times as dear as it is.

    Args:
        nominal: Seconds that the student's operations take at a nominal speed.
        seen: The same of others, at that speed, and what their epoch took.
    """
    if not seen:
        return nominal
    at_nominal, took = np.array(seen).T
    # Until students of several sizes were seen, the nominal speed is believed and what it leaves is the shared part.
    rows = np.stack([1 / took, at_nominal / took], axis=1)
    rows, wanted = np.vstack([rows, [0.0, _TRUST_IN_NOMINAL]]), np.append(np.ones(len(took)), _TRUST_IN_NOMINAL)
    shared, speed = _non_negative(rows, wanted)
    return shared + speed * nominal


def _non_negative(rows: NDArray[np.float64], wanted: NDArray[np.float64]) -> tuple[float, float]:
    """Least squares over two coefficients, neither below 0."""
    both = np.linalg.lstsq(rows, wanted)[0]
    if both.min() < 0:
        kept = int(np.argmax(both))
        both = np.zeros(2)
        both[kept] = rows[:, kept] @ wanted / (rows[:, kept] @ rows[:, kept])
    return float(both[0]), float(both[1])
