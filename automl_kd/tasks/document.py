"""The task file: where the data come from, how they are split, who teaches, and what networks are judged by."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from automl_kd.recipes import OneOf, Part
from automl_kd.tasks.data.registry import DATA
from automl_kd.tasks.source import Data
from automl_kd.tasks.splits import Splits
from automl_kd.tasks.teacher import TeacherSpec


class TaskDocument(Part):
    """The content of a task file. Relative paths start at the folder of the file.

    ``problem`` is the problem type: ``multiclass``, ``multilabel``, ``regression`` or that of an extension. Left out,
    it is the only one that the data can be of, or multiclass.

    ``metric`` is the name of the metric that a search compares networks by; the others that the problem has are
    reported beside it. A list names exactly those that are reported, that of the search first. Left out, the problem's
    default is searched.
    """

    version: Literal[1] = 1
    name: Annotated[str, Field(min_length=1)]
    data: Annotated[Data, OneOf(DATA, "kind")]
    problem: str | None = None
    splits: Splits = Splits()
    teacher: TeacherSpec | None = None
    metric: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
