"""The part of a worker that does its jobs: it trains students and evaluates them."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import torch
import torch._dynamo  # the first optimiser would import it, and these seconds would count as training

from automl_kd.compression import shipped
from automl_kd.core import Interrupted, UserError, duration
from automl_kd.distillation import Diverged, Evaluation, distill, evaluate, evaluate_teacher, material_of
from automl_kd.execution.job_log import tell
from automl_kd.execution.jobs import (
    Answer,
    Evaluated,
    EvaluateJob,
    Failed,
    Job,
    Setup,
    Stopped,
    Trained,
    TrainJob,
    file_failure,
)
from automl_kd.objectives import standard_error
from automl_kd.students import build, load_weights, save_weights
from automl_kd.tasks import Task, open_task
from automl_kd.teachers import KeptTeacher, Teacher, load_teacher


class JobRunner:
    """Does jobs one after the other; task and teacher of the study are opened once.

    Args:
        setup: What the jobs share.
        stop: Says whether to stop at the next step.
        begun: Called when a job has data and teacher open, and begins.
    """

    def __init__(self, setup: Setup, stop: Callable[[], bool], begun: Callable[[], None] = lambda: None) -> None:
        self._setup = setup
        self._stop = stop
        self._begun = begun
        self._last_job_ended: float | None = None

    def do(self, job: Job) -> Answer:
        """Do a job, and tell its log so; whatever goes wrong becomes an answer of it."""
        tell(job.log, _begins(job))
        answer = self._answer(job)
        tell(job.log, _ends(answer))
        return answer

    def _answer(self, job: Job) -> Answer:
        try:
            self._open(job)
        except (UserError, OSError) as error:
            return Failed(str(error), fatal=True)  # no other job could be done either
        self._begun()
        try:
            return self._train(job) if isinstance(job, TrainJob) else self._evaluate(job)
        except Interrupted:
            return Stopped()
        except (Diverged, UserError) as error:
            return Failed(str(error))
        except OSError as error:
            return file_failure(error, _file(job))
        except MemoryError:
            return Failed("out of memory")
        except Exception as error:  # one trial's fault must not end the search
            tell(job.log, traceback.format_exc())
            return Failed(f"{type(error).__name__}: {error}".splitlines()[0])

    def _open(self, job: Job) -> None:
        """Open the data and, where the job needs it, the teacher."""
        _ = self._task
        if job.recipe is None or job.recipe.distill.needs_teacher():
            _ = self._teacher

    @cached_property
    def _task(self) -> Task:
        task = open_task(self._setup.task, self._setup.data, self._setup.metric)
        if task.sha256 != self._setup.data_sha256:
            raise UserError(f"task {self._setup.task}: the data changed while the study ran")
        return task

    @cached_property
    def _teacher(self) -> Teacher:
        sha256 = self._setup.teacher_sha256
        teacher = load_teacher(self._setup.teacher or KeptTeacher(sha256), self._task)
        if teacher.sha256 != sha256:
            raise UserError(f"the teacher changed while the study ran: {teacher.sha256[:12]}, not {sha256[:12]}")
        return teacher

    def _train(self, job: TrainJob) -> Trained:
        recipe, task = job.recipe, self._task
        teacher = self._teacher if recipe.distill.needs_teacher() else None
        torch.set_num_threads(recipe.threads)
        job.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        outcome = distill(
            recipe,
            task,
            teacher,
            total_epochs=job.total_epochs,
            until=job.until,
            checkpoint=job.checkpoint,
            device=self._setup.device,
            should_stop=lambda: self._stop() or time.monotonic() > job.deadline,
            allow_code=self._setup.allow_code,
        )
        self._check_score(outcome.evaluation)
        if outcome.finished:
            # The checkpoint stays until the driver has stored the answer, so a kill in between costs one evaluation.
            save_weights(outcome.student, job.weights)
        before, self._last_job_ended = self._last_job_ended, time.monotonic()
        training = outcome.seconds - job.trained
        between = None if before is None else max(0.0, self._last_job_ended - before - training)
        return Trained(
            score=outcome.score,
            error=standard_error(task.metric, outcome.evaluation.statistics),
            values=outcome.values,
            epoch=outcome.epoch,
            seconds=outcome.seconds,
            between=between,
        )

    def _evaluate(self, job: EvaluateJob) -> Evaluated:
        def watch() -> None:
            if self._stop():
                raise Interrupted("the evaluation was told to stop")

        task = self._task
        if job.recipe is None or job.weights is None:
            return self._evaluated(evaluate_teacher(self._teacher, task, task.test, watch))
        recipe = job.recipe
        torch.set_num_threads(recipe.threads)
        seen = task.at(recipe.student)
        student = build(recipe.student, seen.signature, allow_code=self._setup.allow_code)
        trained = load_weights(student, job.weights)
        form = shipped(recipe.compress, trained, material_of(seen, recipe.seed), recipe.threads)
        ships = self._evaluated(evaluate(form, seen, task.test, "cpu", watch))
        if not recipe.compress:
            return ships
        return replace(ships, uncompressed=self._evaluated(evaluate(trained, seen, task.test, "cpu", watch)))

    def _evaluated(self, found: Evaluation) -> Evaluated:
        self._check_score(found)
        return Evaluated(found.values, found.statistics)

    def _check_score(self, found: Evaluation) -> None:
        # That the labels define the metric was seen to before the search.
        if math.isnan(found.score):
            raise UserError(f"its {self._task.metric.title} is not a number, because its outputs are not")


def _begins(job: Job) -> str:
    if isinstance(job, EvaluateJob):
        return "the test split is read"
    return f"training begins, to epoch {job.until} of {job.total_epochs}"


def _ends(answer: Answer) -> str:
    match answer:
        case Trained():
            return f"epoch {answer.epoch} reached, {duration(answer.seconds)} of training, score {answer.score:.4g}"
        case Evaluated():
            return "the test split was read"
        case Stopped():
            return "stopped; its state is kept"
        case Failed(reason):
            return f"failed: {reason}"


def _file(job: Job) -> Path | None:
    return job.checkpoint if isinstance(job, TrainJob) else job.weights
