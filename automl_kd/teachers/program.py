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

from automl_kd.core import Signature, UserError, first_line, sha256_of
from automl_kd.teachers.answers import OpenedTeacher, Readout
from automl_kd.teachers.batches import Batches
from automl_kd.teachers.gradients import input_gradients
from automl_kd.teachers.module import weights_sha256
from automl_kd.teachers.program_file import read_program
from automl_kd.teachers.recording import recorded_maps
from automl_kd.teachers.stages import find_stages
from automl_kd.teachers.tapped import TappedTeacher, logits_of, observe, shapes_of
from automl_kd.teachers.teacher import Outputs, Teacher

_LARGEST_BATCH = 256


def open_program(path: Path, signature: Signature) -> tuple[OpenedTeacher, Readout | None]:
    """The program in a ``.pt2`` file as a teacher, on the CPU, and how its outputs are read where its graph says it.

    Its stages and paths are those of the module that was exported, found as for any module. Batches that it was not
    exported for are cut, and padded with repeated examples whose answers are dropped.

    Args:
        path: A program from inputs (B, …) to outputs (B, width), exported in evaluation mode.
        signature: What it should take and answer.

    Raises:
        UserError: If the file is missing, damaged or holds code, was exported in training mode, or does not fit.
    """
    program = read_program(path)
    teacher = _ProgramTeacher(path, program, signature, torch.device("cpu"))
    return teacher, _readout(program) if signature.output.meaning != "real" else None


class _ProgramTeacher(TappedTeacher):
    def __init__(self, path: Path, program: ExportedProgram, signature: Signature, device: torch.device) -> None:
        self._path = path
        self._batches = _batches(path, program, signature.input.shape)
        self._module = _module(path, program, device)
        self.signature = signature
        self.device = device
        self.sha256 = sha256_of(path)
        source = torch.Generator().manual_seed(0)
        noise = signature.input.noise(min(2, self._batches.most), source).to(device)
        inputs = self._batches.padded(noise)
        before = weights_sha256(self._module.state_dict())
        calls = observe(str(path), self._module, inputs, signature.output.width)
        with torch.no_grad():
            same = torch.equal(self._answer(inputs), self._answer(inputs))
        if not same or weights_sha256(self._module.state_dict()) != before:
            raise UserError(f"{path} was exported in training mode: it changes as it answers; export module.eval()")
        self.stages = find_stages(self._module, calls)
        self.shapes = shapes_of(calls)

    def outputs(self, inputs: Tensor, stages: Sequence[str] = ()) -> Outputs:
        self.check(stages)
        logits = []
        maps: dict[str, list[Tensor]] = {stage: [] for stage in stages}
        with torch.no_grad(), recorded_maps(self._module, stages) as recorded:
            for part in torch.split(inputs, self._batches.most):
                logits.append(self._answer(part))
                for stage in stages:
                    maps[stage].append(recorded[stage][: len(part)].float())
        return Outputs(torch.cat(logits).float(), {stage: torch.cat(parts) for stage, parts in maps.items()})

    def input_gradients(self, inputs: Tensor) -> Tensor:
        return torch.cat([input_gradients(self._answer, part) for part in torch.split(inputs, self._batches.most)])

    def to(self, device: torch.device | str) -> Teacher:
        target = torch.device(device)
        if target == self.device:
            return self
        moved = copy.copy(self)
        moved._module = _module(self._path, read_program(self._path), target)
        moved.device = target
        return moved

    def _answer(self, inputs: Tensor) -> Tensor:
        logits = logits_of(self._module(self._batches.padded(inputs)))
        assert logits is not None  # seen when it was made a teacher
        return self.answers(logits[: len(inputs)])


def _readout(program: ExportedProgram) -> Readout | None:
    """How outputs are read where the end of the graph says it; a Softmax shows in the values."""
    (returned,) = (node for node in program.graph.nodes if node.op == "output")
    last = returned.args[0][0] if returned.args[0] else None
    if getattr(last, "target", None) is not torch.ops.aten.sigmoid.default:
        return None
    return Readout(
        "sigmoid",
        "probabilities of each output alone, whose logits are taken",
        ("it ends in a sigmoid: the logits before it are taken; to take its outputs as they are, say outputs: logits",),
    )


def _module(path: Path, program: ExportedProgram, device: torch.device) -> nn.Module:
    try:
        if any(tensor.device != device for tensor in program.state_dict.values()):
            program = move_to_device_pass(program, str(device))
        # Unflattened, its submodules run as modules and can be tapped.
        module = unflatten(program).eval()
    except Exception as error:  # the passes raise what their many parts raise
        raise UserError(f"{path}: cannot be made a module: {first_line(error)}") from None
    return module.requires_grad_(False)


def _batches(path: Path, program: ExportedProgram, shape: tuple[int, ...]) -> Batches:
    """How many examples the program takes at a time, from the only input that it should have."""
    names = program.graph_signature.user_inputs
    inputs = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    if len(inputs) != 1 or not isinstance(inputs[0], Tensor) or inputs[0].ndim != 1 + len(shape):
        raise UserError(f"{path} takes {len(inputs)} inputs; a teacher takes one, a batch of inputs {shape}")
    batch, *stated = inputs[0].shape
    if any(isinstance(size, int) and size != need for size, need in zip(stated, shape, strict=True)):
        raise UserError(f"{path} takes inputs of shape {tuple(stated)}; the task needs {shape}")
    if isinstance(batch, int):
        return Batches(batch, batch)
    limits: Any = program.range_constraints.get(batch.node.expr)
    if limits is None:
        return Batches(1, _LARGEST_BATCH)
    return Batches(max(1, int(limits.lower)), int(min(limits.upper, _LARGEST_BATCH)))
