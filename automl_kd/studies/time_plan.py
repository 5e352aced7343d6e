"""What the time of a round holds: how much is the search's, when it is over, and which trainings it can afford."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

from automl_kd.recipes import Recipe
from automl_kd.studies.clock import Clock
from automl_kd.studies.policy import (
    MOST_PICKS,
    PLAIN_KD,
    REPORT_SECONDS,
    Split,
    epoch_seconds,
    seconds_for_picks,
    split,
)
from automl_kd.studies.pricing import Priced
from automl_kd.studies.trials import Candidate, TrialStore

_DRAIN_SHARE = 0.25
"""Share of the search that is kept for finishing what waits; more where a single trial takes longer."""
_DRAIN_MARGIN = 1.3
_FAIR_SHARE = 0.25
"""Of the time for all, what a single training may take: a dearer student would be most of what the search learns."""
_PASSES = 3
"""A training step costs about three forward passes."""
_FLOPS_PER_SECOND = 2e10
"""Of one worker, until candidates have shown what it is here."""
_ENOUGH_TO_ESTIMATE = 3
_GATHERING_SECONDS = 60.0
"""Workers that join over the database need so long to find a driver that has started again."""


class TimePlan:
    """The time of a study's round, as it looks by what its trials took so far.

    Args:
        trials: The candidates, which show what an epoch costs.
        clock: Time used and left.
        base: Seconds of the rounds before, by phase.
        examples: Size of the training split.
        workers: How many work for the study, or did when it was driven last.
    """

    def __init__(
        self, trials: TrialStore, clock: Clock, base: Mapping[str, float], examples: int, workers: int
    ) -> None:
        self._trials = trials
        self._clock = clock
        self._base = base
        self._examples = examples
        self._workers = workers
        self._began = time.monotonic()

    @property
    def split(self) -> Split:
        """The budget of this round by phase, as it looks now."""
        seconds = self._clock.seconds()
        before = seconds.get("teacher", 0.0) + seconds.get("prepare", 0.0)
        return split(self._clock.budget - sum(self._base.values()), before, self._wanted_by_picks())

    @property
    def left(self) -> float:
        """Seconds until the search must end. Before a first trial is finished there is nothing to reserve time for."""
        if not self._trials.count("complete"):
            return self._clock.left - REPORT_SECONDS
        return self._clock.left - max(0.0, self.split.picks - self._spent("picks"))

    @property
    def draining(self) -> bool:
        """Whether what is left of the search goes to candidates that can still reach the top rung."""
        known = self._trials.seconds_per_epoch()
        longest = _DRAIN_MARGIN * statistics.median(known) * self._trials.rungs[-1] if known else 0.0
        span = self.split.search
        return min(self.left, span - self._spent("search")) < max(_DRAIN_SHARE * span, longest)

    @property
    def workers(self) -> int:
        """How many workers plans reckon with."""
        return self._workers

    def note_workers(self, now: int) -> None:
        """Reckon with the workers there are; at first, or where all are lost, with those there were."""
        gathering = now == 0 or time.monotonic() < self._began + _GATHERING_SECONDS
        self._workers = max(now, self._workers) if gathering else now

    def affordable(self, recipe: Recipe, price: Priced) -> bool:
        """Whether one training takes a fair share of the budget at most, in the search and later in full.

        What is no dearer than half of the trained candidates always is. Otherwise a budget of a few trainings, or first
        trainings that paid for the teacher's outputs, would end a search in which time is left.
        """
        at_nominal = _PASSES * self._examples / _FLOPS_PER_SECOND
        seen = [(at_nominal * flops, seconds) for flops, seconds in self._trials.epochs_seen()]
        nominal = at_nominal * price.here.flops
        if seen and nominal <= statistics.median(each for each, _ in seen):
            return True
        epoch = epoch_seconds(nominal, seen)
        parts = self.split
        in_search = epoch * self._trials.rungs[-1] <= _FAIR_SHARE * parts.search
        return in_search and epoch * recipe.train.epochs <= _FAIR_SHARE * (parts.search + parts.picks)

    def fits(self, candidate: Candidate, drain: bool) -> bool:
        """Whether its next rung, or while draining the top one, can be reached in the time left, as far as is known."""
        rungs, rung = self._trials.rungs, max(candidate.scores, default=-1)
        goal = rungs[-1] if drain else rungs[rung + 1]
        per_epoch = candidate.seconds_per_epoch(rungs)
        if per_epoch is None:
            known = self._trials.seconds_per_epoch()
            per_epoch = statistics.median(known) if len(known) >= _ENOUGH_TO_ESTIMATE else 0.0
        return (goal - (rungs[rung] if rung >= 0 else 0)) * per_epoch <= self.left

    def arrivals(self) -> int:
        """The most candidates that the time left can bring to the lowest rung, in total."""
        costs = [self._trials.rungs[0] * per_epoch for per_epoch in self._trials.seconds_per_epoch()]
        cheapest = min(costs, default=0.0)
        more = self._workers * max(0.0, self.left) / cheapest if cheapest > 0 else 1e9
        return len(costs) + int(min(more, 1e9))

    def _spent(self, phase: str) -> float:
        """Seconds of this round: a study that was given more time begins another, with picks of its own."""
        return self._clock.seconds().get(phase, 0.0) - self._base.get(phase, 0.0)

    def _wanted_by_picks(self) -> float | None:
        per_run = self._trials.seconds_per_full_run()
        if per_run is None or len(self._trials.seconds_per_epoch()) < _ENOUGH_TO_ESTIMATE:
            return None
        # A front still grows: time for one pick more than it has points now.
        front = self._trials.front_points()
        picks = min(MOST_PICKS, len(front) + 1)
        pretrained = any(self._trials.candidates[point.trial].recipe.student.start for point in front)
        return seconds_for_picks(picks, per_run, max(1, self._workers), len(PLAIN_KD), pretrained)
