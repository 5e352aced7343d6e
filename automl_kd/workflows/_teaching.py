"""The teacher of a task: brought by the user, found in the cache, or trained once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from automl_kd.distillation import distill
from automl_kd.errors import UserError
from automl_kd.paths import cache_dir
from automl_kd.recipes import Recipe, TeacherReference, digest
from automl_kd.tasks import CheckpointTeacher, OnnxTeacher, Task, TrainedTeacher, parse_teacher
from automl_kd.teachers import Teacher, TeacherStore, load_teacher


@dataclass(frozen=True)
class Taught:
    """A teacher ready to use.

    Attributes:
        teacher: The teacher.
        spec: Where it is, None for one that was trained here and is kept by its hash.
        file: The user's own words for it, where the user brought one.
    """

    teacher: Teacher
    spec: CheckpointTeacher | OnnxTeacher | None
    file: str | None = None

    @property
    def reference(self) -> TeacherReference:
        """What a recipe says of it."""
        return TeacherReference(sha256=self.teacher.sha256, file=self.file)


def find_teacher(
    task: Task,
    given: str | None,
    *,
    on_epoch: Callable[[int, int, float], None] = lambda epoch, epochs, seconds: None,
    should_stop: Callable[[], bool] = lambda: False,
    device: str = "auto",
) -> Taught:
    """The teacher of a task; trained if there is none yet, an ordinary training without a teacher of its own.

    Args:
        task: What it teaches.
        given: A teacher that the user names instead of the task's own (``teacher.onnx``, ``teacher.pt@{…}``).
        on_epoch: Called while it trains with the epoch, the number of epochs, and the seconds so far.
        should_stop: Asked before every step; the state is kept and training goes on there next time.
        device: Where it trains.

    Raises:
        UserError: If there is none, or it does not fit the task.
        Interrupted: If ``should_stop`` said so.
    """
    spec = parse_teacher(given) if given is not None else task.teacher
    if spec is None:
        raise _no_teacher(task)
    if not isinstance(spec, TrainedTeacher):
        return Taught(load_teacher(spec, task), spec, given)
    store = TeacherStore()
    key = training_key(spec, task)
    kept = store.find(key)
    if kept is not None:
        return Taught(kept, None)
    recipe = training_recipe(spec)
    began = time.monotonic()
    threads = torch.get_num_threads()
    torch.set_num_threads(recipe.threads)
    try:
        checkpoint = cache_dir() / "teachers" / "training" / f"{key}.pt"
        outcome = distill(
            recipe,
            task,
            None,
            checkpoint=checkpoint,
            device=device,
            on_epoch=lambda epoch, _: on_epoch(epoch, recipe.train.epochs, time.monotonic() - began),
            should_stop=should_stop,
        )
        teacher = store.keep(key, recipe.student, outcome.student, {"validation_accuracy": outcome.accuracy})
    finally:
        torch.set_num_threads(threads)
    checkpoint.unlink(missing_ok=True)
    return Taught(teacher, None)


def teacher_status(task: Task, given: str | None) -> str:
    """What a search would do for its teacher: ``brought by the user``, ``kept from before`` or ``to be trained``.

    Raises:
        UserError: If there is none.
    """
    spec = parse_teacher(given) if given is not None else task.teacher
    if spec is None:
        raise _no_teacher(task)
    if not isinstance(spec, TrainedTeacher):
        return "brought by the user"
    return "to be trained" if TeacherStore().find(training_key(spec, task)) is None else "kept from before"


def training_recipe(spec: TrainedTeacher) -> Recipe:
    """The recipe by which a built-in teacher is trained."""
    training = spec.train
    return Recipe(student=training.student, train=training.train, seed=training.seed)


def training_key(spec: TrainedTeacher, task: Task) -> str:
    """What a trained teacher is kept under: how it was trained, and on what."""
    return digest([training_recipe(spec).document(), task.sha256])


def _no_teacher(task: Task) -> UserError:
    return UserError(f"task {task.name} names no teacher; give one with --teacher, or under teacher: in its file")
