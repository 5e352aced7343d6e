"""The teacher of a task: brought by the user, found in the cache, or trained once."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from automl_kd.core import UserError, cache_dir, duration
from automl_kd.distillation import Diverged, distill, wire
from automl_kd.recipes import Distill, Recipe, TeacherReference, digest
from automl_kd.students import build
from automl_kd.tasks import OneTeacher, Task, TeacherSpec, TrainedTeacher, found_anywhere, parse_teacher
from automl_kd.teachers import (
    KeptTeacher,
    LoadableTeacher,
    MultiTeacher,
    Teacher,
    TeacherStore,
    load_teacher,
    module_teacher,
)

_WORKER_START_SECONDS = 5.0


@dataclass(frozen=True)
class Taught:
    """A teacher ready to use.

    Attributes:
        teacher: The teacher.
        spec: Where it is, a tuple for several, None for one that was trained here and is kept by its hash.
        file: The user's own words for it, where the user brought one.
    """

    teacher: Teacher
    spec: LoadableTeacher | tuple[LoadableTeacher, ...] | None
    file: str | None = None

    @property
    def reference(self) -> TeacherReference:
        """What a recipe says of it."""
        return TeacherReference(sha256=self.teacher.sha256, file=self.file)


@dataclass(frozen=True)
class ExpectedTeacher:
    """A teacher before anything is trained.

    Attributes:
        teacher: The teacher; what is still to be trained stands there with random weights, for its shapes.
        taught: The teacher ready to use, None as long as something is to be trained.
        status: ``brought by the user``, ``kept from before`` or ``to be trained``.
        missing: What is to be trained, those first that teach others.
    """

    teacher: Teacher
    taught: Taught | None
    status: str
    missing: tuple[TrainedTeacher, ...] = ()


@dataclass(frozen=True)
class Lesson:
    """How far a teacher's training is.

    Attributes:
        epoch: The epoch under way, from 1.
        epochs: Epochs in all.
        done: Share of the training that is done, in [0, 1].
        seconds_per_epoch: As far as the steps so far tell, None before a few.
        number: Which teacher it is, from 1, where several are trained or one teaches the next.
        count: Teachers in all.
    """

    epoch: int
    epochs: int
    done: float
    seconds_per_epoch: float | None
    number: int = 1
    count: int = 1

    @property
    def seconds_left(self) -> float | None:
        """Seconds until it is trained, without those that come after it."""
        return None if self.seconds_per_epoch is None else self.seconds_per_epoch * self.epochs * (1 - self.done)

    @property
    def doing(self) -> str:
        """What is being done, in words."""
        which = "the teacher" if self.count == 1 else f"teacher {self.number} of {self.count}"
        return f"training {which}, epoch {self.epoch} of {self.epochs}"


class _Lessons:
    """Counts steps, to tell how long the training will take.

    The median of the steps, not their mean: the first ones open and allocate, and take many times as long.
    """

    _ENOUGH = 20
    _REMEMBERED = 200

    def __init__(self, recipe: Recipe, task: Task, number: int, count: int, watch: Callable[[Lesson], bool]) -> None:
        self._epochs = recipe.train.epochs
        self._per_epoch = max(1, len(task.train) / recipe.train.batch_size)
        self._number, self._count = number, count
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
        return self._watch(Lesson(epoch, self._epochs, done, pace, self._number, self._count))


class _School:
    """Finds or trains the teachers of one task, one after the other.

    A teacher that has a teacher of its own comes after it, each kept for itself.
    """

    def __init__(self, task: Task, count: int, watch: Callable[[Lesson], bool], device: str) -> None:
        self._task = task
        self._count = count
        self._watch = watch
        self._device = device
        self._reached = 0

    def find(self, spec: OneTeacher) -> Teacher:
        return self._trained(spec) if isinstance(spec, TrainedTeacher) else load_teacher(spec, self._task)

    def _trained(self, spec: TrainedTeacher) -> Teacher:
        own = None if spec.train.teacher is None else self.find(spec.train.teacher)
        self._reached += 1
        store = TeacherStore()
        key = training_key(spec, self._task, own)
        kept = store.find(key)
        if kept is not None:
            return kept
        recipe = training_recipe(spec)
        lessons = _Lessons(recipe, self._task, self._reached, self._count, self._watch)
        threads = torch.get_num_threads()
        torch.set_num_threads(recipe.threads)
        checkpoint = _checkpoint(key)
        try:
            outcome = distill(
                recipe,
                self._task,
                own,
                checkpoint=checkpoint,
                device=self._device,
                on_epoch=lessons.on_epoch,
                should_stop=lessons.should_stop,
            )
            facts = {"validation_accuracy": outcome.accuracy} | ({} if own is None else {"teacher": own.sha256})
            teacher = store.keep(key, recipe.student, outcome.student, facts)
        except Diverged as error:
            checkpoint.unlink(missing_ok=True)  # going on from it would end alike
            raise untrainable(recipe, self._task, error) from None
        finally:
            torch.set_num_threads(threads)
        checkpoint.unlink(missing_ok=True)
        return teacher


def find_teacher(
    task: Task,
    given: str | None,
    *,
    watch: Callable[[Lesson], bool] = lambda lesson: False,
    device: str = "auto",
) -> Taught:
    """The teacher of a task; trained if there is none yet, after the teacher that it has itself, if it has one.

    Args:
        task: What it teaches.
        given: A teacher that the user names instead of the task's own (``teacher.onnx``, ``teacher.pt@{…}``), or
            several, joined by `` + ``.
        watch: Asked before every step of a training whether to stop; the state is kept for the next time.
        device: Where it trains.

    Raises:
        UserError: If there is none, or it does not fit the task.
        Interrupted: If ``watch`` said so.
    """
    spec = _spec(task, given)
    members = spec if isinstance(spec, tuple) else (spec,)
    school = _School(task, sum(map(_trainings, members)), watch, device)
    found = [school.find(member) for member in members]
    return _taught(found, [_place(member, teacher) for member, teacher in zip(members, found, strict=True)], given)


def expect_teacher(task: Task, given: str | None) -> ExpectedTeacher:
    """The teacher of a task as far as it is there; nothing is trained.

    Args:
        task: What it teaches.
        given: As for :func:`find_teacher`.

    Raises:
        UserError: If there is none, it does not fit the task, or it could not be trained as its recipe says.
    """
    spec = _spec(task, given)
    members = spec if isinstance(spec, tuple) else (spec,)
    found = [_found(member, task) for member in members]
    there = [teacher for teacher in found if teacher is not None]
    if len(there) < len(members):
        standing = [teacher or _untrained(member, task) for member, teacher in zip(members, found, strict=True)]
        missing = [each for member in members for each in _missing(member, task)]
        return ExpectedTeacher(_joined(standing), None, "to be trained", tuple(missing))
    places = [_place(member, teacher) for member, teacher in zip(members, there, strict=True)]
    status = "kept from before" if sum(map(_trainings, members)) else "brought by the user"
    return ExpectedTeacher(_joined(there), _taught(there, places, given), status)


def too_short(left: float, spent: float, teacher: float, trial: float, epochs: int) -> str | None:
    """Why a budget does not even hold the teacher and one trial, with what would, or None where it does.

    Args:
        left: Seconds of the budget that are left.
        spent: Seconds that were used.
        teacher: Seconds that the teacher still needs.
        trial: Seconds that a trial takes.
        epochs: Its epochs.
    """
    needed = teacher + trial + _WORKER_START_SECONDS
    if needed <= left:
        return None
    training = (
        f"the teacher needs {duration(teacher)} more and one trial of {epochs} epochs up to"
        if teacher
        else ("to start workers takes")
    )
    return (
        f"budget {duration(left + spent)} is too short: {training} {duration(trial + _WORKER_START_SECONDS)};"
        f" give at least {duration(spent + needed)}"
    )


def was_begun(spec: TrainedTeacher, task: Task) -> bool:
    """Whether a training of this teacher was stopped, and goes on from there."""
    own = None if spec.train.teacher is None else _found(spec.train.teacher, task)
    if own is None and spec.train.teacher is not None:
        return False
    return _checkpoint(training_key(spec, task, own)).exists()


def _checkpoint(key: str) -> Path:
    return cache_dir() / "teachers" / "training" / f"{key}.pt"


def training_recipe(spec: TrainedTeacher) -> Recipe:
    """The recipe by which a teacher is trained."""
    training = spec.train
    return Recipe(
        student=training.student, train=training.train, seed=training.seed, distill=training.distill or Distill()
    )


def untrainable(recipe: Recipe, task: Task, error: Diverged) -> UserError:
    """An error for a teacher whose training came to nothing."""
    return UserError(
        f"task {task.name}: training the teacher ({recipe.student.family}, {recipe.train.epochs} epochs) failed:"
        f" {error}; look at the data with automl-kd task check, or train it otherwise under teacher: {{train: …}}, for"
        f" example with a smaller train.optimizer.lr (now {recipe.train.optimizer.lr:g})"
    )


def training_key(spec: TrainedTeacher, task: Task, own: Teacher | None = None) -> str:
    """What a trained teacher is kept under: how it was trained, on what, and by whom.

    Args:
        spec: The teacher.
        task: What it learns.
        own: Its own teacher, if it has one.
    """
    return digest([training_recipe(spec).document(), task.sha256, *([] if own is None else [own.sha256])])


def _spec(task: Task, given: str | None) -> TeacherSpec:
    spec = parse_teacher(given) if given is not None else task.teacher
    if spec is None:
        raise UserError(f"task {task.name} names no teacher; give one with --teacher, or under teacher: in its file")
    return spec


def _trainings(spec: OneTeacher) -> int:
    """How many trainings a teacher takes, with those of its own teachers."""
    if not isinstance(spec, TrainedTeacher):
        return 0
    return 1 + (0 if spec.train.teacher is None else _trainings(spec.train.teacher))


def _place(spec: OneTeacher, teacher: Teacher) -> LoadableTeacher:
    return KeptTeacher(teacher.sha256) if isinstance(spec, TrainedTeacher) else spec


def _joined(teachers: Sequence[Teacher]) -> Teacher:
    return teachers[0] if len(teachers) == 1 else MultiTeacher(teachers)


def _taught(teachers: Sequence[Teacher], places: Sequence[LoadableTeacher], given: str | None) -> Taught:
    file = None if given is None else found_anywhere(given)
    if len(teachers) > 1:
        return Taught(MultiTeacher(teachers), tuple(places), file)
    return Taught(teachers[0], None if isinstance(places[0], KeptTeacher) else places[0], file)


def _missing(spec: OneTeacher, task: Task) -> list[TrainedTeacher]:
    if not isinstance(spec, TrainedTeacher) or _found(spec, task) is not None:
        return []
    own = spec.train.teacher
    return [*([] if own is None else _missing(own, task)), spec]


def _untrained(spec: OneTeacher, task: Task) -> Teacher:
    """What a teacher will be, with random weights; its training is checked as far as shapes tell."""
    assert isinstance(spec, TrainedTeacher)  # any other is there or refused
    own = spec.train.teacher
    wire(training_recipe(spec), task, None if own is None else _found(own, task) or _untrained(own, task))
    with torch.random.fork_rng(devices=[]):
        module = build(spec.train.student, input_shape=task.input_shape, classes=task.classes)
    return module_teacher(module, task.input_shape, task.classes)


def _found(spec: OneTeacher, task: Task) -> Teacher | None:
    """The teacher where it need not be trained, else None."""
    if not isinstance(spec, TrainedTeacher):
        return load_teacher(spec, task)
    own = None if spec.train.teacher is None else _found(spec.train.teacher, task)
    if own is None and spec.train.teacher is not None:
        return None
    return TeacherStore().find(training_key(spec, task, own))
