"""A round of picks: points of the front chosen, distilled in full, tested, delivered and reported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from automl_kd.core import UserError
from automl_kd.distillation import ResolvedTeacher
from automl_kd.execution import Executor
from automl_kd.objectives import Objective, Point, choose_spread, knee, near_ties, share_error
from automl_kd.recipes import digest
from automl_kd.results import ARMS, TeacherResult
from automl_kd.studies.context import StudyContext
from automl_kd.studies.layer_decision import decide_layers
from automl_kd.studies.pick import KNEE, Pick
from automl_kd.studies.pick_phase import PickPhase
from automl_kd.studies.pick_result import Finding, finding
from automl_kd.studies.policy import FINISHING_SECONDS, LEAST_PICKS, MOST_PICKS, REPORT_SECONDS, full_epochs
from automl_kd.studies.publishing import Publisher
from automl_kd.studies.report import publish_report
from automl_kd.studies.state import ACCURACY, FullEpochs
from automl_kd.studies.trials import Candidate, TrialStore

_MOST_TIES = 1
"""Picks from behind the front, which are distilled last: what the search saw does not tell them from it."""


class PickRound:
    """The last part of a study's round.

    Args:
        context: The study at hand.
        trials: The candidates.
        teacher: Who teaches.
        pool: The workers.
    """

    def __init__(
        self, context: StudyContext, trials: TrialStore, teacher: ResolvedTeacher, pool: Executor[Any]
    ) -> None:
        self._context = context
        self._trials = trials
        self._teacher = teacher
        self._pool = pool

    def run(self) -> None:
        """Choose, distil, test, deliver and report.

        Raises:
            UserError: If no pick could be distilled, or a training met what every other would meet.
            Interrupted: If the user asked to stop, or for more time.
        """
        self._context.clock.enter("picks")
        # They are chosen and cut to what is left: more time is another round's.
        self._context.stop.heed_more_than(self._context.clock.budget)
        picks = self._choose()
        phase = self._distilled(picks)
        decide_layers(self._context, picks, phase.weights)
        self._tell("reading the test split")
        self._note_teacher(phase)
        if self._context.stop:
            raise self._context.interrupted()
        metric = self._context.prepared.task.metric
        found = [(pick, each) for pick in picks if (each := finding(pick, metric)) is not None]
        if not found:
            raise UserError(f"no pick could be distilled in full: {phase.failures[0]}")
        told = [pick for pick, _ in found]
        self._context.book.note(undistilled=tuple(pick.undistilled() for pick in picks if pick not in told))
        self._deliver(found, phase)
        self._tell("writing the report")
        self._context.clock.save(self._context.database, self._context.name)
        publish_report(self._context.database, self._context.storage, self._context.name)

    def _distilled(self, picks: list[Pick]) -> PickPhase:
        context, task = self._context, self._context.prepared.task
        study_hash = digest([task.sha256, self._teacher.teacher.sha256])
        phase = PickPhase(context, picks, study_hash, self._pool)
        try:
            while phase.step() and not context.stop:
                self._tell(f"distilling picks and their arms in full, {phase.done} trainings done")
        finally:
            if context.stop:
                phase.take_all(self._pool.stop())
        if context.stop:
            raise context.interrupted()
        if not any(pick.compared(arm) for pick in picks for arm in ARMS) and not phase.failures:
            phase.fall_back(self._trials.rungs[-1])
            context.observer.note(
                "the time left held no full distillation: the pick is as the search left it; --extend gives more"
            )
        return phase

    def _note_teacher(self, phase: PickPhase) -> None:
        book, metric = self._context.book, self._context.prepared.task.metric
        values = dict(phase.test())
        book.note(
            teacher=TeacherResult(
                **{**dict(book.progress.teacher), "score": values.get(metric.name), "metrics": values}
            )
        )

    def _deliver(self, found: Sequence[tuple[Pick, Finding]], phase: PickPhase) -> None:
        context, files = self._context, self._context.files
        publisher = Publisher(context)
        for pick, each in found:
            self._tell(f"delivering trial {pick.candidate.number}")
            publisher.deliver(pick, each, phase.weights(pick.delivered()))
        if context.prepared.profile.measurable:
            self._tell("measuring the picks")
            numbers = [pick.candidate.number for pick, _ in found]
            times = publisher.measure([files.pick(number) for number in numbers])
            context.book.note(measured=dict(zip(numbers, times, strict=True)))

    def _choose(self) -> list[Pick]:
        context, trials, objectives = self._context, self._trials, self._context.objectives
        points = trials.complete()
        front = trials.front_points()
        chosen = choose_spread(points, objectives.all, MOST_PICKS)
        examples = len(context.prepared.task.validation)
        intervals = {
            point.trial: [each.interval(trials.candidates[point.trial].price)[1:] for each in objectives.known]
            for point in points
        }
        errors = {point.trial: [math.sqrt(2) * _error(trials.candidates[point.trial], examples)] for point in points}
        room = min(_MOST_TIES, MOST_PICKS - len(chosen))
        chosen += near_ties(points, objectives.all, intervals, errors, room)
        picks = [self._pick(point, front) for point in chosen]
        most = self._most_epochs(picks[:LEAST_PICKS])
        for pick in picks:
            pick.epochs = int(min(pick.epochs, most))
        return picks

    def _pick(self, point: Point, front: Sequence[Point]) -> Pick:
        candidate, objectives = self._trials.candidates[point.trial], self._context.objectives
        return Pick(
            candidate,
            _role(point, front, objectives.all),
            self._context.request.seed,
            candidate.seconds_per_epoch(self._trials.rungs) or 0.0,
            candidate.recipe.train.epochs,
            objectives.score,
            answered=not self._teacher.teacher.headless,
        )

    def _most_epochs(self, first: Sequence[Pick]) -> float:
        """What full distillations of this round are cut to, infinite where the time left holds them as they should be.

        It is decided once: a run of another length would be another run, and what was finished would be lost.
        """
        book, rungs = self._context.book, self._trials.rungs
        wanted, decided = max(pick.epochs for pick in first), book.progress.full_epochs
        if decided is None or decided.round != book.progress.round:
            epochs = full_epochs(
                wanted,
                rungs[-1],
                max(pick.seconds_per_epoch for pick in first),
                self._context.clock.left - REPORT_SECONDS - len(first) * FINISHING_SECONDS,
                self._pool.size or max(1, book.progress.workers),
                len(first),
            )
            decided = FullEpochs(round=book.progress.round, most=epochs if epochs < wanted else None)
            book.note(full_epochs=decided)
        if decided.most is None:
            return math.inf
        short = f"full distillations take {decided.most} of {wanted} epochs: the time left holds no more"
        self._context.observer.note(f"{short}; --extend gives more")
        return float(decided.most)

    def _tell(self, doing: str) -> None:
        self._context.tell("picks", doing, self._trials)


def _error(candidate: Candidate, examples: int) -> float:
    """Standard error of a candidate's score, 0 where the examples do not tell it.

    Version 0.1, which knew accuracies only, did not keep it.
    """
    kept = candidate.attributes
    if kept.error is None and kept.metrics.keys() == {ACCURACY.name}:
        return share_error(kept.metrics[ACCURACY.name], examples)
    return kept.error or 0.0


def _role(point: Point, front: Sequence[Point], objectives: Sequence[Objective]) -> str:
    """What a pick stands for on the front."""
    if point not in front:
        return "near tie"
    if point == knee(front, objectives):
        return KNEE
    for position, objective in enumerate(objectives):
        best = max(objective.goodness(each.values[position]) for each in front)
        if objective.goodness(point.values[position]) == best:
            return objective.extreme_role
    return "between"
