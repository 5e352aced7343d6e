"""How a worker does its jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch
import torch._dynamo  # the first optimiser imports it, for seconds that would count as its training's

from automl_kd.core import Interrupted, UserError
from automl_kd.distillation import Diverged, distill, evaluate, evaluate_teacher
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
    failed_file,
)
from automl_kd.recipes import Recipe
from automl_kd.students import build, load_weights, save_weights
from automl_kd.tasks import Task, open_task
from automl_kd.teachers import KeptTeacher, Teacher, load_teacher


class Workshop:
    """Task and teacher of a study, opened once, and the jobs done with them.

    Args:
        setup: What the jobs share.
        stop: Whether to stop at the next step.
        begun: Told when a job has data and teacher open, and begins.
    """

    def __init__(self, setup: Setup, stop: Callable[[], bool], begun: Callable[[], None] = lambda: None) -> None:
        self._setup = setup
        self._stop = stop
        self._begun = begun
        self._last_job_ended: float | None = None

    def do(self, job: Job) -> Answer:
        """Do a job; whatever goes wrong becomes an answer."""
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
            return failed_file(error, _file(job))
        except MemoryError:
            return Failed("out of memory")
        except Exception as error:  # a trial's fault is not the search's: it is stored and the search goes on
            return Failed(f"{type(error).__name__}: {error}".splitlines()[0])

    def _open(self, job: Job) -> None:
        """Data and, where the job needs it, the teacher; opened once."""
        _ = self._task
        if job.recipe is None or Recipe.model_validate(job.recipe).distill.needs_teacher():
            _ = self._teacher

    @cached_property
    def _task(self) -> Task:
        task = open_task(self._setup.task, self._setup.data)
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
        recipe = Recipe.model_validate(job.recipe)
        task = self._task
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
        if outcome.finished:
            # The checkpoint stays until whoever asked has stored the answer: a kill in between costs an evaluation.
            save_weights(outcome.student, job.weights)
        before, self._last_job_ended = self._last_job_ended, time.monotonic()
        training = outcome.seconds - job.trained
        between = None if before is None else max(0.0, self._last_job_ended - before - training)
        return Trained(outcome.accuracy, outcome.epoch, outcome.seconds, between)

    def _evaluate(self, job: EvaluateJob) -> Evaluated:
        def watch() -> None:
            if self._stop():
                raise Interrupted("the evaluation was told to stop")

        task = self._task
        if job.recipe is None or job.weights is None:
            return Evaluated(evaluate_teacher(self._teacher, task, task.test, watch).correct)
        recipe = Recipe.model_validate(job.recipe)
        torch.set_num_threads(recipe.threads)
        student = build(
            recipe.student,
            input_shape=task.input_shape,
            classes=task.classes,
            allow_code=self._setup.allow_code,
        )
        load_weights(student, job.weights)
        return Evaluated(evaluate(student, task, task.test, "cpu", watch).correct)


def _file(job: Job) -> Path | None:
    return job.checkpoint if isinstance(job, TrainJob) else job.weights
