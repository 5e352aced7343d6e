"""The task file: where the data come from, how they are split, who teaches, and what networks are judged by."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from automl_kd.recipes import Part
from automl_kd.tasks.cluttered_digits import ClutteredDigits
from automl_kd.tasks.digits import Digits
from automl_kd.tasks.fashion_mnist import FashionMnist
from automl_kd.tasks.image_folder import ImageFolder
from automl_kd.tasks.npz import Npz
from automl_kd.tasks.splits import Splits
from automl_kd.tasks.teacher import TeacherSpec

AnyData = Annotated[ClutteredDigits | Digits | FashionMnist | ImageFolder | Npz, Field(discriminator="kind")]


class TaskDocument(Part):
    """The content of a task file. Relative paths start at the folder of the file.

    ``metric`` is the name of the metric that a search compares networks by; the others that the problem has are
    reported beside it. A list names exactly those that are reported, that of the search first. Left out, the problem's
    default is searched.
    """

    version: Literal[1] = 1
    name: Annotated[str, Field(min_length=1)]
    data: AnyData
    splits: Splits = Splits()
    teacher: TeacherSpec | None = None
    metric: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
