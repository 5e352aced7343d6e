"""The teacher of a task: brought by the user, found in the cache, or trained once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from automl_kd.core import UserError, cache_dir, duration
from automl_kd.distillation.fine_tuning import as_trained
from automl_kd.distillation.history import Diverged
from automl_kd.distillation.loop import Outcome, distill
from automl_kd.distillation.training_progress import StepTimer, TrainingProgress
from automl_kd.distillation.wiring import wire
from automl_kd.recipes import Distill, Recipe, TeacherReference, digest, schema
from automl_kd.students import build, pinned
from automl_kd.tasks import (
    OneTeacher,
    Task,
    TeacherSpec,
    TrainedTeacher,
    found_anywhere,
    parse_teacher,
    shows_features_only,
)
from automl_kd.teachers import (
    KeptTeacher,
    LoadableTeacher,
    MultiTeacher,
    Teacher,
    TeacherStore,
    TransformedTeacher,
    kept_teacher,
    load_teacher,
    module_teacher,
    shown_as_student,
)

_WORKER_START_SECONDS = 5.0


@dataclass(frozen=True)
class ResolvedTeacher:
    """A teacher that is ready to use.

    Attributes:
        teacher: The teacher.
        spec: Where it is; a tuple for several, None for one that was trained here and is kept by its own hash.
        file: What the user wrote to name it, where the user brought one.
    """

    teacher: Teacher
    spec: LoadableTeacher | tuple[LoadableTeacher, ...] | None
    file: str | None = None

    @property
    def reference(self) -> TeacherReference:
        """The reference by which a recipe names it."""
        return TeacherReference(sha256=self.teacher.sha256, file=self.file)


@dataclass(frozen=True)
class ExpectedTeacher:
    """A teacher as it is known before anything is trained.

    Attributes:
        teacher: The teacher; one that is still to be trained has random weights, which suffice for its shapes.
        resolved: The teacher ready to use; None as long as something is to be trained.
        status: ``brought by the user``, ``kept from before`` or ``to be trained``.
        missing: The teachers that are to be trained, those first that teach others.
    """

    teacher: Teacher
    resolved: ResolvedTeacher | None
    status: str
    missing: tuple[TrainedTeacher, ...] = ()


class _TeacherResolver:
    """Finds or trains the teachers of one task, one after the other.

    A teacher that itself learns from a teacher is trained after that one. Each is kept under a key of its own.
    """

    def __init__(self, task: Task, count: int, watch: Callable[[TrainingProgress], bool], device: str) -> None:
        self._task = task
        self._count = count
        self._watch = watch
        self._device = device
        self._reached = 0

    def find(self, spec: OneTeacher) -> Teacher:
        return self._trained(spec) if isinstance(spec, TrainedTeacher) else load_teacher(spec, self._task)

    def _trained(self, spec: TrainedTeacher) -> Teacher:
        taught_by = None if spec.train.teacher is None else self.find(spec.train.teacher)
        self._reached += 1
        key = training_key(spec, self._task, taught_by)
        kept = _kept(key, self._task)
        if kept is not None:
            return kept
        recipe = teacher_recipe(spec)
        timer = StepTimer(recipe, self._task, self._reached, self._count, self._watch)
        threads = torch.get_num_threads()
        torch.set_num_threads(recipe.threads)
        checkpoint = _checkpoint(key)
        try:
            outcome = distill(
                recipe,
                self._task,
                taught_by,
                checkpoint=checkpoint,
                device=self._device,
                on_epoch=timer.on_epoch,
                should_stop=timer.should_stop,
            )
            facts = _facts(self._task, outcome, taught_by)
            signature = self._task.at(recipe.student).signature
            teacher = TeacherStore().keep(key, recipe.student, signature, outcome.student, facts)
        except Diverged as error:
            checkpoint.unlink(missing_ok=True)  # a training that goes on from it would fail the same way
            raise untrainable_teacher(recipe, self._task, error) from None
        finally:
            torch.set_num_threads(threads)
        checkpoint.unlink(missing_ok=True)
        return shown_as_student(teacher, recipe.student, self._task)


def _facts(task: Task, outcome: Outcome, taught_by: Teacher | None) -> dict[str, Any]:
    """What is kept beside a trained teacher, for people who look into its file."""
    facts: dict[str, Any] = {
        "metric": task.metric.name,
        "validation_score": outcome.score,
        "validation_metrics": dict(outcome.values),
    }
    return facts if taught_by is None else facts | {"teacher": taught_by.sha256}


def answers(task: Task, given: str | None) -> bool:
    """Whether the teacher of a task answers as the task asks, as far as words tell; nothing is opened.

    Args:
        task: What it teaches.
        given: As for :func:`find_teacher`.
    """
    spec = parse_teacher(given) if given is not None else task.teacher
    return spec is None or not shows_features_only(spec)


def find_teacher(
    task: Task,
    given: str | None,
    *,
    watch: Callable[[TrainingProgress], bool] = lambda lesson: False,
    device: str = "auto",
) -> ResolvedTeacher:
    """The teacher of a task. It is trained if there is none yet, and so is the teacher that it learns from, if any.

    Args:
        task: What it teaches.
        given: A teacher that the user names in place of the task's (``teacher.onnx``, ``teacher.pt@{…}``), or several,
            joined by `` + ``.
        watch: Called before every step of a training; if it returns true, the training stops and its state is kept.
        device: Where it trains.

    Raises:
        UserError: If there is none, or it does not fit the task.
        Interrupted: If ``watch`` returned true.
    """
    spec = _spec(task, given)
    members = spec if isinstance(spec, tuple) else (spec,)
    resolver = _TeacherResolver(task, sum(map(_trainings, members)), watch, device)
    found = [resolver.find(member) for member in members]
    return _resolved(found, [_place(member, teacher) for member, teacher in zip(members, found, strict=True)], given)


def expect_teacher(task: Task, given: str | None) -> ExpectedTeacher:
    """What is known of a task's teacher; nothing is trained.

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
    return ExpectedTeacher(_joined(there), _resolved(there, places, given), status)


def budget_too_short(left: float, spent: float, teacher: float, trial: float, epochs: int) -> str | None:
    """Why a budget is too short for the teacher and one trial, and what would be enough; None where it is enough.

    Args:
        left: Seconds of the budget that are left.
        spent: Seconds of the budget that were used.
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


def training_was_begun(spec: TrainedTeacher, task: Task) -> bool:
    """Whether an earlier training of this teacher was stopped, so that the next one goes on from there."""
    taught_by = None if spec.train.teacher is None else _found(spec.train.teacher, task)
    if taught_by is None and spec.train.teacher is not None:
        return False
    return _checkpoint(training_key(spec, task, taught_by)).exists()


def _checkpoint(key: str) -> Path:
    return cache_dir() / "teachers" / "training" / f"{key}.pt"


def teacher_recipe(spec: TrainedTeacher) -> Recipe:
    """The recipe by which a teacher is trained."""
    training = spec.train
    return Recipe(
        student=training.student, train=training.train, seed=training.seed, distill=training.distill or Distill()
    )


def untrainable_teacher(recipe: Recipe, task: Task, error: Diverged) -> UserError:
    """The error for a teacher whose training failed."""
    return UserError(
        f"task {task.name}: training the teacher ({recipe.student.title}, {recipe.train.epochs} epochs) failed:"
        f" {error}; look at the data with automl-kd task check, or train it otherwise under teacher: {{train: …}}, for"
        f" example with a smaller train.optimizer.lr (now {recipe.train.optimizer.lr:g})"
    )


def training_key(spec: TrainedTeacher, task: Task, teacher: Teacher | None = None) -> str:
    """The key under which a trained teacher is kept: a hash of how it was trained, on what, and by whom.

    Args:
        spec: The teacher.
        task: What it learns.
        teacher: The teacher that it learns from, if any.
    """
    # Recipes are hashed as version 0.1 spelled them, because teachers that it left are named by this key.
    document = schema.as_0_1(teacher_recipe(spec).document())
    start = document["student"].get("start")
    if start is not None and "sha256" in start:
        del start["weights"]  # wherever they lie: their hash tells them
    return digest([document, task.sha256, *([] if teacher is None else [teacher.sha256])])


def training_words(spec: TrainedTeacher) -> str:
    """What is to be trained, in words.

    Args:
        spec: A teacher that is missing.
    """
    student, epochs = spec.train.student, spec.train.train.epochs
    return f"{student.title}{'' if student.start is None else ' fine-tuned'}, {epochs} epochs"


def _spec(task: Task, given: str | None) -> TeacherSpec:
    spec = parse_teacher(given) if given is not None else task.teacher
    if spec is None:
        raise UserError(f"task {task.name} names no teacher; give one with --teacher, or under teacher: in its file")
    return tuple(_fixed(each, task) for each in spec) if isinstance(spec, tuple) else _fixed(spec, task)


def _fixed(spec: OneTeacher, task: Task) -> OneTeacher:
    """A teacher as the training that it stands for, if any, and with the weights written down that this starts from."""
    return _pinned(as_trained(spec, task), task)


def _pinned(spec: OneTeacher, task: Task) -> OneTeacher:
    """A teacher with the weights written down from which its training starts, and that of its teachers."""
    if not isinstance(spec, TrainedTeacher):
        return spec
    training = spec.train
    taught_by = None if training.teacher is None else _pinned(training.teacher, task)
    student = pinned(training.student, task.signature)
    return spec.model_copy(update={"train": training.model_copy(update={"student": student, "teacher": taught_by})})


def _trainings(spec: OneTeacher) -> int:
    """How many trainings a teacher takes, those of its teachers included."""
    if not isinstance(spec, TrainedTeacher):
        return 0
    return 1 + (0 if spec.train.teacher is None else _trainings(spec.train.teacher))


def _place(spec: OneTeacher, teacher: Teacher) -> LoadableTeacher:
    kept = teacher.inner if isinstance(teacher, TransformedTeacher) else teacher
    return KeptTeacher(kept.sha256) if isinstance(spec, TrainedTeacher) else spec


def _joined(teachers: Sequence[Teacher]) -> Teacher:
    return teachers[0] if len(teachers) == 1 else MultiTeacher(teachers)


def _resolved(teachers: Sequence[Teacher], places: Sequence[LoadableTeacher], given: str | None) -> ResolvedTeacher:
    file = None if given is None else found_anywhere(given)
    if len(teachers) > 1:
        return ResolvedTeacher(MultiTeacher(teachers), tuple(places), file)
    itself = places[0] == KeptTeacher(teachers[0].sha256)
    return ResolvedTeacher(teachers[0], None if itself else places[0], file)


def _missing(spec: OneTeacher, task: Task) -> list[TrainedTeacher]:
    if not isinstance(spec, TrainedTeacher) or _found(spec, task) is not None:
        return []
    taught_by = spec.train.teacher
    return [*([] if taught_by is None else _missing(taught_by, task)), spec]


def _untrained(spec: OneTeacher, task: Task) -> Teacher:
    """A teacher as it will be, with random weights. Its training is checked as far as shapes tell."""
    assert isinstance(spec, TrainedTeacher)  # any other kind was loaded or refused before
    taught_by = spec.train.teacher
    wire(
        teacher_recipe(spec),
        task,
        None if taught_by is None else _found(taught_by, task) or _untrained(taught_by, task),
    )
    with torch.random.fork_rng(devices=[]):
        module = build(spec.train.student, task.signature)
    teacher = module_teacher(module, task.at(spec.train.student).signature)
    return shown_as_student(teacher, spec.train.student, task)


def _found(spec: OneTeacher, task: Task) -> Teacher | None:
    """The teacher, or None where it is still to be trained."""
    if not isinstance(spec, TrainedTeacher):
        return load_teacher(spec, task)
    taught_by = None if spec.train.teacher is None else _found(spec.train.teacher, task)
    if taught_by is None and spec.train.teacher is not None:
        return None
    return _kept(training_key(spec, task, taught_by), task)


def _kept(key: str, task: Task) -> Teacher | None:
    sha256 = TeacherStore().hash_of(key)
    return None if sha256 is None else kept_teacher(sha256, task)
