"""What teachers have in common whose submodules can be tapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from automl_kd.core import UserError, first_line
from automl_kd.students import Shape
from automl_kd.teachers.answers import OpenedTeacher
from automl_kd.teachers.recording import Call, trace
from automl_kd.teachers.teacher import unknown_stage


class TappedTeacher(OpenedTeacher):
    """A teacher whose stages, and the shapes of all maps, were seen once.

    Attributes:
        stages: Paths of its stages, from input to output.
        shapes: Channels, height, width by path, of every submodule that returns a map.
    """

    stages: tuple[str, ...]
    shapes: Mapping[str, Shape]

    def stage_names(self) -> tuple[str, ...]:
        return self.stages

    def feature_shapes(self, paths: Sequence[str] | None = None) -> dict[str, Shape]:
        asked = self.stages if paths is None else paths
        self.check(asked)
        return {path: self.shapes[path] for path in asked}

    def check(self, paths: Sequence[str]) -> None:
        """Refuse what cannot be tapped.

        Raises:
            UserError: With the stages and the nearest paths.
        """
        for path in paths:
            if path not in self.shapes:
                raise unknown_stage(path, self.stages, self.shapes)


def observe(who: str, module: nn.Module, inputs: Tensor, width: int) -> list[Call]:
    """Run a network once to see what can be tapped, and that it does what a teacher of the task should.

    Args:
        who: What it is, for errors.
        module: In evaluation mode.
        inputs: A batch (B, …) of the task's shape.
        width: Number of outputs that the task needs; 0 where they are not read.

    Raises:
        UserError: If it does not accept such inputs or does not return such outputs.
    """
    shape = tuple(inputs.shape[1:])
    try:
        output, calls = trace(module, inputs)
    except Exception as error:  # a foreign module may raise anything
        raise UserError(f"{who} does not accept inputs of shape {shape}: {first_line(error)}") from None
    logits = logits_of(output)
    if width == 0:
        return calls
    if logits is None or logits.shape != (len(inputs), width):
        given = type(output).__name__ if logits is None else tuple(logits.shape[1:])
        raise UserError(f"{who} returns {given} for inputs of shape {shape}; the task needs ({width},)")
    return calls


def shapes_of(calls: Sequence[Call]) -> dict[str, Shape]:
    """Shapes by path of all that returned maps."""
    return {call.path: call.shape for call in calls if call.shape is not None}


def logits_of(output: Any) -> Tensor | None:
    """The logits in what a network returned: a tensor, or an object that has them under ``logits``."""
    logits = output if isinstance(output, Tensor) else getattr(output, "logits", None)
    return logits if isinstance(logits, Tensor) else None
