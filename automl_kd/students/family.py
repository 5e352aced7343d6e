"""What a student family is: a part of the recipe, and the plan that it becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from automl_kd.core import Registry, Signature
from automl_kd.recipes import FAMILIES as RECIPE_FAMILIES
from automl_kd.recipes import StudentPart
from automl_kd.students.plans import Plan


@dataclass(frozen=True)
class Family:
    """A student family.

    Attributes:
        part: Its part of the recipe, whose ``family`` is its name.
        axes: The axes of the inputs that it takes: ``IMAGE_AXES``, ``TEXT_AXES``, or others of a modality.
        plan: ``(part, signature, allow_code)`` to the blocks of the student, without weights; the last says whether
            files of the user's that the part names may run.
    """

    part: type[StudentPart]
    axes: tuple[str, ...]
    plan: Callable[[Any, Signature, bool], Plan]


FAMILIES: Registry[Family] = RECIPE_FAMILIES  # type: ignore[assignment]  # this room fills it, with families alone
"""The student families by name."""
