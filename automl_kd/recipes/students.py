"""The recipe's ``student``: what all families share. Each family is one file of ``automl_kd.students.families``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from automl_kd.core import Registry
from automl_kd.recipes.one_of import OneOf, Registered
from automl_kd.recipes.part import Part

Channels = Annotated[int, Field(ge=1, le=8192)]
Depth = Annotated[int, Field(ge=1, le=64)]
Stride = Literal[1, 2]
Width = Annotated[float, Field(gt=0, le=8)]


FAMILIES: Registry[Registered] = Registry("family", home="automl_kd.students.families")
"""The student families by name."""


class StudentPart(Part):
    """The ``student`` of a recipe: the family's name, and what the family asks for.

    A family whose networks can end in a projector has a field ``projector``.
    """

    family: str


class Projector(Part):
    """A bottleneck (1x1, 3x3, 1x1) that brings the last map to ``channels`` before the classifier.

    With SimKD (Chen et al. 2022, arXiv:2203.14001) it is delivered with the student, in front of the teacher's own
    classifier; ``reduction`` divides ``channels`` inside.
    """

    channels: Channels
    reduction: Annotated[int, Field(ge=1, le=64)] = 2


class ModelSpace(StudentPart):
    """A model space of NNI 3 (``nni.nas.nn.pytorch.ModelSpace``) with all of its choices made.

    ``model`` names the class: ``package.module:Class`` of an installed package, or ``file.py:Class`` of the user's own,
    which only runs where that is allowed and is held to its hash. ``choices`` has the value of every label; what hangs
    on a choice may stand below it. ``arguments`` go to the class.
    """

    family: Literal["nni"]
    model: Annotated[str, Field(pattern=r"^[^:]+:[A-Za-z_]\w*$")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)
    choices: dict[str, Any] = Field(default_factory=dict)
    projector: None = None

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


Student = Annotated[StudentPart, OneOf(FAMILIES, "family")]
"""A student of any family."""
