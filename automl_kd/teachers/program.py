"""A program of ``torch.export`` as a teacher."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram, unflatten
from torch.export.passes import move_to_device_pass

from automl_kd.core import UserError, sha256_of
from automl_kd.students import Shape
from automl_kd.tasks import ProgramTeacher
from automl_kd.teachers.answers import Opened, Readout
from automl_kd.teachers.batches import Batches
from automl_kd.teachers.gradients import input_gradients
from automl_kd.teachers.module import weights_sha256
from automl_kd.teachers.program_file import read_program
from automl_kd.teachers.recording import recorded_maps
from automl_kd.teachers.stages import find_stages
from automl_kd.teachers.tapped import TappedTeacher, logits_of, observe, shapes_of
from automl_kd.teachers.teacher import Outputs, Teacher

_LARGEST_BATCH = 256


def open_program(spec: ProgramTeacher, input_shape: Shape, classes: int) -> Opened:
    """The program in a ``.pt2`` file as a teacher, on the CPU.

    Its stages and paths are those of the module that was exported, found as for any module. Batches that it was not
    exported for are cut, and padded with repeated images whose answers are dropped.

    Args:
        spec: A program from images (B, C, H, W) to logits (B, classes), exported in evaluation mode.
        input_shape: Channels, height, width of an image.
        classes: Number of logits.

    Raises:
        UserError: If the file is missing, damaged or holds code, was exported in training mode, or does not fit.
    """
    path = Path(spec.program).expanduser()
    program = read_program(path)
    teacher = _ProgramTeacher(path, program, input_shape, classes, torch.device("cpu"))
    return Opened(teacher, f"program {spec.program}", _readout(program) if spec.outputs is None else None)


class _ProgramTeacher(TappedTeacher):
    def __init__(
        self, path: Path, program: ExportedProgram, input_shape: Shape, classes: int, device: torch.device
    ) -> None:
        self._path = path
        self._batches = _batches(path, program, input_shape)
        self._module = _module(path, program, device)
        self.input_shape = input_shape
        self.classes = classes
        self.device = device
        self.sha256 = sha256_of(path)
        source = torch.Generator().manual_seed(0)
        images = torch.randn(min(2, self._batches.most), *input_shape, generator=source).to(device)
        images = self._batches.padded(images)
        before = weights_sha256(self._module.state_dict())
        calls = observe(str(path), self._module, images, classes)
        with torch.no_grad():
            same = torch.equal(self._answer(images), self._answer(images))
        if not same or weights_sha256(self._module.state_dict()) != before:
            raise UserError(f"{path} was exported in training mode: it changes as it answers; export module.eval()")
        self.stages = find_stages(self._module, calls)
        self.shapes = shapes_of(calls)

    def outputs(self, images: Tensor, stages: Sequence[str] = ()) -> Outputs:
        self.check(stages)
        logits = []
        maps: dict[str, list[Tensor]] = {stage: [] for stage in stages}
        with torch.no_grad(), recorded_maps(self._module, stages) as recorded:
            for part in torch.split(images, self._batches.most):
                logits.append(self._answer(part))
                for stage in stages:
                    maps[stage].append(recorded[stage][: len(part)].float())
        return Outputs(torch.cat(logits).float(), {stage: torch.cat(parts) for stage, parts in maps.items()})

    def input_gradients(self, images: Tensor) -> Tensor:
        return torch.cat([input_gradients(self._answer, part) for part in torch.split(images, self._batches.most)])

    def to(self, device: torch.device | str) -> Teacher:
        target = torch.device(device)
        if target == self.device:
            return self
        moved = copy.copy(self)
        moved._module = _module(self._path, read_program(self._path), target)
        moved.device = target
        return moved

    def _answer(self, images: Tensor) -> Tensor:
        logits = logits_of(self._module(self._batches.padded(images)))
        assert logits is not None  # seen when it was made a teacher
        return self.answers(logits[: len(images)])


def _readout(program: ExportedProgram) -> Readout | None:
    """How outputs are read where the end of the graph says it; a Softmax shows in the values."""
    (returned,) = (node for node in program.graph.nodes if node.op == "output")
    last = returned.args[0][0] if returned.args[0] else None
    if getattr(last, "target", None) is not torch.ops.aten.sigmoid.default:
        return None
    return Readout(
        "sigmoid",
        "probabilities of each class alone, whose logits are taken",
        ("it ends in a sigmoid: the logits before it are taken; to take its outputs as they are, say outputs: logits",),
    )


def _module(path: Path, program: ExportedProgram, device: torch.device) -> nn.Module:
    try:
        if any(tensor.device != device for tensor in program.state_dict.values()):
            program = move_to_device_pass(program, str(device))
        # Unflattened, its submodules run as modules and can be tapped.
        module = unflatten(program).eval()
    except Exception as error:  # the passes raise what their many parts raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: cannot be made a module: {reason}") from None
    return module.requires_grad_(False)


def _batches(path: Path, program: ExportedProgram, input_shape: Shape) -> Batches:
    """How many images the program takes at a time, from the only input that it should have."""
    names = program.graph_signature.user_inputs
    inputs = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    if len(inputs) != 1 or not isinstance(inputs[0], Tensor) or inputs[0].ndim != 4:
        raise UserError(f"{path} takes {len(inputs)} inputs; a teacher takes one, images (B, C, H, W)")
    batch, *stated = inputs[0].shape
    if any(isinstance(size, int) and size != need for size, need in zip(stated, input_shape, strict=True)):
        raise UserError(f"{path} takes images of shape {tuple(stated)}; the task needs {input_shape}")
    if isinstance(batch, int):
        return Batches(batch, batch)
    limits: Any = program.range_constraints.get(batch.node.expr)
    if limits is None:
        return Batches(1, _LARGEST_BATCH)
    return Batches(max(1, int(limits.lower)), int(min(limits.upper, _LARGEST_BATCH)))
