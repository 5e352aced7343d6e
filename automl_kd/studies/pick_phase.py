"""The picks phase: points of the front distilled in full, several seeds, beside arms that share everything else."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from automl_kd.compression import undecided
from automl_kd.core import UserError
from automl_kd.execution import Answer, Evaluated, EvaluateJob, Executor, Failed, Job, Stopped, Trained, TrainJob
from automl_kd.results import ARMS, Arm, defined
from automl_kd.studies.answers import take_all
from automl_kd.studies.context import StudyContext
from automl_kd.studies.pick import Pick, Run, RunOnTest, RunResult
from automl_kd.studies.policy import (
    DECIDING_SECONDS,
    FINISHING_SECONDS,
    MEASURING_SECONDS,
    REPORT_SECONDS,
    SEEDS,
    of_length,
)

TEACHER = "teacher"
_WAIT_SECONDS = 0.2
_FORWARD_SHARE = 0.4
"""Of a training step, what only looking at the examples takes, generously."""
_LAYERS = 20
"""Of a student, about: each is tried alone on search-validation where it is decided which compute with floats."""
_READINGS = 3
"""Times that delivery reads the test split: in torch, in ONNX, and in ONNX in the precision of the device."""


class PickPhase:
    """Trains the runs of all picks, then reads the test split with those that are reported.

    Args:
        context: The study at hand.
        picks: In the order of their worth.
        study_hash: Hash of data and teacher: what results of equal recipes depend on.
        pool: The workers.

    Attributes:
        failures: Why runs could not be done, one reason a failure.
    """

    def __init__(
        self,
        context: StudyContext,
        picks: list[Pick],
        study_hash: str,
        pool: Executor[Any],
    ) -> None:
        task, measured_here = context.prepared.task, context.prepared.profile.measurable
        self._context = context
        self._picks = picks
        self._hash = study_hash
        self._pool = pool
        self._report_seconds = REPORT_SECONDS + (MEASURING_SECONDS if measured_here else 0.0)
        self._test_share = len(task.test) / len(task.train)
        self._validation_share = len(task.validation) / len(task.train)
        self._examples = len(task.validation)
        self._done = dict(context.database.jobs(context.name))
        # By key, not by run: equal trainings of two picks are one, and share a checkpoint.
        self._running: dict[str, Run] = {}
        self._died: set[str] = set()
        self._failed: dict[str, str] = {}
        self.failures: list[str] = []

    @property
    def left(self) -> float:
        """Seconds left for training, with time to test and deliver kept aside."""
        return self._left()

    @property
    def done(self) -> int:
        """Runs that have ended."""
        return sum(len(pick.results) + len(pick.failed) for pick in self._picks)

    def step(self) -> bool:
        """Hand out work and take in answers; false once nothing runs and nothing more fits.

        Raises:
            UserError: If a training met what every other would meet, after all answers that arrived are stored.
        """
        while self._pool.idle and (run := self._next()) is not None:
            self._pool.submit(run, self._job(run))
            self._running[run.key(self._hash)] = run
        self.take_all(self._pool.wait(_WAIT_SECONDS))
        return bool(self._running) or self._next() is not None

    def take_all(self, answers: Sequence[tuple[Run, Answer]]) -> None:
        """Store what workers answered: all of it, also where one answer ends the phase.

        Raises:
            UserError: If a training met what every other would meet.
        """
        take_all(answers, self.take)

    def take(self, run: Run, answer: Answer) -> None:
        """Store what a worker answered.

        Raises:
            UserError: If the training met what every other would meet.
        """
        key, pick = run.key(self._hash), self._pick(run)
        self._running.pop(key, None)
        match answer:
            case Trained():
                pick.results[run] = result = RunResult(
                    score=answer.score,
                    error=answer.error,
                    values=dict(answer.values),
                    epochs=answer.epoch,
                    seconds=answer.seconds,
                    arm=run.arm,
                    trial=run.pick,
                )
                self._done[key] = result.model_dump(mode="json")
                self._context.database.finish_job(self._context.name, key, self._done[key])
                self._context.files.job_checkpoint(key).unlink(missing_ok=True)  # only now that its result is stored
            case Stopped():
                pass
            case Failed(_, _, worker_died) if worker_died and key not in self._died:
                self._died.add(key)
            case Failed(reason, fatal, _):
                if fatal:
                    raise UserError(reason)
                self._failed[key] = pick.failed[run] = reason
                self.failures.append(reason)
            case _:
                raise AssertionError(f"a training answered {answer}")

    def fall_back(self, epochs: int) -> None:
        """Where the time held no full training of any pick, the first is delivered as the search left it.

        It stands without arms: none was trained as the search trains.

        Args:
            epochs: That the search trains a candidate for.
        """
        first, candidate = self._picks[0], self._picks[0].candidate
        run = Run(candidate.number, "searched", 0, of_length(candidate.recipe, epochs), kept=True)
        known = candidate.attributes
        result = RunResult(
            score=candidate.scores[max(candidate.scores)],
            error=known.error,
            values=known.metrics,
            epochs=epochs,
            seconds=candidate.seconds,
        )
        first.results = {run: result}
        self._picks[1:] = []

    def test(self) -> Mapping[str, float]:
        """Read the test split, once for every run that is reported and for the teacher.

        It goes on when the budget is used up: time for it was kept aside, and picks without it are worth nothing.
        A run whose test cannot be read is left out and counted among the failures.

        Returns:
            All metrics of the teacher, empty where it answers nothing or they could not be computed.

        Raises:
            Interrupted: If the user asked to stop.
            UserError: If a job met what every other would meet, after all answers that arrived are stored.
        """
        reported: dict[str, list[Run]] = {}
        for pick in self._picks:
            for run in (run for arm in ARMS for run in pick.compared(arm)):
                reported.setdefault(run.key(self._hash), []).append(run)
        unread = not self._teacher_values() and all(pick.answered for pick in self._picks)
        jobs: list[tuple[str, Job]] = [(TEACHER, EvaluateJob(None, None))] if unread else []
        for key, runs in reported.items():
            run = runs[0]
            log = self._context.files.trial_log(run.pick)
            jobs.append((key, EvaluateJob(self._pick(run).shipped(run), self.weights(run), log)))
        under_way: dict[str, Job] = {}
        while jobs or self._pool.running:
            if self._context.stop:
                raise self._context.interrupted()
            self._context.beat()
            while jobs and self._pool.idle:
                key, job = jobs.pop(0)
                self._pool.submit(key, job)
                under_way[key] = job
            fatal: str | None = None
            for key, answer in self._pool.wait(_WAIT_SECONDS):
                match answer:
                    case Evaluated():
                        self._store_test(key, reported.get(key, []), _on_test(answer))
                    case Stopped():  # its worker left
                        jobs.append((key, under_way[key]))
                    case Failed(_, _, worker_died) if worker_died and key not in self._died:
                        self._died.add(key)
                        jobs.append((key, under_way[key]))
                    case Failed(reason, is_fatal, _):
                        self.failures.append(reason)
                        fatal = fatal or (reason if is_fatal else None)
            if fatal is not None:
                raise UserError(fatal)
        return self._teacher_values()

    def _store_test(self, key: str, runs: list[Run], test: RunOnTest) -> None:
        if key == TEACHER:
            self._done[TEACHER] = {"values": defined(test.values)}
            self._context.database.finish_job(self._context.name, TEACHER, self._done[TEACHER])
        for run in runs:
            self._pick(run).tests[run] = test

    def _teacher_values(self) -> dict[str, float]:
        """All metrics of the teacher on the test split, as far as they were read; version 0.1 kept an accuracy."""
        known = self._done.get(TEACHER, {})
        values: dict[str, float] = known.get("values") or {}
        return values or ({"accuracy": known["accuracy"]} if "accuracy" in known else {})

    def weights(self, run: Run) -> Path:
        """The student that a finished run made."""
        if run.kept:
            return self._context.files.weights(run.pick)
        return self._context.files.job_weights(run.key(self._hash))

    def _left(self, training: int | None = None) -> float:
        # A pick that is begun will be delivered: where the time for that is not kept aside from its first run on, the
        # run takes it, is stopped, and seems to fit again.
        begun = {training, *(run.pick for run in self._running.values())}
        delivered = [pick for pick in self._picks if pick.results or pick.candidate.number in begun]
        return self._context.clock.left - self._report_seconds - sum(map(self._finishing, delivered or self._picks[:1]))

    def _next(self) -> Run | None:
        if self._context.stop:
            return None
        for pick, run in self._order():
            key = run.key(self._hash)
            if run in pick.results or run in pick.failed or key in self._running:
                continue
            stored = self._done.get(key)
            if stored is not None and self.weights(run).exists():
                pick.results[run] = RunResult.of(stored, self._examples)
            elif key in self._failed:
                pick.failed[run] = self._failed[key]
            elif self._seconds(pick, run.arm) <= self._left(run.pick):
                return run
        return None

    def _order(self) -> Iterator[tuple[Pick, Run]]:
        """Each pick itself, so that a short time covers the front; then what it is compared with, pick by pick.

        Only then, where time is left, each under one seed more.
        """
        yield from ((pick, next(pick.runs(0))) for pick in self._picks)
        yield from ((pick, run) for pick in self._picks for seed in range(SEEDS) for run in pick.runs(seed))
        yield from ((pick, run) for pick in self._picks for run in pick.runs(SEEDS))

    def _seconds(self, pick: Pick, arm: Arm) -> float:
        """What a run of this arm takes: what its like took so far, or else what the search leads to expect."""
        seen = [result.seconds for run, result in pick.results.items() if run.arm == arm]
        return statistics.fmean(seen) if seen else pick.seconds_per_epoch * pick.epochs

    def _finishing(self, pick: Pick) -> float:
        """What it takes to read the test split with a pick's runs, then again while it is delivered."""
        once = _FORWARD_SHARE * pick.seconds_per_epoch * self._test_share
        forms = 2 if pick.candidate.recipe.compress else 1
        runs = forms * sum(len(pick.compared(arm)) for arm in ARMS)
        return self._deciding(pick) + FINISHING_SECONDS + once * (runs / max(1, self._pool.size) + _READINGS)

    def _deciding(self, pick: Pick) -> float:
        """What it takes to decide which layers compute with floats, where the space leaves that open."""
        if undecided(pick.candidate.recipe.compress) is None:
            return 0.0
        return DECIDING_SECONDS + _LAYERS * _FORWARD_SHARE * pick.seconds_per_epoch * self._validation_share

    def _job(self, run: Run) -> TrainJob:
        key = run.key(self._hash)
        epochs = run.recipe.train.epochs
        return TrainJob(
            recipe=run.recipe,
            total_epochs=epochs,
            until=epochs,
            checkpoint=self._context.files.job_checkpoint(key),
            weights=self.weights(run),
            deadline=time.monotonic() + max(0.0, self._left(run.pick)),
            log=self._context.files.trial_log(run.pick),
        )

    def _pick(self, run: Run) -> Pick:
        return next(pick for pick in self._picks if pick.candidate.number == run.pick)


def _on_test(answer: Evaluated) -> RunOnTest:
    beside = answer.uncompressed
    return RunOnTest(answer.values, answer.statistics, None if beside is None else _on_test(beside))
