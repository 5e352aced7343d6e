"""A PyTorch module as a teacher."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from automl_kd.errors import UserError
from automl_kd.students import Shape, StudentModule
from automl_kd.teachers._gradients import input_gradients
from automl_kd.teachers._head import find_head
from automl_kd.teachers._recording import recorded_maps, trace
from automl_kd.teachers._stages import find_stages
from automl_kd.teachers._teacher import Outputs, Teacher, unknown_stage


def module_teacher(module: nn.Module, input_shape: Shape, classes: int) -> Teacher:
    """Any module as a teacher; the module itself is copied and left as it is.

    Its stages are those that it names (a student of this project), else the last submodule at each resolution, else the
    repeated blocks of a transformer, under the submodule's path.

    Args:
        module: Images (B, C, H, W) to logits (B, classes), or to an object with such ``logits``.
        input_shape: Channels, height, width of an image.
        classes: Number of logits.

    Raises:
        UserError: If the module does not accept such images or does not return such logits.
    """
    own = copy.deepcopy(module).eval().requires_grad_(False)
    device = next((tensor.device for tensor in own.state_dict().values()), torch.device("cpu"))
    try:
        # Real images, not fake tensors: two of them take a tenth of the time that faking a network takes, once.
        output, calls = trace(own, torch.zeros(2, *input_shape, device=device))
    except Exception as error:  # a foreign module may raise anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"the teacher does not accept images of shape {input_shape}: {reason}") from None
    logits = logits_of(output)
    if logits is None or logits.shape != (2, classes):
        given = type(output).__name__ if logits is None else tuple(logits.shape[1:])
        raise UserError(f"the teacher returns {given} for images of shape {input_shape}; the task needs ({classes},)")
    stages = own.stage_names() if isinstance(own, StudentModule) else find_stages(own, calls)
    shapes = {call.path: call.shape for call in calls if call.shape is not None}
    return _ModuleTeacher(own, input_shape, classes, stages, shapes, weights_sha256(own.state_dict()), device)


def logits_of(output: Any) -> Tensor | None:
    """The logits in what a network returned: a tensor, or an object that has them under ``logits``."""
    logits = output if isinstance(output, Tensor) else getattr(output, "logits", None)
    return logits if isinstance(logits, Tensor) else None


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes of tensors, in the order of their names."""
    hashed = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        hashed.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hashed.hexdigest()


class _ModuleTeacher(Teacher):
    def __init__(
        self,
        module: nn.Module,
        input_shape: Shape,
        classes: int,
        stages: tuple[str, ...],
        shapes: Mapping[str, Shape],
        sha256: str,
        device: torch.device,
    ) -> None:
        self.input_shape = input_shape
        self.classes = classes
        self.sha256 = sha256
        self._module = module
        self._stages = stages
        self._shapes = shapes
        self.device = device

    def stage_names(self) -> tuple[str, ...]:
        return self._stages

    def feature_shapes(self, paths: Sequence[str] | None = None) -> dict[str, Shape]:
        asked = self._stages if paths is None else paths
        self._check(asked)
        return {path: self._shapes[path] for path in asked}

    def outputs(self, images: Tensor, stages: Sequence[str] = ()) -> Outputs:
        self._check(stages)
        with torch.no_grad(), recorded_maps(self._module, stages) as maps:
            logits = self._logits(images)
        return Outputs(logits.float(), {stage: maps[stage].float() for stage in stages})

    def head(self) -> tuple[Tensor, Tensor] | None:
        return find_head(self, self._module)

    def input_gradients(self, images: Tensor) -> Tensor:
        return input_gradients(self._logits, images)

    def to(self, device: torch.device | str) -> Teacher:
        target = torch.device(device)
        if target == self.device:
            return self
        module = copy.deepcopy(self._module).to(target)
        return _ModuleTeacher(module, self.input_shape, self.classes, self._stages, self._shapes, self.sha256, target)

    def _logits(self, images: Tensor) -> Tensor:
        logits = logits_of(self._module(images))
        assert logits is not None  # seen when it was made a teacher
        return logits

    def _check(self, paths: Sequence[str]) -> None:
        for path in paths:
            if path not in self._shapes:
                raise unknown_stage(path, self._stages, self._shapes)
