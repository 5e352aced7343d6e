"""How good a teacher's answers are by the task's metric, beside those of the best constant answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from automl_kd.core import whole
from automl_kd.students import Shape
from automl_kd.tasks import Task
from automl_kd.teachers.alternatives import Alternative, better_input
from automl_kd.teachers.teacher import Teacher, Understood

_LISTED = 6


@dataclass(frozen=True, kw_only=True)
class TeacherReading:
    """What was found out about one teacher.

    Attributes:
        form: What it is, for example ``ONNX file teacher.onnx, output logits``.
        input: What it is shown, and who says so.
        classes: How its outputs were matched to the names of the task.
        outputs: What its outputs are, and what is made of them.
        warnings: What is odd, one line each, with the option that mends it.
    """

    form: str
    input: str
    classes: str
    outputs: str
    warnings: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The reading as plain data."""
        told = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return told | {"warnings": told.pop("warnings")}


@dataclass(frozen=True, kw_only=True)
class EncoderReading(TeacherReading):
    """A teacher that answers nothing, so that there is nothing to rate.

    Attributes:
        rows: What people read, one sentence a line.
    """

    rows: tuple[str, ...]

    @classmethod
    def of(cls, who: str, teacher: Teacher, task: Task) -> EncoderReading:
        """What is known of it.

        Args:
            who: What a line calls it.
            teacher: The teacher.
            task: What it teaches.
        """
        told = teacher.understood
        shown, stages = shown_in_words(told, task), teacher.feature_shapes()
        maps = ", ".join(f"{stage} {' x '.join(map(str, shape))}" for stage, shape in _few(stages).items())
        return cls(
            form=told.form,
            input=shown,
            classes=told.classes,
            outputs=told.outputs,
            warnings=tuple(f"{who}: {line}" for line in told.warnings),
            rows=(f"{told.form}; {shown}", f"answers nothing; {len(stages)} stages show maps: {maps}"),
        )


def _few(stages: Mapping[str, Shape]) -> dict[str, Shape]:
    """All stages, or the first and the last of many."""
    names = list(stages)
    shown = names if len(names) <= _LISTED else [names[0], names[-1]]
    return {name: stages[name] for name in shown}


@dataclass(frozen=True, kw_only=True)
class ScoredReading(TeacherReading):
    """A teacher by a metric.

    Attributes:
        metric: The name of the task's metric.
        score: Its value for the teacher's answers, in its own unit.
        constant: Its value for the best constant answer.
        examples: How many examples of search-validation were asked.
        rows: What people read, one sentence a line.
    """

    metric: str
    score: float
    constant: float
    examples: int
    rows: tuple[str, ...]


def rate(who: str, teacher: Teacher, task: Task, asked: Tensor, outputs: Tensor, seconds: float) -> ScoredReading:
    """Rate a teacher by the task's metric.

    Args:
        who: What a line calls it.
        teacher: Who was asked.
        task: What it shall teach.
        asked: Positions in search-validation (N,).
        outputs: What it answered (N, width).
        seconds: How long other ways to show it examples may be tried.
    """
    labels, metric, told = task.validation.labels[asked].cpu(), task.metric, teacher.understood
    constant = task.problem.constant_answer(labels).expand_as(outputs)
    score, floor = _value(task, outputs, labels), _value(task, constant, labels)
    usual = float(task.problem.losses(constant, labels).mean())

    def good(answers: Tensor, truth: Tensor) -> Tensor:
        """How much of what a constant answer loses is not lost: 1 at best, 0 for the constant answer."""
        return 1 - task.problem.losses(answers, truth).float() / usual

    other = better_input(teacher, task, asked, outputs, good, seconds) if told.brought and usual > 0 else None
    other = None if other is not None and other.good <= 0 else other  # better than it was, and still worth nothing
    noun = f"{task.modality.noun}s"
    odd = _oddities(task, score, floor, len(asked), told) if other is None else (_misshown(task, score, other),)
    return ScoredReading(
        form=told.form,
        input=shown_in_words(told, task),
        classes=told.classes,
        outputs=told.outputs,
        metric=metric.name,
        score=score,
        constant=floor,
        examples=len(asked),
        rows=(
            f"{told.form}; {shown_in_words(told, task)}",
            f"outputs {told.classes}; they are {told.outputs}",
            f"{metric.title} {metric.shown(score)} on {whole(len(asked))} {noun} of search-validation;"
            f" always the best constant answer: {metric.shown(floor)}",
        ),
        warnings=tuple(f"{who}: {line}" for line in (*told.warnings, *odd)),
    )


def shown_in_words(told: Understood, task: Task) -> str:
    """What a teacher is shown."""
    return task.modality.prepared_in_words if told.input is None else told.input


def remedy(told: Understood, task: Task) -> str:
    """What a user does about a teacher that knows nothing of the task."""
    if told.brought:
        return task.modality.teacher_remedy
    return "look at the data, or train it longer or otherwise under teacher: {train: …}"


def _value(task: Task, outputs: Tensor, labels: Tensor) -> float:
    return task.metric.value(task.metric.statistics(outputs.float(), labels))


def _oddities(task: Task, score: float, floor: float, examples: int, told: Understood) -> tuple[str, ...]:
    metric = task.metric
    worse = score <= floor if metric.direction == "maximize" else score >= floor
    if not worse:
        return ()
    return (
        f"its {metric.title} is {metric.shown(score)} on {examples} {task.modality.noun}s of search-validation, where"
        f" one answer to all has {metric.shown(floor)}: {remedy(told, task)}",
    )


def _misshown(task: Task, score: float, other: Alternative) -> str:
    metric = task.metric
    value = _value(task, other.outputs, task.validation.labels[other.index].cpu())
    return (
        f"its {metric.title} is {metric.shown(score)} on search-validation as it is shown its {task.modality.noun}s,"
        f" and {metric.shown(value)} on {len(other.index)} of them shown otherwise: say so with {other.option}"
    )
