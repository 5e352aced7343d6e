"""The search phase: workers train candidates rung by rung until the time reserved for the picks begins."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Sequence

from automl_kd.core import UserError, duration, folder_bytes, free_bytes
from automl_kd.execution import Answer, Executor, Failed, Stopped, Trained, TrainJob
from automl_kd.studies.answers import take_all
from automl_kd.studies.attributes import ENDED_BY_OWNER
from automl_kd.studies.context import StudyContext
from automl_kd.studies.policy import hopeless, promotions
from automl_kd.studies.proposer import Proposer
from automl_kd.studies.time_plan import TimePlan
from automl_kd.studies.trials import Candidate, TrialStore

_IDENTICAL_FAILURES = 5
_MOST_ATTEMPTS = 2
_WAIT_SECONDS = 0.2
_FLAT_PROPOSALS = 8
_FLAT = 1e-3
"""Share of the front's hypervolume that the best of so many proposals in a row were expected to add, at most."""
_LEAST_FREE_BYTES = 100_000_000
_OVERDUE_SECONDS = 8.0


class SearchPhase:
    """Drives the workers through the search.

    Args:
        context: The study at hand.
        trials: The candidates.
        plan: What the time holds.
        proposer: Where new candidates come from.
        pool: The workers.

    Attributes:
        full: Why there is no room for more files, None as long as there is.
    """

    def __init__(
        self,
        context: StudyContext,
        trials: TrialStore,
        plan: TimePlan,
        proposer: Proposer,
        pool: Executor[int],
    ) -> None:
        self._context = context
        self._trials = trials
        self._plan = plan
        self._proposer = proposer
        self._pool = pool
        self._reduction = context.prepared.space.halving.reduction
        self._ready: deque[Candidate] = deque(
            each for each in trials.candidates.values() if each.status == "waiting" and not each.scores
        )
        self._recent_failures: deque[str] = deque(maxlen=_IDENTICAL_FAILURES)
        self._gains: deque[float] = deque(maxlen=_FLAT_PROPOSALS)
        self._heeded: frozenset[int] = frozenset()
        self.full: str | None = None
        self._forget_checkpoints()

    @property
    def over(self) -> bool:
        """Whether the search phase has come to its end, for whatever reason."""
        return bool(self._context.stop) or self.full is not None or self._plan.left <= 0 or self.flat

    @property
    def flat(self) -> bool:
        """Whether the search was asked to end once hardly any improvement is expected, and that is so."""
        if not self._context.request.stop_when_flat or len(self._gains) < _FLAT_PROPOSALS:
            return False
        return max([*self._gains, *(self._proposer.worth() or {}).values()]) < _FLAT

    @property
    def goes_on(self) -> bool:
        """Whether something runs that is worth waiting for, or can still be started."""
        if self._pool.running:
            return not self._context.stop and self.full is None
        return not self.over and self._next(peek=True) is not None

    def step(self) -> None:
        """Hand out work, prepare the next candidate while workers are busy, and take in answers.

        Once the search is over, only take in answers: the deadline of a training ends it within a step.

        Raises:
            UserError: If the same failure came five times in a row, or one that every trial would meet.
        """
        self._heed()
        if self.over:
            self.take(self._pool.wait(_WAIT_SECONDS))
            if self._plan.left < -_OVERDUE_SECONDS:
                self._abandon()
            return
        self._plan.note_workers(self._pool.size)
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

    def take(self, answers: Sequence[tuple[int, Answer]]) -> None:
        """Store what workers answered: all of it, also where one answer ends the search.

        Raises:
            UserError: As for :meth:`step`.
        """
        take_all(answers, self._take)

    def close(self, reason: str) -> None:
        """Tell every candidate that still waits that it lost, and delete its checkpoint."""
        for candidate in self._trials.candidates.values():
            if candidate.status == "waiting":
                self._prune(candidate, reason)

    def why_empty(self) -> str:
        """Why no trial reached the top rung, and what would help."""
        candidates, top = self._trials.candidates.values(), self._trials.rungs[-1]
        if self._proposer.exhausted and not candidates:
            return "the search space holds no candidate within the limits that the budget can train"
        faults = [each.fault for each in candidates if each.fault is not None]
        if faults and len(faults) == len(candidates):
            all_of_them = "the only trial" if len(faults) == 1 else f"all {len(faults)} trials"
            return f"{all_of_them} failed, the last: {faults[-1]}"
        known = self._trials.seconds_per_epoch()
        trial = min(known) * top if known else 2 * self._context.clock.seconds()["search"]
        cost = "takes about" if known else "takes more than"
        return (
            f"budget {duration(self._context.clock.budget)} is too short: no trial reached {top} epochs, one"
            f" {cost} {duration(trial)}; add at least {duration(2 * trial)} with --extend"
        )

    def _abandon(self) -> None:
        """Give up on workers that do not answer after their time; their candidates wait where they were."""
        for candidate in map(self._trials.candidates.__getitem__, self._pool.abandon()):
            if candidate.given_up is None:
                self._trials.note_death(candidate)
            else:
                self._prune(candidate, candidate.given_up)

    def _heed(self) -> None:
        """Take over what is wished for: more time, and the end of trials."""
        self._context.take_more_time()
        ended = self._context.wishes.ended
        for number in ended - self._heeded:
            candidate = self._trials.candidates.get(number)
            if candidate is not None and candidate.status in ("waiting", "running"):
                self._end(candidate)
        self._heeded = ended

    def _end(self, candidate: Candidate) -> None:
        if candidate.status == "running":
            self._trials.give_up(candidate, ENDED_BY_OWNER)
            self._pool.cancel(candidate.number)
        else:
            self._prune(candidate, ENDED_BY_OWNER)
            self._ready = deque(each for each in self._ready if each is not candidate)

    def _take(self, number: int, answer: Answer) -> None:
        candidate = self._trials.candidates[number]
        match answer:
            case Trained():
                self._trials.arrive(candidate, self._trials.rungs.index(answer.epoch), answer)
                self._recent_failures.clear()
                if candidate.status != "waiting":
                    self._context.files.checkpoint(number).unlink(missing_ok=True)
            case Stopped():
                if candidate.given_up is not None:
                    self._prune(candidate, candidate.given_up)
                    return
                candidate.status = "waiting"
                if not self.over:  # else nobody is told of it, and the disk may be full
                    self._trials.rest(candidate)
                if not candidate.scores:
                    self._ready.append(candidate)
            case Failed(reason, fatal, worker_died):
                if fatal:
                    candidate.status = "waiting"
                    raise UserError(reason)
                if candidate.given_up is None:
                    self._fail(candidate, reason, worker_died)
                else:
                    self._prune(candidate, candidate.given_up)
            case _:
                raise AssertionError(f"a training answered {answer}")

    def _next(self, *, peek: bool = False) -> Candidate | None:
        if self.over:
            return None
        # Where nothing new can come, nothing is gained by waiting for others to compare with.
        drain = self._plan.draining or self._proposer.exhausted
        going = promotions(
            self._trials.rung_records(),
            len(self._trials.rungs),
            self._trials.objectives.all,
            reduction=self._reduction,
            worth=self._proposer.worth(),
            drain=drain,
        )
        for number in going:
            candidate = self._trials.candidates[number]
            if self._plan.fits(candidate, drain):
                return candidate
        if not self._ready and not self._proposer.exhausted:
            self._prepare()
            if self._proposer.exhausted:
                return self._next(peek=peek)
        if self._ready and self._plan.fits(self._ready[0], drain):
            return self._ready[0] if peek else self._ready.popleft()
        return None

    def _prepare(self) -> None:
        candidate = None if self._proposer.exhausted else self._proposer.next()
        if candidate is not None:
            self._ready.append(candidate)
            gain = self._proposer.expected_gain()
            self._gains.extend([] if gain is None else [gain])

    def _submit(self, candidate: Candidate) -> None:
        rungs, files = self._trials.rungs, self._context.files
        job = TrainJob(
            recipe=candidate.recipe,
            total_epochs=rungs[-1],
            until=rungs[max(candidate.scores, default=-1) + 1],
            checkpoint=files.checkpoint(candidate.number),
            weights=files.weights(candidate.number),
            deadline=time.monotonic() + max(0.0, self._plan.left),
            trained=candidate.seconds,
            log=files.trial_log(candidate.number),
        )
        self._trials.begin(candidate, job.until)
        self._pool.submit(candidate.number, job)

    def _fail(self, candidate: Candidate, reason: str, worker_died: bool) -> None:
        if worker_died:
            self._trials.note_death(candidate)
            if candidate.attempts < _MOST_ATTEMPTS:
                if not candidate.scores:
                    self._ready.append(candidate)
                return
        self._trials.fail(candidate, reason)
        self._context.files.checkpoint(candidate.number).unlink(missing_ok=True)
        # Step numbers and addresses differ, the fault does not.
        self._recent_failures.append(re.sub(r"\d+", "#", reason))
        if len(self._recent_failures) == _IDENTICAL_FAILURES and len(set(self._recent_failures)) == 1:
            raise UserError(f"stopped: {_IDENTICAL_FAILURES} trials in a row failed alike: {reason}")

    def _prune(self, candidate: Candidate, reason: str) -> None:
        self._trials.prune(candidate, reason)
        self._context.files.checkpoint(candidate.number).unlink(missing_ok=True)

    def _forget_checkpoints(self) -> None:
        """Delete what a driver left that was killed between a trial's end and this."""
        for candidate in self._trials.candidates.values():
            if candidate.status != "waiting":
                self._context.files.checkpoint(candidate.number).unlink(missing_ok=True)

    def _retire_hopeless(self) -> None:
        out = hopeless(
            self._trials.rung_records(),
            len(self._trials.rungs),
            self._trials.objectives.all,
            self._plan.arrivals(),
            self._reduction,
        )
        for number in out:
            self._prune(self._trials.candidates[number], "as many stand before it as will ever go on")

    def _watch_disk(self) -> None:
        folder, most = self._context.files.folder, self._context.request.disk
        if most is not None and folder_bytes(folder) > most:
            waiting = [each for each in self._trials.candidates.values() if each.scores and each.status == "waiting"]
            if waiting:
                goodness = self._trials.objectives.score.goodness
                worst = min(waiting, key=lambda each: goodness(each.scores[max(each.scores)]))
                self._prune(worst, "its checkpoint made room for others (--max-disk)")
            else:
                self.full = f"the study's files take the {most / 1e6:.0f} MB that --max-disk allows"
        elif free_bytes(folder) < _LEAST_FREE_BYTES:
            self.full = f"less than {_LEAST_FREE_BYTES / 1e6:.0f} MB are left on the disk of {folder}"
