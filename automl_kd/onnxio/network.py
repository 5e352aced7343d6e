"""An ONNX graph, of floats or quantised, as a function of torch through which gradients reach its tensors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from automl_kd.core import Range, UserError
from automl_kd.onnxio.fake import asymmetric, in_steps, rounded, symmetric
from automl_kd.onnxio.float_operators import WITH_BIAS
from automl_kd.onnxio.operators import OPERATORS, Attributes

_STORED, _SCALE = "_quantized", "_scale"
"""What the names of a tensor of integers and of its scale end with in a file of onnxruntime."""
_UNCLAMPED = ":unclamped"
"""What asks for a tensor before it is rounded."""


@dataclass(frozen=True)
class _Step:
    compute: Callable[..., Tensor | Sequence[Tensor]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str


class Network:
    """A graph as a function. Of a quantised one, values between operators are rounded as its integers would be.

    Args:
        model: A graph of opset 13: an export, or what onnxruntime's quantisation made of one.
        live: Names of tensors of floats whose values are given whenever it is computed: initialisers of the export.

    Attributes:
        ranges: Of a quantised graph: the range of each activation by the name of its tensor. Its scale may be given,
            too, under the name ``NAME_scale``.

    Raises:
        UserError: If the graph has an operator that is not known here, or does not read a live tensor.
    """

    def __init__(self, model: onnx.ModelProto, live: Collection[str] = ()) -> None:
        graph = model.graph
        self._input, self._output = graph.input[0].name, graph.output[0].name
        stored = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        reader = _Reader(stored, frozenset(live), graph.node)
        steps = [step for node in graph.node for step in reader.steps(node)]
        read = {name for step in steps for name in step.inputs}
        unread = sorted(set(live) - read)
        if unread:
            raise UserError(f"the quantised graph does not read {unread[0]}, which is a weight of the student")
        self.ranges: Mapping[str, Range] = reader.ranges
        # Steps of live weights are made anew, whatever the file says that they are.
        fixed = reader.constants.keys() & read - {name for step in steps for name in step.outputs}
        self._steps = _in_order(steps, {self._input, *fixed, *live, ""})
        self._constants = {name: torch.from_numpy(np.array(reader.constants[name])) for name in sorted(fixed)}
        self._dequantised = reader.dequantised
        self._made = {step.name: step.outputs[0] for step in steps}

    def holding(self, tensor: str, source: onnx.ModelProto) -> str:
        """What holds a tensor of the graph of floats that this one was made of.

        onnxruntime leaves out a clamp that the integers behind it do by themselves, and what was clamped goes by the
        clamp's name.

        Args:
            tensor: Its name in the graph of floats.
            source: That graph.

        Returns:
            A name for what is asked ``also``.
        """
        node = next(node.name for node in source.graph.node if tensor in node.output)
        return tensor if self._made.get(node, tensor) == tensor else f"{self._made[node]}{_UNCLAMPED}"

    def to(self, device: torch.device) -> Network:
        """Move its constants of floats; sizes and places stay on the CPU, which reads them."""
        self._constants = {
            name: value.to(device) if value.is_floating_point() else value for name, value in self._constants.items()
        }
        return self

    def __call__(
        self, inputs: Tensor, tensors: Mapping[str, Tensor], also: Iterable[str] = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """The output, and the values of other tensors as the operators behind them read them.

        Args:
            inputs: (B, …).
            tensors: The values of the live tensors, and of scales, by name.
            also: Names of tensors inside, as :meth:`holding` gives them.

        Raises:
            UserError: If an operator does not take what it is given.
        """
        values: dict[str, Tensor | None] = {"": None, **self._constants, **tensors, self._input: inputs}
        for step in self._steps:
            try:
                made = step.compute(*(values[name] for name in step.inputs))
            except (NotImplementedError, KeyError) as error:
                raise _unknown(step.name, str(error)) from None
            values.update(zip(step.outputs, (made,) if isinstance(made, Tensor) else made, strict=False))
        return _found(values, self._output), [_found(values, self._read_as(name)) for name in also]

    def _read_as(self, name: str) -> str:
        if name.endswith(_UNCLAMPED):
            return name.removesuffix(_UNCLAMPED)
        return self._dequantised.get(name, name)


class _Reader:
    """Makes steps of the nodes of a graph, and of a pair of quantisation and dequantisation one step.

    Args:
        stored: The initialisers.
        live: Names of those whose values are given later.
        nodes: Of the graph.
    """

    def __init__(self, stored: Mapping[str, np.ndarray], live: frozenset[str], nodes: Iterable[onnx.NodeProto]) -> None:
        self.constants = {name: value for name, value in stored.items() if name not in live}
        self.ranges: dict[str, Range] = {}
        self.dequantised: dict[str, str] = {}
        self._live = live
        self._quantised: dict[str, onnx.NodeProto] = {}
        # onnxruntime calls a bias of integers, dequantised, as it calls the bias.
        self._renamed = {
            name: f"{name}:rounded"
            for node in nodes
            for name in node.output
            if node.op_type == "DequantizeLinear" and name in live
        }
        self._of_activations = {node.input[1] for node in nodes if node.op_type == "QuantizeLinear"}
        self._makers = {name: node for node in nodes for name in node.output}
        self._readers = {name: node for node in nodes for name in node.input}

    def steps(self, node: onnx.NodeProto) -> Iterable[_Step]:
        if node.op_type == "QuantizeLinear":
            self._quantised[node.output[0]] = node
        elif node.op_type == "DequantizeLinear":
            yield from self._dequantisation(node)
        elif node.op_type not in OPERATORS:
            raise _unknown(node.name, "it is not known here")
        else:
            compute = partial(OPERATORS[node.op_type], Attributes.of(node))
            inputs = [self._renamed.get(name, name) for name in node.input]
            if self._rounds_bias(node):
                scales = (self._makers[each].input[1] for each in node.input[:2])
                inputs[2] = f"{node.name}:bias"
                yield _Step(in_steps, (node.input[2], *scales), (inputs[2],), node.name)
            yield _Step(compute, tuple(inputs), tuple(node.output), node.name)

    def _rounds_bias(self, node: onnx.NodeProto) -> bool:
        """Whether onnxruntime, before it computes a layer of integers, rounds a bias that the file has in floats."""
        if node.op_type not in WITH_BIAS or len(node.input) < 3:
            return False
        makers = [self._makers.get(name) for name in node.input]
        return makers[2] is None and all(each and each.op_type == "DequantizeLinear" for each in makers[:2])

    def _dequantisation(self, node: onnx.NodeProto) -> Iterable[_Step]:
        source, scale, zero = node.input
        before = self._quantised.get(source)
        if before is not None:
            yield self._activation(before.input[0], scale, zero, node)
        elif source.removesuffix(_STORED) in self._live:
            yield self._weight(source.removesuffix(_STORED), zero, node)
        else:
            self.constants[node.output[0]] = self._value(source, scale, zero, _axis(node))

    def _activation(self, name: str, scale: str, zero: str, node: onnx.NodeProto) -> _Step:
        limits, shift = np.iinfo(self.constants[zero].dtype), int(self.constants[zero])
        self.ranges[scale.removesuffix(_SCALE)] = Range(float(self.constants[scale]), shift)
        self.dequantised[name] = node.output[0]
        compute = partial(rounded, low=int(limits.min) - shift, high=int(limits.max) - shift)
        return _Step(compute, (name, scale), tuple(node.output), node.name)

    def _weight(self, name: str, zero: str, node: onnx.NodeProto) -> _Step:
        if node.input[1] in self._of_activations:  # a table, of which what is looked up has the scale
            return self._activation(name, node.input[1], zero, node)
        shift, stored = self.constants[zero], self.constants[node.input[0]]
        if stored.dtype == np.int32:
            layer = self._readers[node.output[0]]
            inputs, weight = (self._makers[each] for each in layer.input[:2])
            made = self._renamed.get(node.output[0], node.output[0])
            return _Step(in_steps, (name, inputs.input[1], weight.input[1]), (made,), node.name)
        if shift.dtype != np.int8:
            limits = np.iinfo(shift.dtype)
            compute = partial(asymmetric, low=int(limits.min), high=int(limits.max))
            return _Step(compute, (name,), tuple(node.output), node.name)
        per_channel = partial(symmetric, axis=_axis(node) if shift.ndim else None)
        return _Step(per_channel, (name,), (node.output[0], node.input[1]), node.name)

    def _value(self, source: str, scale: str, zero: str, axis: int) -> np.ndarray:
        stored, steps, shift = self.constants[source], self.constants[scale], self.constants[zero]
        if steps.ndim and steps.size > 1:
            shape = [1] * stored.ndim
            shape[axis] = -1
            steps, shift = steps.reshape(shape), shift.reshape(shape)
        values: np.ndarray = ((stored.astype(np.int64) - shift) * steps).astype(np.float32)
        return values


def _in_order(steps: Iterable[_Step], known: set[str]) -> list[_Step]:
    """The steps, each behind those that it reads; onnxruntime appends what it inserts."""
    waiting, ordered = list(steps), []
    while waiting:
        ready = [step for step in waiting if known.issuperset(step.inputs)]
        if not ready:
            raise UserError(f"the graph has no order: {waiting[0].name} reads what nothing makes")
        ordered += ready
        known |= {name for step in ready for name in step.outputs}
        waiting = [step for step in waiting if not known.issuperset(step.outputs)]
    return ordered


def _axis(node: onnx.NodeProto) -> int:
    return int(Attributes.of(node).get("axis", 1))


def _found(values: Mapping[str, Tensor | None], name: str) -> Tensor:
    value = values.get(name)
    if value is None:
        raise UserError(f"compress quantise: how: qat does not find {name} in the quantised graph: use how: ptq")
    return value


def _unknown(node: str, why: str) -> UserError:
    return UserError(f"compress quantise: how: qat cannot compute {node} ({why}): use how: ptq")
