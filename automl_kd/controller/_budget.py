"""How a budget is split between teacher, search and the final picks."""

from __future__ import annotations

from dataclasses import dataclass

MOST_RESERVED = 0.5
"""Share of the time after the teacher that the picks may hold back from the search."""
MOST_PICKS = 5
"""Points of the front that are distilled in full at most."""
FINISHING_SECONDS = 4.0
"""What exporting, testing and describing one pick takes."""


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


@dataclass(frozen=True)
class PickPlan:
    """How many picks are distilled in full, with how many seeds each, and whether arms are trained beside them."""

    picks: int
    seeds: int
    arms: bool

    def runs(self, candidates: int) -> int:
        """Full trainings a pick: its seeds and, as arms, as many without distillation and with the best plain KD."""
        return self.seeds + (self.seeds + candidates + self.seeds - 1 if self.arms else 0)


def plan_picks(front: int, seconds_per_run: float, seconds: float, workers: int, candidates: int) -> PickPlan:
    """The best that the time allows: first two seeds and arms, then more picks, then a third seed.

    Without time for two seeds and arms of one pick it falls back to one seed with arms, then one seed alone.

    Args:
        front: Number of points to pick from.
        seconds_per_run: Time of one full training on one worker.
        seconds: Time for all of them.
        workers: Trainings at a time.
        candidates: Number of plain-KD settings that compete.
    """
    most = min(front, MOST_PICKS)
    plans = [PickPlan(picks, seeds, True) for seeds in (3, 2) for picks in range(most, 0, -1)]
    # A third seed only once as many points as possible have two.
    plans = [plan for plan in plans if plan.seeds == 2 or plan.picks == most]
    plans += [PickPlan(1, 1, True), PickPlan(1, 1, False)]
    for plan in plans:
        if pick_seconds(plan, seconds_per_run, workers, candidates) <= seconds:
            return plan
    return plans[-1]


def pick_seconds(plan: PickPlan, seconds_per_run: float, workers: int, candidates: int) -> float:
    """Wall time that a plan takes.

    The plain-KD candidates of a pick must end before its further seeds start, so a pick is never faster than two runs
    after one another.
    """
    runs = plan.picks * plan.runs(candidates)
    rounds = max(-(-runs // workers), 2 if plan.arms and plan.seeds > 1 else 1)
    return rounds * seconds_per_run + plan.picks * FINISHING_SECONDS
