"""The recipe's ``student``: what all families share. Each family is one file of ``automl_kd.students.families``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from automl_kd.core import Registry
from automl_kd.recipes.one_of import OneOf, Registered
from automl_kd.recipes.part import Part

Channels = Annotated[int, Field(ge=1, le=8192)]
Depth = Annotated[int, Field(ge=1, le=64)]
Stride = Literal[1, 2]
Width = Annotated[float, Field(gt=0, le=8)]


FAMILIES: Registry[Registered] = Registry("family", home="automl_kd.students.families")
"""The student families by name."""


SCRATCH = "scratch"
"""What ``start`` says for random weights."""
PRETRAINED = "pretrained"
"""What ``start.weights`` says for the published weights of the network."""
_WRITTEN_DOWN = ("sha256", "mean", "std")


class Start(Part):
    """The weights that a student starts from.

    ``weights`` is a file or folder, or ``pretrained`` for the published ones of the network, wherever they are found.
    ``sha256`` of the file, and ``mean`` and ``std`` by which the images that these weights know were normalised (by
    channel, of values in [0, 1]), are written down when the recipe is fixed, so that a replay starts from the same.
    """

    weights: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    mean: Annotated[tuple[float, ...], Field(min_length=1)] | None = None
    std: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std belong together: give both, or neither")
        return self

    def statistics(self, channels: int) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
        """Mean and standard deviation by which images of so many channels are normalised; None where it says neither.

        A grey image stands for a colour image with three equal channels: it has the means of theirs.
        """
        if self.mean is None or self.std is None or channels != 1:
            return self.mean, self.std
        return (sum(self.mean) / len(self.mean),), (sum(self.std) / len(self.std),)


def unpin_start(student: dict[str, Any]) -> None:
    """Take out of a student, as plain data, the fields of ``start`` that are filled once a recipe is fixed."""
    for name in _WRITTEN_DOWN:
        student.get("start", {}).pop(name, None)


def _from_scratch(value: Any) -> Any:
    if isinstance(value, str) and value != SCRATCH:
        raise ValueError(f"{value!r} is no start; say {SCRATCH}, or {{weights: {value}}}")
    return None if value == SCRATCH else value


class StudentPart(Part):
    """The ``student`` of a recipe: the family's name, and what the family asks for.

    ``resolution`` is the height and width of the images that it takes, where these are not the task's. ``start`` says
    what its weights are before training: random ones (``scratch``), or those of a file.

    A family whose networks can end in a projector has a field ``projector``.
    """

    family: str
    resolution: Annotated[int, Field(ge=4, le=4096)] | None = None
    start: Annotated[Start | None, BeforeValidator(_from_scratch)] = None

    @property
    def title(self) -> str:
        """What people call it."""
        return self.family


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
