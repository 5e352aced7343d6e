"""A PyTorch module as a teacher."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from automl_kd.core import Signature, UserError
from automl_kd.students import Shape, StudentModule
from automl_kd.teachers.answers import OpenedTeacher
from automl_kd.teachers.gradients import input_gradients
from automl_kd.teachers.head import find_head
from automl_kd.teachers.recording import recorded_maps
from automl_kd.teachers.stages import find_stages
from automl_kd.teachers.tapped import TappedTeacher, logits_of, observe, shapes_of
from automl_kd.teachers.teacher import Outputs, Teacher


def module_teacher(module: nn.Module, signature: Signature) -> OpenedTeacher:
    """Any module as a teacher; the module itself is copied and left as it is.

    Its stages are those that it names (a student of this project), else the last submodule at each resolution, else the
    repeated blocks of a transformer, under the submodule's path.

    Args:
        module: Inputs (B, …) to outputs (B, width), or to an object that has these under ``logits``.
        signature: What it takes and answers; of width 0 for a module whose outputs are not read.

    Raises:
        UserError: If the module does not accept such inputs or does not return such outputs; or if its outputs are not
            read and it shows no maps.
    """
    own = copy.deepcopy(module).eval().requires_grad_(False)
    own = own.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster on CPUs, too
    device = next((tensor.device for tensor in own.state_dict().values()), torch.device("cpu"))
    # Real inputs, not fake tensors: two of them take a tenth of the time that faking a network takes, once.
    calls = observe("the teacher", own, signature.input.zeros(2).to(device), signature.output.width)
    named = own.stage_names() if isinstance(own, StudentModule) else ()
    stages = named or find_stages(own, calls)
    if signature.output.width == 0 and not stages:
        raise UserError("the teacher shows no feature maps and its outputs are not read: it can teach nothing")
    return _ModuleTeacher(own, signature, stages, shapes_of(calls), weights_sha256(own.state_dict()), device)


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes of tensors, in the order of their names."""
    hashed = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        hashed.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hashed.hexdigest()


class _ModuleTeacher(TappedTeacher):
    def __init__(
        self,
        module: nn.Module,
        signature: Signature,
        stages: tuple[str, ...],
        shapes: Mapping[str, Shape],
        sha256: str,
        device: torch.device,
    ) -> None:
        self.signature = signature
        self.sha256 = sha256
        self._module = module
        self.stages = stages
        self.shapes = shapes
        self.device = device

    def outputs(self, inputs: Tensor, stages: Sequence[str] = ()) -> Outputs:
        self.check(stages)
        # Here and not around it: what is kept of a teacher is then as precise as what it says when asked.
        half = torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")
        with torch.no_grad(), half, recorded_maps(self._module, stages) as maps:
            logits = self._logits(inputs)
        return Outputs(logits.float(), {stage: maps[stage].float() for stage in stages})

    @cached_property
    def _head(self) -> tuple[Tensor, Tensor] | None:
        return find_head(self, self._module, self.answers)

    def head(self) -> tuple[Tensor, Tensor] | None:
        # Copies: a student that trains this layer must not change its teacher.
        return None if self._head is None else (self._head[0].clone(), self._head[1].clone())

    def input_gradients(self, inputs: Tensor) -> Tensor:
        return input_gradients(self._logits, inputs)

    def to(self, device: torch.device | str) -> Teacher:
        target = torch.device(device)
        if target == self.device:
            return self
        moved = copy.copy(self)
        moved.__dict__.pop("_head", None)  # it is on the other device
        moved._module = copy.deepcopy(self._module).to(target)
        moved.device = target
        return moved

    def _logits(self, inputs: Tensor) -> Tensor:
        answer = self._module(inputs)
        if self.headless:
            return torch.zeros(len(inputs), 0, device=inputs.device)
        logits = logits_of(answer)
        assert logits is not None  # seen when it was made a teacher
        return self.answers(logits)
