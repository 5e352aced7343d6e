"""What a stage of compression is: a part of the recipe, its price, and what it does to a student and to its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_kd.compression.material import Material
from automl_kd.core import Registry
from automl_kd.recipes import STAGES as RECIPE_STAGES
from automl_kd.recipes import StagePart
from automl_kd.students import Plan, StudentModule


@dataclass(frozen=True)
class Stage:
    """A stage of compression.

    The plan of the applied student equals the priced plan: what was priced is what ships.

    Attributes:
        part: Its part of the recipe, whose ``stage`` is its name.
        words: What it does, for reports: ``weights in half precision``.
        price: ``(part, plan)`` to the plan of the compressed student, before any training.
        apply: ``(part, student)`` to the compressed student, a copy on the same device; never in place. A student that
            cannot be compressed so is refused by a UserError of one line.
        store: ``(part, path)``: rewrites the ONNX file of the compressed student so that its weights take the bytes
            that the plan says. The values stay what they are. None where the file is exported so already.
        write: ``(part, student, material, path)``: writes the ONNX file of a form that no module has, from the student
            that the stages before it made. What is scored is then the file. Such a stage is the last of a recipe. None
            where the file is an export of the compressed student.
    """

    part: type[StagePart]
    words: str
    price: Callable[[Any, Plan], Plan]
    apply: Callable[[Any, StudentModule], StudentModule]
    store: Callable[[Any, Path], None] | None = None
    write: Callable[[Any, StudentModule, Material, Path], None] | None = None


STAGES: Registry[Stage] = RECIPE_STAGES  # type: ignore[assignment]  # this room fills it, with stages alone
"""The stages by name."""
