"""A PyTorch module as a teacher."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from automl_kd.errors import UserError, unknown
from automl_kd.students import Shape, StudentModule, Taps
from automl_kd.teachers._stages import find_stages
from automl_kd.teachers._teacher import Outputs, Teacher


def module_teacher(module: nn.Module, input_shape: Shape, classes: int) -> Teacher:
    """Any module as a teacher; the module itself is copied and left as it is.

    Its stages are those that it names (a student of this project), else the last submodule at each resolution, under
    the submodule's path.

    Args:
        module: Images (B, C, H, W) to logits (B, classes).
        input_shape: Channels, height, width of an image.
        classes: Number of logits.

    Raises:
        UserError: If the module does not accept such images or does not return such logits.
    """
    own = copy.deepcopy(module).eval().requires_grad_(False)
    device = next((tensor.device for tensor in own.state_dict().values()), torch.device("cpu"))
    images = torch.zeros(2, *input_shape, device=device)
    try:
        with torch.no_grad():
            logits = own(images)
    except RuntimeError as error:
        raise UserError(f"the teacher does not accept images of shape {input_shape}: {error}") from None
    if not isinstance(logits, Tensor) or logits.shape != (2, classes):
        given = tuple(logits.shape[1:]) if isinstance(logits, Tensor) else type(logits).__name__
        raise UserError(f"the teacher returns {given} for images of shape {input_shape}; the task needs ({classes},)")
    stages = own.stage_names() if isinstance(own, StudentModule) else find_stages(own, images)
    return _ModuleTeacher(own, input_shape, classes, stages, weights_sha256(own.state_dict()), device)


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
        sha256: str,
        device: torch.device,
    ) -> None:
        self.input_shape = input_shape
        self.classes = classes
        self.sha256 = sha256
        self._module = module
        self._stages = stages
        self.device = device

    def stage_names(self) -> tuple[str, ...]:
        return self._stages

    def outputs(self, images: Tensor, stages: Sequence[str] = ()) -> Outputs:
        for stage in stages:
            if stage not in self._stages:
                raise unknown("teacher stage", stage, self._stages)
        with torch.no_grad(), Taps(self._module, {stage: stage for stage in stages}) as taps:
            logits = self._module(images)
        return Outputs(logits.float(), {stage: taps.maps[stage].float() for stage in stages})

    def to(self, device: torch.device | str) -> Teacher:
        target = torch.device(device)
        if target == self.device:
            return self
        module = copy.deepcopy(self._module).to(target)
        return _ModuleTeacher(module, self.input_shape, self.classes, self._stages, self.sha256, target)
