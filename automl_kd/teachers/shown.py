"""What a teacher is shown, by the user's word, its own papers and the task, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automl_kd.students import Shape
from automl_kd.tasks import Task, TeacherInput
from automl_kd.teachers.card import Card
from automl_kd.teachers.input import Transform, transform_of


@dataclass(frozen=True)
class Shown:
    """The images that a teacher is shown.

    Attributes:
        transform: From the task's normalised images to these; None where they are the same.
        shape: Channels, height, width.
        words: What they are, and who says so.
        warnings: Where the user and the teacher's own papers say different things.
    """

    transform: Transform | None
    shape: Shape
    words: str
    warnings: tuple[str, ...]


def show(stated: TeacherInput | None, card: Card, task: Task) -> Shown:
    """Decide what a teacher is shown.

    Args:
        stated: What the user says, which has the last word, part by part.
        card: What the teacher says of itself.
        task: Whose images there are.

    Raises:
        UserError: If the task's images cannot be turned into those.
    """
    said = stated or TeacherInput()
    wanted = TeacherInput(
        size=said.size if said.size is not None else card.size,
        channels=said.channels or (len(said.mean) if said.mean is not None else card.channels),
        mean=said.mean if said.mean is not None else card.mean,
        std=said.std if said.std is not None else card.std,
    )
    transform: Transform | None = transform_of(wanted, task)
    assert transform is not None
    shape = transform.after
    if stated is None and (shape, wanted.mean, wanted.std) in (
        (task.input_shape, None, None),
        (task.input_shape, task.mean, task.std),
    ):
        transform = None
    return Shown(transform, shape, _words(said, card, wanted, shape, task), tuple(_contradictions(said, card)))


def _words(said: TeacherInput, card: Card, wanted: TeacherInput, shape: Shape, task: Task) -> str:
    parts = [f"images {shape} ({_who(said.size is not None, card.size is not None, card.place)})"]
    if wanted.mean is None or wanted.std is None:
        parts.append(
            f"normalised as the task's: mean {spelled(task.mean)}, std {spelled(task.std)} (nothing else stated)"
        )
    else:
        who = _who(said.mean is not None, card.mean is not None, card.place)
        parts.append(f"mean {spelled(wanted.mean)}, std {spelled(wanted.std)} ({who})")
    if shape[0] != task.input_shape[0]:
        parts.append("grey repeated")
    if shape[1:] != task.input_shape[1:]:
        parts.append(f"resized from {task.input_shape[1]} x {task.input_shape[2]}")
    return ", ".join([*parts, *card.remarks])


def _who(user: bool, papers: bool, place: str) -> str:
    if user:
        return "stated by input"
    return f"stated by {place}" if papers else "the task's"


def _contradictions(said: TeacherInput, card: Card) -> list[str]:
    size = (said.size, said.size) if isinstance(said.size, int) else said.size
    pairs = (
        ("size", size, card.size),
        ("channels", said.channels, card.channels),
        ("mean", said.mean, card.mean),
        ("std", said.std, card.std),
    )
    return [
        f"input.{name}: {spelled(user)} is used; {card.place} states {spelled(papers)}"
        for name, user, papers in pairs
        if user is not None and papers is not None and user != papers
    ]


def spelled(value: int | Sequence[float]) -> str:
    """``(0.485, 0.456, 0.406)``; a number as it is."""
    return str(value) if isinstance(value, int) else "(" + ", ".join(f"{each:.4g}" for each in value) + ")"
