"""Several teachers that are asked together."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from automl_kd.core import UserError
from automl_kd.recipes import digest
from automl_kd.students import Shape
from automl_kd.teachers.teacher import Outputs, Teacher

_NUMBERED = re.compile(r"([1-9]\d*):(.+)")


class MultiTeacher(Teacher):
    """Two or more teachers of one task.

    The outputs are (B, members, width): how they become one opinion is for the loss to say. A stage or path of the
    first member goes by its own name, one of the second by ``2:`` and its name, and so on. The stages are those of the
    first member that shows any, so that students are paired with one network; the maps of all can be asked for.
    Headless members show maps and have no part in the outputs.

    Args:
        members: Teachers of equal input, and of equal width as far as they speak.

    Raises:
        UserError: If they differ in input or width.
    """

    def __init__(self, members: Sequence[Teacher]) -> None:
        speaking = [each for each in members if not each.headless]
        first = next(iter(speaking), members[0])
        shape, width = first.signature.input.shape, first.signature.output.width
        for number, each in enumerate(members, start=1):
            other = (each.signature.input.shape, width if each.headless else each.signature.output.width)
            if other != (shape, width):
                raise UserError(
                    f"teacher {number} takes inputs {other[0]} and has {other[1]} outputs,"
                    f" teacher {members.index(first) + 1} takes {shape} and"
                    f" has {width}: they should be equal"
                )
        self._members = tuple(members)
        self.members = max(1, sum(member.members for member in speaking))
        self.signature = first.signature
        self.sha256 = digest([member.sha256 for member in members])

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """Where inputs should be: where any member computes that is not bound to the CPU."""
        devices = [member.device for member in self._members]
        return next((device for device in devices if device.type != "cpu"), devices[0])

    @property
    def alone(self) -> tuple[Teacher, ...]:
        return self._members

    def stage_names(self) -> tuple[str, ...]:
        for number, member in enumerate(self._members, start=1):
            if stages := member.stage_names():
                return tuple(_numbered(number, stage) for stage in stages)
        return ()

    def feature_shapes(self, paths: Sequence[str] | None = None) -> dict[str, Shape]:
        asked = self.stage_names() if paths is None else tuple(paths)
        found = {}
        for number, member in enumerate(self._members, start=1):
            own = self._own(number, asked)
            shapes = member.feature_shapes(own)
            found.update({_numbered(number, path): shapes[path] for path in own})
        return {path: found[path] for path in asked}

    def outputs(self, inputs: Tensor, stages: Sequence[str] = ()) -> Outputs:
        logits, maps = [], {}
        for number, member in enumerate(self._members, start=1):
            own = self._own(number, stages)
            outputs = member.outputs(inputs, own)
            if not member.headless:
                logits.append(outputs.logits)
            maps.update({_numbered(number, path): outputs.maps[path] for path in own})
        spoken = torch.stack(logits, dim=1) if len(logits) > 1 else next(iter(logits), inputs.new_zeros(len(inputs), 0))
        return Outputs(spoken, {stage: maps[stage] for stage in stages})

    def input_gradients(self, inputs: Tensor) -> Tensor:
        """Mean over the members of the gradient of each one's own largest output."""
        speaking = [member for member in self._members if not member.headless]
        return torch.stack([member.input_gradients(inputs) for member in speaking]).mean(dim=0)

    def to(self, device: torch.device | str) -> Teacher:
        moved = [member.to(device) for member in self._members]
        unchanged = all(new is old for new, old in zip(moved, self._members, strict=True))
        return self if unchanged else MultiTeacher(moved)

    def _own(self, number: int, stages: Sequence[str]) -> tuple[str, ...]:
        """Those of the stages asked for that belong to a member, by the member's own names."""
        own = []
        for stage in stages:
            match = _NUMBERED.fullmatch(stage)
            owner, path = (int(match[1]), match[2]) if match else (1, stage)
            if owner > len(self._members):
                raise UserError(f"teacher stage {stage!r}: there are {len(self._members)} teachers")
            if owner == number:
                own.append(path)
        return tuple(own)


def _numbered(number: int, stage: str) -> str:
    return stage if number == 1 else f"{number}:{stage}"
