"""A student that is trained as its quantised file computes."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from automl_kd.core import Range, UserError
from automl_kd.onnxio import FoldedNetwork, Network, difference, returned_by
from automl_kd.students import LabelUnit, StudentModule, Taps

_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Quantised:
    """A student and the network of integers that it becomes.

    Attributes:
        student: Its weights are those of the network, now and whenever they change.
        folded: Its graph of floats.
        network: The quantised graph.
    """

    student: StudentModule
    folded: FoldedNetwork
    network: Network


class QuantisedStudent:
    """A student as its quantised file computes it, with gradients by its weights and by the scales of activations.

    Batch normalisation is folded with the statistics that the student holds, which do not change. Weights are rounded
    in steps of their largest magnitude, which are taken anew at every step; the scales of activations are learned as
    in LSQ (Esser et al. 2020, arXiv:1902.08153), each as the logarithm of its ratio to the scale that was calibrated,
    so that it stays positive and a step of an optimizer is relative.

    Args:
        quantised: The student, with the network of its calibration.
        paths: Stages and paths of submodules whose outputs are asked for.

    Attributes:
        ratios: The logarithms (activations,).

    Raises:
        UserError: If the output of a submodule does not stand in the graph.
    """

    def __init__(self, quantised: Quantised, paths: Sequence[str]) -> None:
        self._of = quantised
        self._names = tuple(quantised.network.ranges)
        device = next(quantised.student.parameters()).device
        quantised.network.to(device)
        ranges = quantised.network.ranges.values()
        self._scales = torch.tensor([each.scale for each in ranges], device=device)
        self._zeros = [each.zero_point for each in ranges]
        self.ratios = nn.Parameter(torch.zeros(len(self._names), device=device))
        source = quantised.folded.model
        self._tapped = {path: quantised.network.holding(returned_by(source, path), source) for path in paths}

    def __call__(self, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Outputs (B, width) for inputs (B, …), and the maps by path, in float32."""
        scales = (self._scales * self.ratios.exp()).unbind()
        tensors = {f"{name}_scale": scale for name, scale in zip(self._names, scales, strict=True)}
        tensors |= self._of.folded.tensors(_state(self._of.student))
        outputs, maps = self._of.network(inputs, tensors, self._tapped.values())
        return outputs, dict(zip(self._tapped, maps, strict=True))

    def ranges(self) -> dict[str, Range]:
        """The ranges of activations as they are now, by the name of the tensor."""
        scales = (self._scales * self.ratios.detach().exp()).tolist()
        return {name: Range(scale, zero) for name, scale, zero in zip(self._names, scales, self._zeros, strict=True)}

    def state_dict(self) -> dict[str, Any]:
        """The state that a checkpoint keeps beside the student."""
        calibrated = dict(zip(self._names, zip(self._scales.tolist(), self._zeros, strict=True), strict=True))
        return {"calibrated": calibrated, "ratios": self.ratios.detach()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` gave to one that was begun with the same calibration."""
        with torch.no_grad():
            self.ratios.copy_(state["ratios"])


def calibrated(state: Mapping[str, Any]) -> dict[str, Range]:
    """The ranges with which a student began whose state this is."""
    return {name: Range(scale, zero) for name, (scale, zero) in state["calibrated"].items()}


def as_if_trained(student: StudentModule) -> StudentModule:
    """A copy in evaluation on the CPU, whose normalisations differ from each other as those of trained students do."""
    copied, generator = copy.deepcopy(student).cpu().eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in copied.modules():
            if not isinstance(module, _BatchNorm) or isinstance(module, LabelUnit):
                continue
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                if tensor is not None:
                    tensor.add_(0.1 * torch.rand(tensor.shape, generator=generator))
    return copied


def check_same(student: StudentModule, path: Path, inputs: Tensor) -> None:
    """See to it that a student's graph of floats answers as the student does.

    Args:
        student: With any weights, in evaluation, on the CPU.
        path: The graph's file.
        inputs: A few examples (B, …).

    Raises:
        UserError: If it does not.
    """
    with torch.no_grad():
        reach = float(student(inputs).abs().max().clamp(min=1))
    off = difference(student, path, inputs)
    if not off <= _TOLERANCE * reach:
        raise UserError(f"compress quantise: the student's graph answers otherwise than the student, by {off:.2g}")


def check_trainable(quantised: Quantised, inputs: Tensor, paths: Sequence[str]) -> None:
    """Compute a student's graphs once, of which that of floats has to give what the student gives.

    Args:
        quantised: The student, with any weights, in evaluation, on the CPU.
        inputs: A few examples (B, …).
        paths: Stages and paths of submodules whose outputs will be asked for.

    Raises:
        UserError: If an operator is not known, or an output does not stand in the graph.
    """
    student, folded = quantised.student, quantised.folded
    tapped = [returned_by(folded.model, path) for path in paths]
    with torch.no_grad(), Taps(student, {path: path for path in paths}) as taps:
        expected = student(inputs)
        outputs, maps = Network(folded.model, folded.derived)(inputs, folded.tensors(_state(student)), tapped)
        rounded, others = QuantisedStudent(quantised, paths)(inputs)
    pairs = {"its output": (outputs, rounded, expected)} | {
        path: (found, others[path], taps.maps[path]) for path, found in zip(paths, maps, strict=True)
    }
    for name, (found, integers, wanted) in pairs.items():
        reach = float(wanted.abs().max().clamp(min=1))
        same = found.shape == integers.shape == wanted.shape
        if not same or not float((found - wanted).abs().max()) <= _TOLERANCE * reach:
            raise UserError(f"compress quantise: how: qat does not find {name} in the student's graph: use how: ptq")


def _state(student: StudentModule) -> dict[str, Tensor]:
    return {**dict(student.named_parameters()), **dict(student.named_buffers())}
