"""What a teacher is found to be before anything is learned from it: as what it was opened, how often it is right."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import UserError, percent
from automl_kd.recipes import parse_text
from automl_kd.tasks import Task
from automl_kd.teachers.alternatives import OTHERS, Alternative, better_input
from automl_kd.teachers.order import Rightness, rightness
from automl_kd.teachers.teacher import Teacher, Understood

_MOST = 2_000
_FIRST, _BATCH = 8, 32  # a large network takes seconds for an image
_FEW_CLASSES = 20
_NEAR_CHANCE = 0.1  # of the way from chance to always being right


@dataclass(frozen=True)
class TeacherReading:
    """What was found out about one teacher.

    Attributes:
        form: What it is, for example ``ONNX file teacher.onnx, output logits``.
        input: What it is shown, and who says so.
        classes: How its outputs were matched to the task's classes.
        outputs: What its outputs are, and what is made of them.
        correct: Share of the images asked that it is right on, in [0, 1].
        images: How many images of search-validation were asked.
        chance: Share that always answering their most frequent class is right on.
        permuted: Share that it is right on under the best permutation of its classes, which is chosen on one half of
            the images and counted on the other; at least ``correct``.
        warnings: What is odd, one line each, with the option that mends it.
    """

    form: str
    input: str
    classes: str
    outputs: str
    correct: float
    images: int
    chance: float
    permuted: float
    warnings: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The reading as plain data."""
        return asdict(self) | {"warnings": list(self.warnings)}


def read_teacher(
    teacher: Teacher, task: Task, *, device: torch.device | str = "cpu", seconds: float = 10.0
) -> tuple[TeacherReading, ...]:
    """Ask a teacher about images of search-validation; several teachers are asked each for itself.

    Args:
        teacher: Who is asked.
        task: What it shall teach. Up to 2,000 images of its search-validation split are asked, in an order of which
            every beginning holds the classes in their proportions.
        device: Where it is asked.
        seconds: After which no further images are asked, for all teachers together; as long again may be spent on
            trying other ways to show it images where it is often wrong.

    Returns:
        One reading a teacher, in their order.

    Raises:
        UserError: If a teacher's outputs are not finite numbers.
    """
    members = teacher.to(device).alone
    who = ["teacher"] if len(members) == 1 else [f"teacher {number}" for number in range(1, len(members) + 1)]
    return tuple(_read(each, member, task, seconds / len(members)) for each, member in zip(who, members, strict=True))


def _read(who: str, teacher: Teacher, task: Task, seconds: float) -> TeacherReading:
    order, ranks = _proportional(task.validation.labels.numpy())
    answers = _answers(who, teacher, task, order, seconds)
    asked = order[: len(answers)]
    labels = task.validation.labels.numpy()[asked]
    found = rightness(labels, answers, ranks[asked] % 2 == 0)
    told = teacher.understood
    other = None
    if told.brought and not found.misordered:
        right = torch.from_numpy(answers == labels)
        # Where the time was up before all were asked, as many are asked again, shared by all other ways to show them.
        again = len(asked) if len(asked) == len(order) else len(asked) // OTHERS
        other = better_input(teacher, task, torch.from_numpy(asked[:again]), right[:again], seconds)
    odd = _oddities(found, len(answers), task.class_names, told) if other is None else _misshown(found, other)
    return TeacherReading(
        form=told.form,
        input=told.input,
        classes=told.classes,
        outputs=told.outputs,
        correct=found.correct,
        images=len(answers),
        chance=found.chance,
        permuted=found.permuted,
        warnings=tuple(f"{who}: {line}" for line in (*told.warnings, *odd)),
    )


def _proportional(labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of up to 2,000 images, every beginning with the classes in proportion; all images' ranks by class."""
    ranks, places = np.zeros(len(labels), np.int64), np.zeros(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        ranks[members] = np.arange(len(members))
        places[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.argsort(places, kind="stable")[:_MOST], ranks


def _answers(who: str, teacher: Teacher, task: Task, order: NDArray[np.int64], seconds: float) -> NDArray[np.int64]:
    """The classes that a teacher answers, for as many images as the time allows, at least one batch."""
    began = time.monotonic()
    answers: list[Tensor] = []
    first, rest = torch.from_numpy(order[:_FIRST]), torch.from_numpy(order[_FIRST:])
    for index in (first, *(torch.split(rest, _BATCH) if len(rest) else ())):
        if answers and time.monotonic() - began > seconds:
            break
        images = task.validation.images[index].to(teacher.device)
        logits = teacher.outputs(task.normalize(images)).logits
        if not bool(logits.isfinite().all()):
            raise UserError(
                f"{who}, {teacher.understood.form}: its outputs for images of search-validation are infinite or not a"
                " number, and nothing can be learned from them (a network in half precision may have overflowed)"
            )
        answers.append(logits.argmax(dim=1).cpu())
    return torch.cat(answers).numpy()


def _as_option(name: str) -> str:
    """A class name as it stands in a list of names: in quotes where it would be read as something else."""
    try:
        read = parse_text(f"{{name: {name}}}", name)["name"]
    except UserError:
        read = None
    plain = type(read) in (str, int) and str(read) == name and "," not in name
    return name if plain else json.dumps(name, ensure_ascii=False)


def _misshown(found: Rightness, other: Alternative) -> tuple[str, ...]:
    return (
        f"it is right on {percent(found.correct)} of search-validation as it is shown its images, and on"
        f" {percent(other.correct)} of {other.images} of them shown otherwise: say so with {other.option}",
    )


def _oddities(found: Rightness, images: int, names: tuple[str, ...], told: Understood) -> tuple[str, ...]:
    often = f"it is right on {percent(found.correct)} of {images} images of search-validation"
    if found.misordered and told.brought:
        meant = found.by_output(told.order or range(len(names))) if len(names) <= _FEW_CLASSES else None
        listed = ", ".join(_as_option(names[each]) for each in meant) if meant else "names in the order of its outputs"
        return (
            f"{often}, and on {percent(found.permuted)} with its classes in another order: say which output is which"
            f" with classes: [{listed}]",
        )
    if found.beyond_chance(found.correct) < _NEAR_CHANCE:
        remedy = "say what it was trained on with input: {size, channels, mean, std}"
        if not told.brought:
            remedy = "look at the data, or train it longer or otherwise under teacher: {train: …}"
        return (
            f"{often}, where one answer to all is right on {percent(found.chance)}, and on at most"
            f" {percent(found.permuted)} with its classes in another order: {remedy}",
        )
    return ()
