"""The teacher of a task: brought by the user, found in the cache, or trained once."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Lesson:
    """How far a teacher's training is.

    Attributes:
        epoch: The epoch under way, from 1.
        epochs: Epochs in all.
        done: Share of the training that is done, in [0, 1].
        seconds_per_epoch: As far as the steps so far tell, None before a few.
    """

    epoch: int
    epochs: int
    done: float
    seconds_per_epoch: float | None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until it is trained."""
        return None if self.seconds_per_epoch is None else self.seconds_per_epoch * self.epochs * (1 - self.done)


class _Lessons:
    """Counts steps, to tell how long the training will take.

    The median of the steps, not their mean: the first ones open and allocate, and take many times as long.
    """

    _ENOUGH = 20
    _REMEMBERED = 200

    def __init__(self, recipe: Recipe, task: Task, watch: Callable[[Lesson], bool]) -> None:
        self._epochs = recipe.train.epochs
        self._per_epoch = max(1, len(task.train) / recipe.train.batch_size)
        self._watch = watch
        self._durations: deque[float] = deque(maxlen=self._REMEMBERED)
        self._stepped = time.monotonic()
        self._taken = -1
        self._before = 0.0  # steps that a checkpoint held, known once an epoch ends

    def on_epoch(self, epoch: int, accuracy: float | None) -> None:
        self._before = max(0.0, epoch * self._per_epoch - self._taken - 1)

    def should_stop(self) -> bool:
        self._taken += 1
        done = min(1.0, (self._before + self._taken) / (self._epochs * self._per_epoch))
        now = time.monotonic()
        self._durations.append(now - self._stepped)
        self._stepped = now
        pace = None if self._taken < self._ENOUGH else statistics.median(self._durations) * self._per_epoch
        epoch = min(self._epochs, int(done * self._epochs) + 1)
        return self._watch(Lesson(epoch, self._epochs, done, pace))


def find_teacher(
    task: Task,
    given: str | None,
    *,
    watch: Callable[[Lesson], bool] = lambda lesson: False,
    device: str = "auto",
) -> Taught:
    """The teacher of a task; trained if there is none yet, an ordinary training without a teacher of its own.

    Args:
        task: What it teaches.
        given: A teacher that the user names instead of the task's own (``teacher.onnx``, ``teacher.pt@{…}``).
        watch: Asked before every step of its training whether to stop; the state is kept for the next time.
        device: Where it trains.

    Raises:
        UserError: If there is none, or it does not fit the task.
        Interrupted: If ``watch`` said so.
    """
    spec = parse_teacher(given) if given is not None else task.teacher
    if spec is None:
        raise _no_teacher(task)
    if not isinstance(spec, TrainedTeacher):
        return Taught(load_teacher(spec, task), spec, None if given is None else _anywhere(given))
    store = TeacherStore()
    key = training_key(spec, task)
    kept = store.find(key)
    if kept is not None:
        return Taught(kept, None)
    recipe = training_recipe(spec)
    lessons = _Lessons(recipe, task, watch)
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
            on_epoch=lessons.on_epoch,
            should_stop=lessons.should_stop,
        )
        teacher = store.keep(key, recipe.student, outcome.student, {"validation_accuracy": outcome.accuracy})
    finally:
        torch.set_num_threads(threads)
    checkpoint.unlink(missing_ok=True)
    return Taught(teacher, None)


def teacher_status(task: Task, given: str | None) -> str:
    """What a search would do for its teacher: ``brought by the user``, ``kept from before`` or ``to be trained``.

    Raises:
        UserError: If there is none, or it does not fit the task.
    """
    spec = parse_teacher(given) if given is not None else task.teacher
    if spec is None:
        raise _no_teacher(task)
    if not isinstance(spec, TrainedTeacher):
        load_teacher(spec, task)
        return "brought by the user"
    return "to be trained" if TeacherStore().find(training_key(spec, task)) is None else "kept from before"


def training_recipe(spec: TrainedTeacher) -> Recipe:
    """The recipe by which a built-in teacher is trained."""
    training = spec.train
    return Recipe(student=training.student, train=training.train, seed=training.seed)


def training_key(spec: TrainedTeacher, task: Task) -> str:
    """What a trained teacher is kept under: how it was trained, and on what."""
    return digest([training_recipe(spec).document(), task.sha256])


def _anywhere(given: str) -> str:
    """The user's words with a path that is found from every folder."""
    file, at, architecture = given.partition("@{")
    return f"{Path(file).expanduser().absolute()}{at}{architecture}"


def _no_teacher(task: Task) -> UserError:
    return UserError(f"task {task.name} names no teacher; give one with --teacher, or under teacher: in its file")
