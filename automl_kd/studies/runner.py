"""One run of a study: teacher, search and picks in turn, from where the last run ended."""

from __future__ import annotations

from typing import Any

from automl_kd.core import Interrupted, UserError, duration
from automl_kd.distillation import (
    ResolvedTeacher,
    TeacherOutputPolicy,
    TrainingProgress,
    budget_too_short,
    evaluate_teacher,
    find_teacher,
    resolve_device,
)
from automl_kd.execution import EXECUTORS, Executor, Setup
from automl_kd.recipes import Recipe, custom_files
from automl_kd.results import TeacherResult
from automl_kd.storage import JobQueue, Lease
from automl_kd.studies.admission import Admission
from automl_kd.studies.clock import Clock
from automl_kd.studies.context import StudyContext, StudyInputs
from automl_kd.studies.picking import PickRound
from automl_kd.studies.proposer import Proposer
from automl_kd.studies.record import StudyBook, check_comparable, identity_of, open_record
from automl_kd.studies.sampling import sampler_for
from automl_kd.studies.search_phase import SearchPhase
from automl_kd.studies.starts import started
from automl_kd.studies.study_files import StudyFiles
from automl_kd.studies.time_plan import TimePlan
from automl_kd.studies.trials import TrialStore
from automl_kd.studies.understanding import with_teacher
from automl_kd.studies.warm_start import WarmStart

_NOBODY = "waiting for a worker: automl-kd worker joins"
_SHARING = 10
"""Trainings that share what is kept of a teacher, at the least: all trials of a study see the same views."""


class StudyRunner:
    """Drives a study from where the last run of it ended.

    Args:
        inputs: What it is driven with.
        lease: What keeps other processes from driving it.
        began: ``time.monotonic()`` at which this run began.
    """

    def __init__(self, inputs: StudyInputs, lease: Lease, began: float) -> None:
        prepared, request = inputs.prepared, inputs.request
        identity = identity_of(request, prepared)
        gone, form = prepared.starting.gone, prepared.deployed.form
        record, self._extension = open_record(inputs.database, request, identity, prepared, gone, form)
        clock = Clock(record.seconds, record.budget, began)
        self._context = StudyContext(
            inputs,
            lease,
            inputs.database.optuna(),
            StudyFiles(inputs.database.files / request.name),
            clock,
            StudyBook(inputs.database, record, clock),
        )
        self._rungs = request.rungs(prepared.space, len(prepared.task.train))

    def run(self) -> None:
        """Go on until the study is finished.

        Raises:
            UserError: If it cannot go on, with what would help.
            Interrupted: If the user asked to stop; another run goes on.
        """
        context = self._context
        record = context.book.record
        if record.state == "done" and not self._extension:
            used = f"{duration(context.clock.spent)} of {duration(record.budget)}"
            context.observer.note(f"study {context.name} is finished, {used} used; --extend 2h adds to it")
            return
        try:
            self._run()
        finally:
            context.clock.save(context.database, context.name)

    def _run(self) -> None:
        context, request, task = self._context, self._context.request, self._context.prepared.task
        context.observer.tell(context.prepared.understood.lines())
        teacher = self._find_teacher()
        trials = TrialStore(context.storage, context.name, self._rungs, context.objectives)
        trials.learn_from_full_runs(context.database.jobs(context.name).values())
        setup = Setup(
            task=request.task,
            data=request.data,
            metric=request.metric,
            data_sha256=task.sha256,
            teacher=teacher.spec,
            teacher_sha256=teacher.teacher.sha256,
            device=request.device,
            allow_code=request.allow_code,
            code=tuple(map(str, custom_files(context.prepared.space.document))),
            weights=tuple(map(str, context.prepared.starting.files)),
        )
        queue = JobQueue(context.database, context.name, context.lease)
        open_workers = EXECUTORS.find(request.executor).open
        with open_workers(request.executor_options, setup, queue, context.files.log) as pool:
            if context.book.progress.searched != context.book.progress.round:
                self._search(trials, teacher, pool)
            try:
                PickRound(context, trials, teacher, pool).run()
            except Interrupted:
                context.book.cut()  # more time would begin another round
                raise
        context.book.finish()

    # -- teacher ------------------------------------------------------------------------------------------------------

    def _find_teacher(self) -> ResolvedTeacher:
        context, request, task = self._context, self._context.request, self._context.prepared.task
        context.clock.enter("teacher")
        context.tell("teacher", "looking for the teacher")
        short: list[str] = []

        def watch(progress: TrainingProgress) -> bool:
            context.take_more_time(self._extension)
            context.tell("teacher", progress.doing, done=progress.done)
            short[:] = filter(None, [self._too_short_for(progress)])
            return bool(short) or bool(context.stop)

        understood, place = context.prepared.understood, resolve_device(request.device)
        found = context.prepared.teacher.resolved
        if found is None:
            try:
                found = find_teacher(task, request.teacher, watch=watch, device=request.device)
            except Interrupted:
                raise UserError(short[0]) if short else context.interrupted() from None
            understood = with_teacher(understood, task, found.teacher, place)
            context.observer.tell(understood.teacher_lines())
        identity = {"teacher": found.teacher.sha256}
        check_comparable(context.database, request.earlier, {**context.book.record.identity, **identity})
        context.book.recognise(identity)
        facts = context.book.progress.teacher
        if facts.validation_score is None and not found.teacher.headless:
            context.tell("teacher", "asking the teacher what students are compared by")
            answers = evaluate_teacher(found.teacher.to(place), task, task.validation)
            judged = {"validation_score": answers.score, "validation_metrics": dict(answers.values)}
            facts = TeacherResult(**{**dict(facts), **judged})
        facts = facts.model_copy(update={"sha256": found.teacher.sha256})
        context.book.note(understood=understood.document(), teacher=facts)
        if self._extension:
            context.book.extend(self._extension)
        return found

    def _too_short_for(self, progress: TrainingProgress) -> str | None:
        """Why the budget does not even hold the teacher and one trial, with what would, or None."""
        if progress.seconds_left is None or progress.seconds_per_epoch is None:
            return None
        clock, epochs = self._context.clock, self._rungs[-1]
        # A student's epoch costs at most about a teacher's: it hears one.
        trial, left = progress.seconds_per_epoch * epochs, clock.left + self._extension
        short = budget_too_short(left, clock.spent, progress.seconds_left, trial, epochs)
        return None if short is None else f"{short} (what the teacher learned so far is kept)"

    # -- search -------------------------------------------------------------------------------------------------------

    def _search(self, trials: TrialStore, teacher: ResolvedTeacher, pool: Executor[Any]) -> None:
        context = self._context
        context.clock.enter("search")
        self._take_over(trials)
        progress, task = context.book.progress, context.prepared.task
        # Those that are there count before the first step, too: trials that were taken over reserve time for picks.
        workers = max(progress.workers, pool.size)
        plan = TimePlan(trials, context.clock, progress.spent, len(task.train), workers)
        phase = SearchPhase(context, trials, plan, self._proposer(trials, teacher, plan), pool)
        try:
            while phase.goes_on:
                phase.step()
                self._note_workers(plan.workers)
                self._tell_search(phase, plan, trials)
        finally:
            if pool.running:
                phase.take(pool.stop())
        if context.stop:
            raise context.interrupted()
        if phase.full is not None:
            raise UserError(f"{phase.full}; make room and run the same command to go on")
        if not trials.complete():
            raise UserError(phase.why_empty())
        if phase.flat:
            context.observer.note("the search ended before its time: hardly any improvement is expected")
        phase.close("the search ended")
        context.book.note(searched=context.book.progress.round)

    def _proposer(self, trials: TrialStore, teacher: ResolvedTeacher, plan: TimePlan) -> Proposer:
        context, request, prepared = self._context, self._context.request, self._context.prepared
        fixed = {
            "task": prepared.task.reference.model_dump(exclude_none=True),
            "teacher": teacher.reference.model_dump(exclude_none=True),
            "hw": request.hw,
            "seed": request.seed,
        }
        outputs = TeacherOutputPolicy(
            prepared.task,
            teacher.teacher,
            context.book.progress.teacher_cost,
            device=request.device,
            threads=1,
            runs=_SHARING,
            allow_code=request.allow_code,
        )
        context.book.note(teacher_cost=outputs.cost)
        admission = Admission(
            prepared.space, prepared.pricing, request.limits, plan.affordable, prepared.starting.admits
        )
        draws = request.seed + trials.count_all()
        sampler = sampler_for(request.sampler, admission, context.objectives.known, draws)

        def completed(recipe: Recipe) -> Recipe:
            student = started(recipe.student, prepared.task.signature)
            return outputs.decided(recipe.model_copy(update={"student": student}))

        return Proposer(trials, sampler, admission, fixed, completed)

    def _take_over(self, trials: TrialStore) -> None:
        names = self._context.request.earlier
        if names:
            count = WarmStart(self._context).take_over(trials, names)
            self._context.observer.note(f"{count} trials taken over from {', '.join(names)}")

    def _note_workers(self, workers: int) -> None:
        """A driver that starts again counts on as many, until those that join have found it."""
        if self._context.book.progress.workers != workers:
            self._context.book.note(workers=workers)

    # -- telling ------------------------------------------------------------------------------------------------------

    def _tell_search(self, phase: SearchPhase, plan: TimePlan, trials: TrialStore) -> None:
        running = trials.count("running")
        doing = f"training {running} candidates on {phase.workers} workers" if phase.workers else _NOBODY
        self._context.tell("search", doing, trials, split=vars(plan.split))
