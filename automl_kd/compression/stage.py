"""What a stage of compression is: a part of the recipe, its price, and what it does to a student and to its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_kd.compression.material import Material
from automl_kd.compression.training import QuantisedStudent
from automl_kd.core import Registry
from automl_kd.recipes import STAGES as RECIPE_STAGES
from automl_kd.recipes import StagePart
from automl_kd.students import Plan, StudentModule


@dataclass(frozen=True)
class Training:
    """How a student is trained in the form of its file.

    Attributes:
        share: ``(part)`` to the share of the run, at its end, that is trained so; 0 where the part asks for none.
        check: ``(part, student, material, paths)``: refuses, by a UserError of one line, what cannot be trained or
            written so, before anything is trained. The paths are of the stages and submodules whose outputs the losses
            read.
        begin: ``(part, student, material, paths, state)`` to the student in that form. The state is one that
            ``state_dict`` gave, where a run goes on; None where the form begins.
    """

    share: Callable[[Any], float]
    check: Callable[[Any, StudentModule, Material, Sequence[str]], None]
    begin: Callable[[Any, StudentModule, Material, Sequence[str], Mapping[str, Any] | None], QuantisedStudent]


@dataclass(frozen=True)
class Stage:
    """A stage of compression.

    The plan of the applied student equals the priced plan: what was priced is what ships.

    Attributes:
        part: Its part of the recipe, whose ``stage`` is its name.
        words: ``(part)`` to what it does, for reports: ``weights in half precision``.
        price: ``(part, plan)`` to the plan of the compressed student, before any training.
        apply: ``(part, student)`` to the compressed student, a copy on the same device; never in place. A student that
            cannot be compressed so is refused by a UserError of one line.
        store: ``(part, path)``: rewrites the ONNX file of the compressed student so that its weights take the bytes
            that the plan says. The values stay what they are. None where the file is exported so already.
        write: ``(part, student, material, path)``: writes the ONNX file of a form that no module has, from the student
            that the stages before it made. What is scored is then the file. Such a stage is the last of a recipe. None
            where the file is an export of the compressed student.
        training: How a student is trained in that form. None where that is no different.
    """

    part: type[StagePart]
    words: Callable[[Any], str]
    price: Callable[[Any, Plan], Plan]
    apply: Callable[[Any, StudentModule], StudentModule]
    store: Callable[[Any, Path], None] | None = None
    write: Callable[[Any, StudentModule, Material, Path], None] | None = None
    training: Training | None = None


STAGES: Registry[Stage] = RECIPE_STAGES  # type: ignore[assignment]  # this room fills it, with stages alone
"""The stages by name."""
