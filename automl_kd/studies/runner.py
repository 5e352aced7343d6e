"""The drive of a study: teacher, search and picks in turn, from where the last run ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import optuna

from automl_kd.controller import Point, knee, pareto_front
from automl_kd.core import Interrupted, Observer, Snapshot, UserError, duration
from automl_kd.distillation import (
    ResolvedTeacher,
    TeacherOutputPolicy,
    TrainingProgress,
    budget_too_short,
    evaluate_teacher,
    find_teacher,
    resolve_device,
)
from automl_kd.execution import Executor, Setup
from automl_kd.recipes import custom_files, digest
from automl_kd.storage import Database, Lease, Post
from automl_kd.studies.clock import Clock, StopRequest
from automl_kd.studies.executors import open_executor
from automl_kd.studies.pick import ARMS, Pick, measured
from automl_kd.studies.pick_phase import TEACHER, PickPhase
from automl_kd.studies.policy import (
    FINISHING_SECONDS,
    MEASURING_SECONDS,
    MOST_PICKS,
    PLAIN_KD,
    REPORT_SECONDS,
    choose_picks,
    full_epochs,
    near_ties,
)
from automl_kd.studies.preparation import Preparation
from automl_kd.studies.proposer import Pricing, Proposer
from automl_kd.studies.publishing import Publisher
from automl_kd.studies.record import identity_of, open_record, refuse_another
from automl_kd.studies.report import publish_report
from automl_kd.studies.request import SearchRequest
from automl_kd.studies.sampling import make_sampler
from automl_kd.studies.search_phase import SearchPhase
from automl_kd.studies.study_files import Files
from automl_kd.studies.trials import Candidate, TrialStore
from automl_kd.studies.understanding import with_teacher
from automl_kd.studies.warm_start import WarmStart, check_comparable

_WAIT_SECONDS = 0.2
_OVERDUE_SECONDS = 8.0
_NOBODY = "waiting for a worker: automl-kd worker joins"
_MOST_TIES = 1
"""Picks from behind the front, which are distilled last: what the search saw does not tell them from it."""
_SHARING = 10
"""Trainings that share what is kept of a teacher, at the least: all trials of a study see the same views."""


@dataclass(frozen=True)
class StudyInputs:
    request: SearchRequest
    observer: Observer
    stop: StopRequest
    database: Database
    prepared: Preparation


class StudyRunner:
    """One run of a study, from where the last one ended."""

    def __init__(self, parts: StudyInputs, lease: Lease, began: float) -> None:
        self.parts = parts
        self.request = parts.request
        self.lease = lease
        self.name = parts.request.name
        self.files = Files(parts.database.files / self.name)
        self.task, self.space, self.profile = parts.prepared.task, parts.prepared.space, parts.prepared.profile
        identity = identity_of(parts.request, self.task, self.space, self.profile)
        self.record, self.extension = open_record(parts.database, parts.request, identity)
        self.clock = Clock(self.record.seconds, self.record.budget, began)
        self.rungs = parts.request.rungs(self.space, len(self.task.train))

    def run(self) -> None:
        if self.record.state == "done" and not self.extension:
            used = f"{duration(self.clock.spent)} of {duration(self.record.budget)}"
            self.parts.observer.note(f"study {self.name} is finished, {used} used; --extend 2h adds to it")
            return
        try:
            self._run()
        finally:
            self.clock.save(self.parts.database, self.name)

    def _run(self) -> None:
        self.parts.observer.tell(self.parts.prepared.understood.lines())
        taught = self._teach()
        storage = self.parts.database.optuna()
        store = TrialStore(storage, self.name, self.rungs)
        store.learn_from_full_runs(self.parts.database.jobs(self.name).values())
        setup = Setup(
            task=self.request.task,
            data=self.request.data,
            data_sha256=self.task.sha256,
            teacher=taught.spec,
            teacher_sha256=taught.teacher.sha256,
            device=self.request.device,
            allow_code=self.request.allow_code,
            code=tuple(map(str, custom_files(self.space.document))),
        )
        self._keep(settings={"executor": self.request.executor})
        post = Post(self.parts.database, self.name, self.lease)
        with open_executor(self.request, setup, post, self.files.log) as pool:
            if self.record.settings.get("searched") != self.record.budget:
                self._search(store, self.parts.prepared.pricing, taught, pool, storage)
            self._pick(store, taught, pool, storage)
        seconds = self.clock.seconds()
        self._keep(state="done", settings={"rounds": {phase: seconds.get(phase, 0.0) for phase in ("search", "picks")}})

    # -- teacher ------------------------------------------------------------------------------------------------------

    def _teach(self) -> ResolvedTeacher:
        self.clock.enter("teacher")
        self._tell("teacher", "looking for the teacher")
        short: list[str] = []

        def watch(lesson: TrainingProgress) -> bool:
            self._tell("teacher", lesson.doing, done=lesson.done)
            short[:] = filter(None, [self._too_short_for(lesson)])
            return bool(short) or bool(self.parts.stop)

        expected, understood = self.parts.prepared.teacher, self.parts.prepared.understood
        taught = expected.resolved
        if taught is None:
            try:
                taught = find_teacher(self.task, self.request.teacher, watch=watch, device=self.request.device)
            except Interrupted:
                raise UserError(short[0]) if short else self._interrupted() from None
            place = resolve_device(self.request.device)
            understood = with_teacher(understood, self.task, taught.teacher, place)
            self.parts.observer.tell(understood.teacher_lines())
        identity = {"teacher": taught.teacher.sha256}
        check_comparable(self.parts.database, self.request.earlier, {**self.record.identity, **identity})
        self._recognise(identity)
        self._keep(settings={"understood": understood.document()})
        known = self.record.settings.get("teacher_facts", {})
        if "validation_accuracy" not in known:
            self._tell("teacher", "asking the teacher what students are compared by")
            task, place = self.task, resolve_device(self.request.device)
            answers = evaluate_teacher(taught.teacher.to(place), task, task.validation)
            known = {"validation_accuracy": answers.accuracy} | known
        self._keep(settings={"teacher_facts": {"accuracy": None, "sha256": taught.teacher.sha256} | known})
        if self.extension:
            self.clock.budget = self.record.budget + self.extension
            self.record = replace(self.record, budget=self.clock.budget)
            self.extension = 0.0
            self._keep(state="open")
        return taught

    def _too_short_for(self, lesson: TrainingProgress) -> str | None:
        """Why the budget does not even hold the teacher and one trial, with what would, or None."""
        if lesson.seconds_left is None or lesson.seconds_per_epoch is None:
            return None
        # A student's epoch costs at most about a teacher's: it hears one.
        trial, left = lesson.seconds_per_epoch * self.rungs[-1], self.clock.left + self.extension
        short = budget_too_short(left, self.clock.spent, lesson.seconds_left, trial, self.rungs[-1])
        return None if short is None else f"{short} (what the teacher learned so far is kept)"

    # -- search -------------------------------------------------------------------------------------------------------

    def _search(
        self,
        store: TrialStore,
        pricing: Pricing,
        taught: ResolvedTeacher,
        pool: Executor[Any],
        storage: optuna.storages.RDBStorage,
    ) -> None:
        self.clock.enter("search")
        fixed = {
            "task": self.task.reference.model_dump(exclude_none=True),
            "teacher": taught.reference.model_dump(exclude_none=True),
            "hw": self.request.hw,
            "seed": self.request.seed,
        }
        self._take_over(store, pricing, storage)
        targets = self._targets(taught)
        supply = Proposer(
            store,
            self.space,
            pricing,
            self.request.limits,
            fixed,
            targets.decided,
        )
        phase = SearchPhase(
            store,
            supply,
            pool,
            self.files,
            self.clock,
            self.parts.stop,
            self.request.disk,
            self.record.settings.get("rounds", {}),
            len(self.task.train),
            self.space.halving.reduction,
            self.request.stop_when_flat,
            self.record.settings.get("workers", 0),
        )
        seed = self.request.seed + len(store.study.get_trials(deepcopy=False))
        store.study.sampler = make_sampler(
            self.request.sampler, self.space, pricing, self.request.limits, phase.affordable, seed
        )
        try:
            while not phase.over and not phase.idle:
                phase.step()
                self._note_workers(phase.counted_on)
                self._tell_search(phase, store)
            while pool.running and not self.parts.stop and phase.full is None:
                phase.take(pool.wait(_WAIT_SECONDS))  # their own deadline ends them within a step
                self._tell_search(phase, store)
                if phase.left < -_OVERDUE_SECONDS:
                    phase.abandon()
        finally:
            if pool.running:
                phase.take(pool.stop())
        if self.parts.stop:
            raise self._interrupted()
        if phase.full is not None:
            raise UserError(f"{phase.full}; make room and run the same command to go on")
        if not store.complete():
            raise UserError(phase.why_empty())
        if phase.flat:
            self.parts.observer.note("the search ended before its time: hardly any improvement is expected")
        phase.close("the search ended")
        self._keep(settings={"searched": self.record.budget})

    def _take_over(self, store: TrialStore, pricing: Pricing, storage: optuna.storages.RDBStorage) -> None:
        names, parts = self.request.earlier, self.parts
        if not names:
            return
        warm = WarmStart(parts.database, self.space, pricing, self.request.limits, self.request.hw)
        count = warm.take_over(store, names, storage, self.files)
        parts.observer.note(f"{count} trials taken over from {', '.join(names)}")

    def _targets(self, taught: ResolvedTeacher) -> TeacherOutputPolicy:
        """Decides whether a candidate's teacher is asked or its outputs kept, by one measurement for the study."""
        targets = TeacherOutputPolicy(
            self.task,
            taught.teacher,
            self.record.settings.get("teacher_cost"),
            device=self.request.device,
            threads=1,
            runs=_SHARING,
            allow_code=self.request.allow_code,
        )
        self._keep(settings={"teacher_cost": targets.cost})
        return targets

    # -- picks --------------------------------------------------------------------------------------------------------

    def _pick(
        self, store: TrialStore, taught: ResolvedTeacher, pool: Executor[Any], storage: optuna.storages.RDBStorage
    ) -> None:
        self.clock.enter("picks")
        picks = self._choose(store, pool.size or max(1, self.record.settings.get("workers", 0)))
        phase = PickPhase(
            picks,
            self.name,
            digest([self.task.sha256, taught.teacher.sha256]),
            self.parts.database,
            pool,
            self.files,
            self.clock,
            self.parts.stop,
            REPORT_SECONDS + (MEASURING_SECONDS if self.profile.measurable else 0.0),
            len(self.task.test) / len(self.task.train),
        )
        try:
            while phase.step() and not self.parts.stop:
                doing = f"distilling picks and their arms in full, {phase.done} trainings done"
                self._tell("picks", doing, store)
        finally:
            if self.parts.stop:
                phase.take_all(pool.stop())
        if self.parts.stop:
            raise self._interrupted()
        if not any(pick.compared(arm) for pick in picks for arm in ARMS) and not phase.failures:
            phase.fall_back(self.rungs[-1])
            self.parts.observer.note(
                "the time left held no full distillation: the pick is as the search left it; --extend gives more"
            )
        self._tell("picks", "reading the test split", store)
        teacher_accuracy = phase.test(self._beat).get(TEACHER)
        if self.parts.stop:
            raise self._interrupted()
        self._keep(settings={"teacher_facts": self.record.settings["teacher_facts"] | {"accuracy": teacher_accuracy}})
        publisher = Publisher(
            self.parts.database,
            storage,
            self.name,
            self.task,
            self.profile,
            teacher_accuracy,
            self.request.allow_code,
        )
        delivered = [(pick, found) for pick in picks if (found := measured(pick)) is not None]
        if not delivered:
            raise UserError(f"no pick could be distilled in full: {phase.failures[0]}")
        told = [pick for pick, _ in delivered]
        self._keep(settings={"undistilled": [pick.undistilled() for pick in picks if pick not in told]})
        for pick, found in delivered:
            self._tell("picks", f"delivering trial {pick.candidate.number}", store)
            run = pick.delivered()
            entry = found | {"round": self.record.budget}
            publisher.pick(entry, run.recipe, phase.weights(run), self.files.pick(pick.candidate.number))
        if delivered and self.profile.measurable:
            self._tell("picks", "measuring the picks", store)
            numbers = [pick.candidate.number for pick, _ in delivered]
            times = publisher.measure([self.files.pick(number) for number in numbers])
            self._keep(settings={"measured": dict(zip(map(str, numbers), times, strict=True))})
        self._tell("picks", "writing the report", store)
        self.clock.save(self.parts.database, self.name)
        publish_report(self.parts.database, storage, self.name)

    def _choose(self, store: TrialStore, workers: int) -> list[Pick]:
        points = store.complete()
        front = pareto_front(points)
        chosen = choose_picks(points, MOST_PICKS)
        intervals = {
            point.trial: (price["latency_low"], price["latency_high"])
            for point in points
            for price in [store.candidates[point.trial].price]
        }
        room = min(_MOST_TIES, MOST_PICKS - len(chosen))
        images = len(self.task.validation)
        chosen += near_ties(points, intervals, images, room)
        most = self._most_epochs(store.candidates[chosen[0].trial], workers)
        picks = []
        for point in chosen:
            candidate = store.candidates[point.trial]
            epochs = int(min(candidate.recipe.train.epochs, most))
            per_epoch = candidate.seconds_per_epoch(self.rungs) or 0.0
            picks.append(Pick(candidate, _role(point, front), self.request.seed, per_epoch, epochs, images))
        return picks

    def _most_epochs(self, first: Candidate, workers: int) -> float:
        """What full distillations of this round are cut to, infinite where the time left holds them as they should be.

        It is decided once: a run of another length would be another run, and what was finished would be lost.
        """
        decided: Mapping[str, Any] = self.record.settings.get("full_epochs", {})
        wanted = first.recipe.train.epochs
        if decided.get("round") != self.record.budget:
            epochs = full_epochs(
                wanted,
                self.rungs[-1],
                first.seconds_per_epoch(self.rungs) or 0.0,
                self.clock.left - REPORT_SECONDS - FINISHING_SECONDS,
                workers,
                len(PLAIN_KD),
            )
            decided = {"round": self.record.budget, "most": epochs if epochs < wanted else None}
            self._keep(settings={"full_epochs": decided})
        if decided["most"] is None:
            return math.inf
        short = f"full distillations take {decided['most']} of {wanted} epochs: the time left holds no more"
        self.parts.observer.note(f"{short}; --extend gives more")
        return float(decided["most"])

    def _interrupted(self) -> Interrupted:
        again = "the same command goes on" + (" (without --extend: the time is added)" if self.request.extend else "")
        return Interrupted(f"stopped; nothing finished is lost, {again} with study {self.name}")

    # -- record -------------------------------------------------------------------------------------------------------

    def _recognise(self, more: Mapping[str, Any]) -> None:
        refuse_another(self.record, more)
        self.record = replace(self.record, identity={**self.record.identity, **more})
        self._keep()

    def _keep(self, *, state: str | None = None, settings: Mapping[str, Any] | None = None) -> None:
        self.record = replace(
            self.record,
            seconds=self.clock.seconds(),
            state=state or self.record.state,
            settings={**self.record.settings, **(settings or {})},
        )
        self.parts.database.save_study(self.record)

    # -- telling ------------------------------------------------------------------------------------------------------

    def _tell_search(self, phase: SearchPhase, store: TrialStore) -> None:
        running = store.count("running")
        doing = f"training {running} candidates on {phase.workers} workers" if phase.workers else _NOBODY
        self._tell("search", doing, store, split=vars(phase.split))

    def _note_workers(self, workers: int) -> None:
        """A driver that starts again counts on as many, until those that join have found it."""
        if self.record.settings.get("workers") != workers:
            self._keep(settings={"workers": workers})

    def _beat(self) -> None:
        self.clock.beat(self.parts.database, self.name, self.lease)

    def _tell(
        self,
        phase: str,
        doing: str,
        store: TrialStore | None = None,
        done: float | None = None,
        split: Mapping[str, float] | None = None,
    ) -> None:
        self._beat()
        self.parts.observer.update(
            Snapshot(
                phase=phase,
                doing=doing,
                spent=self.clock.spent,
                budget=self.clock.budget,
                split=split or {},
                counts={} if store is None else store.counts(),
                front=() if store is None else store.front(),
                done=done,
            )
        )


def _role(point: Point, front: Sequence[Point]) -> str:
    if point not in front:
        return "near tie"
    if point == knee(front):
        return "knee"
    return "best" if point == front[-1] else "fastest" if point == front[0] else "between"
