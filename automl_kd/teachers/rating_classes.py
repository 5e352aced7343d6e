"""How often a teacher of classes is right, as its outputs are read and with its classes in another order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import UserError, percent, whole
from automl_kd.recipes import parse_text
from automl_kd.tasks import Task
from automl_kd.teachers.alternatives import Alternative, better_input
from automl_kd.teachers.rating import TeacherReading, remedy, shown_in_words
from automl_kd.teachers.rightness import Rightness, rightness
from automl_kd.teachers.teacher import Teacher

_FEW_CLASSES = 20
_NEAR_CHANCE = 0.1  # of the way from chance to always being right


@dataclass(frozen=True, kw_only=True)
class ClassifierReading(TeacherReading):
    """A teacher by how often it is right.

    Attributes:
        correct: Share of the examples asked that it is right on, in [0, 1].
        images: How many examples of search-validation were asked; the name is that of version 0.1.
        chance: Share that always answering their most frequent class is right on.
        permuted: Share that it is right on under the best permutation of its classes, which is chosen on one half of
            the examples and counted on the other; at least ``correct``.
        rows: What people read, one sentence a line; empty for images, whose lines are made of the fields.
    """

    correct: float
    images: int
    chance: float
    permuted: float
    rows: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        told = super().document()
        if not self.rows:
            del told["rows"]
        return told


def rate_classes(
    who: str,
    teacher: Teacher,
    task: Task,
    asked: Tensor,
    outputs: Tensor,
    half: NDArray[np.bool_],
    seconds: float,
) -> ClassifierReading:
    """Count how often a teacher is right.

    Args:
        who: What a line calls it.
        teacher: Who was asked.
        task: What it shall teach.
        asked: Positions in search-validation (N,).
        outputs: What it answered (N, classes).
        half: (N,), which examples are in the one of two halves, each with a share of every class.
        seconds: How long other ways to show it examples may be tried.
    """
    labels = task.validation.labels[asked].cpu()
    found = rightness(labels.numpy(), outputs.argmax(dim=1).numpy(), half)
    told = teacher.understood
    other = None
    if told.brought and not found.misordered:
        other = better_input(teacher, task, asked, outputs, _right, seconds)
    odd = _oddities(found, len(asked), task, teacher) if other is None else (_misshown(found, task, other),)
    shown = shown_in_words(told, task)
    rows: tuple[str, ...] = ()
    if task.modality.noun != "image":
        rows = (
            f"{told.form}; {shown}",
            f"outputs {told.classes}; they are {told.outputs}",
            _sentence(found, task, asked),
        )
    return ClassifierReading(
        form=told.form,
        input=shown,
        classes=told.classes,
        outputs=told.outputs,
        correct=found.correct,
        images=len(asked),
        chance=found.chance,
        permuted=found.permuted,
        rows=rows,
        warnings=tuple(f"{who}: {line}" for line in (*told.warnings, *odd)),
    )


def _right(outputs: Tensor, labels: Tensor) -> Tensor:
    return (outputs.argmax(dim=1) == labels).float()


def _sentence(found: Rightness, task: Task, asked: Tensor) -> str:
    order = f", {percent(found.permuted)} with its classes in the best order" if found.permuted > found.correct else ""
    return (
        f"right on {percent(found.correct)} of {whole(len(asked))} {task.modality.noun}s of search-validation{order};"
        f" always the most frequent class: {percent(found.chance)}"
    )


def _as_option(name: str) -> str:
    """A class name as it stands in a list of names: in quotes where it would be read as something else."""
    try:
        read = parse_text(f"{{name: {name}}}", name)["name"]
    except UserError:
        read = None
    plain = type(read) in (str, int) and str(read) == name and "," not in name
    return name if plain else json.dumps(name, ensure_ascii=False)


def _misshown(found: Rightness, task: Task, other: Alternative) -> str:
    return (
        f"it is right on {percent(found.correct)} of search-validation as it is shown its {task.modality.noun}s, and on"
        f" {percent(other.good)} of {len(other.index)} of them shown otherwise: say so with {other.option}"
    )


def _oddities(found: Rightness, examples: int, task: Task, teacher: Teacher) -> tuple[str, ...]:
    names, told = task.problem.names, teacher.understood
    often = f"it is right on {percent(found.correct)} of {examples} {task.modality.noun}s of search-validation"
    if found.misordered and told.brought:
        meant = found.by_output(told.order or range(len(names))) if len(names) <= _FEW_CLASSES else None
        listed = ", ".join(_as_option(names[each]) for each in meant) if meant else "names in the order of its outputs"
        return (
            f"{often}, and on {percent(found.permuted)} with its classes in another order: say which output is which"
            f" with classes: [{listed}]",
        )
    if found.beyond_chance(found.correct) < _NEAR_CHANCE:
        return (
            f"{often}, where one answer to all is right on {percent(found.chance)}, and on at most"
            f" {percent(found.permuted)} with its classes in another order: {remedy(told, task)}",
        )
    return ()
