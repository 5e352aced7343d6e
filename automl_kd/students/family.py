"""What a student family is: a part of the recipe, and the plan that it becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from automl_kd.core import Registry, Signature
from automl_kd.recipes import FAMILIES as RECIPE_FAMILIES
from automl_kd.recipes import StudentPart
from automl_kd.students.plans import Plan


@dataclass(frozen=True, eq=False)
class Inherited:
    """What a student takes of a file of weights.

    Attributes:
        state: The student's tensors that come from the file, by the student's own names, in the student's shapes.
        unused: Names of the file's tensors that nothing was made of, such as those of its classifier.
        words: How the names were matched and what was cut off or narrowed, for people.
        sliced: Whether channels are missing by which the file's batch-norm statistics were gathered, so that they have
            to be measured anew before anything is learned.
        mean: By which the images that the weights know were normalised, by channel; None where nothing is known.
        std: Likewise.
    """

    state: Mapping[str, Tensor]
    unused: tuple[str, ...]
    words: str
    sliced: bool = False
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Published:
    """The published weights of a network.

    Attributes:
        name: Of the network, which files of its weights bear: ``resnet18``.
        repo: Where they are on the hub of Hugging Face; None where they are not there.
        aliases: Other names of files of weights of the network.
    """

    name: str
    repo: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """A student family.

    Attributes:
        part: Its part of the recipe, whose ``family`` is its name.
        axes: The axes of the inputs that it takes: ``IMAGE_AXES``, ``TEXT_AXES``, or others of a modality.
        plan: ``(part, signature, allow_code)`` to the blocks of the student, without weights; the last says whether
            files of the user's that the part names may run.
        inherit: ``(part, signature, tensors by name)`` to what a student of the part takes of a file of weights. Raises
            UserError, with the tensors, if they are those of another architecture. None for families whose students
            start from noise only.
        published: A part to the published weights that its students can start from; None where there are none. What a
            part says of width or stem may be inherited from a wider network.
    """

    part: type[StudentPart]
    axes: tuple[str, ...]
    plan: Callable[[Any, Signature, bool], Plan]
    inherit: Callable[[Any, Signature, Mapping[str, Tensor]], Inherited] | None = None
    published: Callable[[Any], Published | None] = lambda part: None


FAMILIES: Registry[Family] = RECIPE_FAMILIES  # type: ignore[assignment]  # this room fills it, with families alone
"""The student families by name."""
