"""The search phase: workers train candidates rung by rung until the time reserved for the picks begins."""

from __future__ import annotations

import re
import statistics
import time
from collections import deque
from collections.abc import Mapping, Sequence

from automl_kd.controller import pareto_front
from automl_kd.core import UserError, duration, folder_bytes, free_bytes
from automl_kd.execution import Answer, Executor, Failed, Stopped, Trained, TrainJob
from automl_kd.hardware import Prediction
from automl_kd.recipes import Recipe
from automl_kd.studies.answers import take_all
from automl_kd.studies.clock import Clock, StopRequest
from automl_kd.studies.policy import (
    MOST_PICKS,
    PLAIN_KD,
    REPORT_SECONDS,
    Split,
    epoch_seconds,
    hopeless,
    promotions,
    seconds_for_picks,
    split,
)
from automl_kd.studies.proposer import Proposer
from automl_kd.studies.study_files import Files
from automl_kd.studies.trials import Candidate, TrialStore

_IDENTICAL_FAILURES = 5
_MOST_ATTEMPTS = 2
_DRAIN_SHARE = 0.25
"""Share of the search that is kept for finishing what waits; more where a single trial takes longer."""
_DRAIN_MARGIN = 1.3
_FAIR_SHARE = 0.25
"""Of the time for all, what a single training may take: a dearer student would be most of what the search learns."""
_PASSES = 3
"""A training step costs about three forward passes."""
_FLOPS_PER_SECOND = 2e10
"""Of one worker, until candidates have shown what it is here."""
_WAIT_SECONDS = 0.2
_FLAT_PROPOSALS = 8
_FLAT = 1e-3
"""Share of the front's hypervolume that the best of so many proposals in a row were expected to add, at most."""
_ENOUGH_TO_ESTIMATE = 3
_LEAST_FREE_BYTES = 100_000_000
_GATHERING_SECONDS = 60.0
"""Workers that join over the database need so long to find a driver that has started again."""


class SearchPhase:
    """Drives the workers through the search.

    Args:
        store: The candidates.
        supply: Where new ones come from.
        pool: The workers.
        files: Where checkpoints go.
        clock: Time used and left.
        stop: The user's wish to stop.
        max_disk: Bytes that the study's files may take, None for what the disk has.
        base: Seconds of the rounds before, by phase.
        images: Size of the training split.
        reduction: One candidate in so many goes on from a rung.
        stop_when_flat: Whether to end before the time once hardly any improvement is expected.
        known_workers: How many worked for the study when it was driven last.
    """

    def __init__(
        self,
        store: TrialStore,
        supply: Proposer,
        pool: Executor[int],
        files: Files,
        clock: Clock,
        stop: StopRequest,
        max_disk: float | None,
        base: Mapping[str, float],
        images: int,
        reduction: int,
        stop_when_flat: bool,
        known_workers: int,
    ) -> None:
        self._store = store
        self._supply = supply
        self._pool = pool
        self._files = files
        self._clock = clock
        self._stop = stop
        self._max_disk = max_disk
        self._ready: deque[Candidate] = deque(
            each for each in store.candidates.values() if each.status == "waiting" and not each.accuracies
        )
        self._recent_failures: deque[str] = deque(maxlen=_IDENTICAL_FAILURES)
        self._base = base
        self._images = images
        self._reduction = reduction
        self._stop_when_flat = stop_when_flat
        self._known_workers = known_workers
        self._began = time.monotonic()
        self._gains: deque[float] = deque(maxlen=_FLAT_PROPOSALS)
        self.full: str | None = None

    @property
    def split(self) -> Split:
        """The budget of this round by phase, as it looks now."""
        seconds = self._clock.seconds()
        before = seconds.get("teacher", 0.0) + seconds.get("prepare", 0.0)
        return split(self._clock.budget - sum(self._base.values()), before, self._wanted_by_picks())

    def _spent(self, phase: str) -> float:
        """Seconds of this round: a study that was given more time begins another, with picks of its own."""
        return self._clock.seconds().get(phase, 0.0) - self._base.get(phase, 0.0)

    @property
    def left(self) -> float:
        """Seconds until the search must end. Before a first trial is finished there is nothing to reserve time for."""
        if not self._store.count("complete"):
            return self._clock.left - REPORT_SECONDS
        return self._clock.left - max(0.0, self.split.picks - self._spent("picks"))

    @property
    def over(self) -> bool:
        """Whether the search phase has come to its end, for whatever reason."""
        return bool(self._stop) or self.full is not None or self.left <= 0 or self.flat

    @property
    def flat(self) -> bool:
        """Whether the search was asked to end once hardly any improvement is expected, and that is so."""
        gains = [*self._gains, *((self._store.worth() or {}).values() if self._stop_when_flat else ())]
        return self._stop_when_flat and len(self._gains) == _FLAT_PROPOSALS and max(gains) < _FLAT

    def step(self) -> None:
        """Hand out work, prepare the next candidate while workers are busy, and take in answers.

        Raises:
            UserError: If the same failure came five times in a row, or one that every trial would meet.
        """
        while self._pool.idle and (candidate := self._next()) is not None:
            self._submit(candidate)
        if not self._ready and not self._pool.idle:
            self._prepare()
        self.take(self._pool.wait(_WAIT_SECONDS))
        self._retire_hopeless()
        self._watch_disk()

    @property
    def workers(self) -> int:
        """How many trainings can run at a time now."""
        return self._pool.size

    @property
    def counted_on(self) -> int:
        """How many workers plans reckon with: those there are, and at first or where all are lost, those there were."""
        now = self._pool.size
        if now == 0 or time.monotonic() < self._began + _GATHERING_SECONDS:
            return max(now, self._known_workers)
        self._known_workers = now
        return now

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing more can be started in the time left."""
        return not self._pool.running and self._next(peek=True) is None

    def take(self, answers: Sequence[tuple[int, Answer]]) -> None:
        """Store what workers answered: all of it, also where one answer ends the search.

        Raises:
            UserError: As for :meth:`step`.
        """
        take_all(answers, self._take)

    def abandon(self) -> None:
        """Give up on workers that do not answer after their time; their candidates wait where they were."""
        for number in self._pool.abandon():
            self._store.note_death(self._store.candidates[number])

    def why_empty(self) -> str:
        """Why no trial reached the top rung, and what would help."""
        candidates, top = self._store.candidates.values(), self._store.rungs[-1]
        if self._supply.exhausted and not candidates:
            return "the search space holds no candidate within the limits that the budget can train"
        faults = [each.fault for each in candidates if each.fault is not None]
        if faults and len(faults) == len(candidates):
            all_of_them = "the only trial" if len(faults) == 1 else f"all {len(faults)} trials"
            return f"{all_of_them} failed, the last: {faults[-1]}"
        known = self._store.seconds_per_epoch()
        trial = min(known) * top if known else 2 * self._clock.seconds()["search"]
        cost = "takes about" if known else "takes more than"
        return (
            f"budget {duration(self._clock.budget)} is too short: no trial reached {top} epochs, one"
            f" {cost} {duration(trial)}; add at least {duration(2 * trial)} with --extend"
        )

    def _take(self, number: int, answer: Answer) -> None:
        candidate = self._store.candidates[number]
        match answer:
            case Trained(score, _, epoch, seconds, between):
                self._store.arrive(candidate, self._store.rungs.index(epoch), score, seconds, between)
                self._recent_failures.clear()
                if candidate.status == "complete":
                    self._files.checkpoint(number).unlink(missing_ok=True)
            case Stopped():
                candidate.status = "waiting"
                if not candidate.accuracies:
                    self._ready.append(candidate)
            case Failed(reason, fatal, worker_died):
                if fatal:
                    candidate.status = "waiting"
                    raise UserError(reason)
                self._fail(candidate, reason, worker_died)
            case _:
                raise AssertionError(f"a training answered {answer}")

    def close(self, reason: str) -> None:
        """Tell every candidate that still waits that it lost, and delete its checkpoint."""
        for candidate in self._store.candidates.values():
            if candidate.status == "waiting":
                self._prune(candidate, reason)

    def _next(self, *, peek: bool = False) -> Candidate | None:
        if self.over:
            return None
        drain = self.draining
        going = promotions(
            self._store.rung_records(),
            len(self._store.rungs),
            reduction=self._reduction,
            worth=self._store.worth(),
            drain=drain,
        )
        for number in going:
            candidate = self._store.candidates[number]
            if self._fits(candidate, drain):
                return candidate
        if not self._ready and not self._supply.exhausted:
            self._prepare()
        if self._ready and self._fits(self._ready[0], drain):
            return self._ready[0] if peek else self._ready.popleft()
        return None

    @property
    def draining(self) -> bool:
        """Whether what is left of the search goes to candidates that can still reach the top rung."""
        known = self._store.seconds_per_epoch()
        longest = _DRAIN_MARGIN * statistics.median(known) * self._store.rungs[-1] if known else 0.0
        span = self.split.search
        return min(self.left, span - self._spent("search")) < max(_DRAIN_SHARE * span, longest)

    def _prepare(self) -> None:
        if not self._supply.exhausted:
            candidate = self._supply.next(self.affordable)
            if candidate is not None:
                self._ready.append(candidate)
                gain = self._store.expected_gain()
                self._gains.extend([] if gain is None else [gain])

    def affordable(self, recipe: Recipe, price: Prediction) -> bool:
        """Whether one training takes a fair share of the budget at most, in the search and later in full."""
        at_nominal = _PASSES * self._images / _FLOPS_PER_SECOND
        seen = [(at_nominal * flops, seconds) for flops, seconds in self._store.epochs_seen()]
        epoch = epoch_seconds(at_nominal * price.flops, seen)
        parts = self.split
        in_search = epoch * self._store.rungs[-1] <= _FAIR_SHARE * parts.search
        return in_search and epoch * recipe.train.epochs <= _FAIR_SHARE * (parts.search + parts.picks)

    def _fits(self, candidate: Candidate, drain: bool) -> bool:
        """Whether its next rung, or while draining the top one, can be reached in the time left, as far as is known."""
        rungs, rung = self._store.rungs, max(candidate.accuracies, default=-1)
        goal = rungs[-1] if drain else rungs[rung + 1]
        per_epoch = candidate.seconds_per_epoch(rungs)
        if per_epoch is None:
            known = self._store.seconds_per_epoch()
            per_epoch = statistics.median(known) if len(known) >= _ENOUGH_TO_ESTIMATE else 0.0
        return (goal - (rungs[rung] if rung >= 0 else 0)) * per_epoch <= self.left

    def _submit(self, candidate: Candidate) -> None:
        rungs = self._store.rungs
        candidate.status = "running"
        job = TrainJob(
            recipe=candidate.recipe,
            total_epochs=rungs[-1],
            until=rungs[max(candidate.accuracies, default=-1) + 1],
            checkpoint=self._files.checkpoint(candidate.number),
            weights=self._files.weights(candidate.number),
            deadline=time.monotonic() + max(0.0, self.left),
            trained=candidate.seconds,
        )
        self._pool.submit(candidate.number, job)

    def _fail(self, candidate: Candidate, reason: str, worker_died: bool) -> None:
        if worker_died:
            self._store.note_death(candidate)
            if candidate.attempts < _MOST_ATTEMPTS:
                if not candidate.accuracies:
                    self._ready.append(candidate)
                return
        self._store.fail(candidate, reason)
        self._files.checkpoint(candidate.number).unlink(missing_ok=True)
        self._recent_failures.append(
            re.sub(r"\d+", "#", reason)
        )  # step numbers and addresses differ, the fault does not
        if len(self._recent_failures) == _IDENTICAL_FAILURES and len(set(self._recent_failures)) == 1:
            raise UserError(f"stopped: {_IDENTICAL_FAILURES} trials in a row failed alike: {reason}")

    def _prune(self, candidate: Candidate, reason: str) -> None:
        self._store.prune(candidate, reason)
        self._files.checkpoint(candidate.number).unlink(missing_ok=True)

    def _retire_hopeless(self) -> None:
        for number in hopeless(self._store.rung_records(), len(self._store.rungs), self._expected(), self._reduction):
            self._prune(self._store.candidates[number], "as many stand before it as will ever go on")

    def _expected(self) -> int:
        """The most candidates that the time left can bring to the lowest rung, in total."""
        costs = [self._store.rungs[0] * per_epoch for per_epoch in self._store.seconds_per_epoch()]
        cheapest = min(costs, default=0.0)
        more = self.counted_on * max(0.0, self.left) / cheapest if cheapest > 0 else 1e9
        return len(costs) + int(min(more, 1e9))

    def _arrived(self) -> list[Candidate]:
        return [each for each in self._store.candidates.values() if each.accuracies]

    def _wanted_by_picks(self) -> float | None:
        per_run = self._store.seconds_per_full_run()
        if per_run is None or len(self._arrived()) < _ENOUGH_TO_ESTIMATE:
            return None
        # A front still grows: time for one pick more than it has points now.
        picks = min(MOST_PICKS, len(pareto_front(self._store.complete())) + 1)
        return seconds_for_picks(picks, per_run, max(1, self.counted_on), len(PLAIN_KD))

    def _watch_disk(self) -> None:
        if self._max_disk is not None and folder_bytes(self._files.folder) > self._max_disk:
            waiting = [each for each in self._arrived() if each.status == "waiting"]
            if waiting:
                worst = min(waiting, key=lambda each: each.accuracies[max(each.accuracies)])
                self._prune(worst, "its checkpoint made room for others (--max-disk)")
            else:
                self.full = f"the study's files take the {self._max_disk / 1e6:.0f} MB that --max-disk allows"
        elif free_bytes(self._files.folder) < _LEAST_FREE_BYTES:
            self.full = f"less than {_LEAST_FREE_BYTES / 1e6:.0f} MB are left on the disk of {self._files.folder}"
