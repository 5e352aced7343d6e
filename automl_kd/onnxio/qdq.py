"""A quantised graph (QDQ) as what it computes with integers: steps between tensors with a scale and a zero point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from automl_kd.core import UserError


@dataclass(frozen=True, eq=False)
class Integers:
    """A tensor of integers that have a sign, whether or not they have one in the file.

    Attributes:
        name: Its name.
        shape: With a batch of one, axes as in the ONNX file.
        scale: What a step of the integers is worth: one figure, or one for each place of ``axis``.
        zero: The integer that stands for 0.
        axis: Of the scales.
        values: Those of a constant.
    """

    name: str
    shape: tuple[int, ...]
    scale: NDArray[np.float32]
    zero: int
    axis: int = 0
    values: NDArray[Any] | None = None


Operand = Integers | NDArray[Any] | None
"""A tensor of integers, a constant in floats, or an operand that is left out."""


@dataclass(frozen=True, eq=False)
class Step:
    """An operator on integers."""

    op: str
    name: str
    attributes: Mapping[str, Any]
    inputs: tuple[Operand, ...]
    output: Integers


@dataclass(frozen=True, eq=False)
class Unit:
    """What brings answers to a unit of their own: ``scale * answers + shift``, in floats, each (width,)."""

    scale: NDArray[np.float32]
    shift: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class IntegerGraph:
    """A graph on integers from one input to one output, which bear the names that they have in the file.

    Attributes:
        takes: The input.
        steps: In order.
        answers: What the last of them makes.
        unit: What is computed with floats behind it, if anything.
    """

    takes: Integers
    steps: tuple[Step, ...]
    answers: Integers
    unit: Unit | None = None


def read_integers(model: onnx.ModelProto) -> IntegerGraph:
    """What a quantised graph computes, at a batch of one.

    Raises:
        UserError: If an operator of it computes with floats.
    """
    return _Reading(model).graph()


class _Reading:
    def __init__(self, model: onnx.ModelProto) -> None:
        single = onnx.ModelProto()
        single.CopyFrom(model)
        single.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
        for each in single.graph.output:
            each.type.tensor_type.shape.dim[0].dim_value = 1
        graph = onnx.shape_inference.infer_shapes(single).graph
        values = [*graph.input, *graph.value_info, *graph.output]
        self._shapes = {each.name: tuple(dim.dim_value for dim in each.type.tensor_type.shape.dim) for each in values}
        self._constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        self._nodes = graph.node
        self._input, self._output = graph.input[0].name, graph.output[0].name
        self._takes_ids = graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.INT64
        self._rounded = {
            node.input[0]: self._of_float(node) for node in self._nodes if node.op_type == "QuantizeLinear"
        }
        by_name = {each.name: each for each in self._rounded.values()}
        self._floats = {
            node.output[0]: by_name.get(node.input[0]) or self._constant(node)
            for node in self._nodes
            if node.op_type == "DequantizeLinear"
        }

    def graph(self) -> IntegerGraph:
        others = [node for node in self._nodes if node.op_type not in ("QuantizeLinear", "DequantizeLinear")]
        if self._takes_ids:
            raise UserError("it reads whole numbers, and only networks of images are converted")
        if self._input not in self._rounded:
            raise UserError("it computes with floats: its input is not quantised")
        unit, last = self._unit(others)
        answers = self._floats.get(last)
        if answers is None:
            raise UserError("it computes with floats: its output is not quantised")
        steps = others if unit is None else [node for node in others if node.output[0] in self._rounded]
        return IntegerGraph(self._rounded[self._input], tuple(map(self._step, steps)), answers, unit)

    def _unit(self, nodes: Sequence[onnx.NodeProto]) -> tuple[Unit | None, str]:
        """The product and the sum by constants that end the graph, if they do, and the tensor before them."""
        if self._output in self._floats:
            return None, self._output
        makers = {node.output[0]: node for node in nodes}
        chain, name = [], self._output
        while name in makers and name not in self._floats:
            chain.append(makers[name])
            name = makers[name].input[0]
        constants = [self._constants.get(node.input[1]) for node in chain if node.op_type in ("Mul", "Add")]
        kinds = [node.op_type for node in chain if node.op_type not in ("Flatten", "Reshape")]
        if kinds != ["Add", "Mul"] or any(each is None for each in constants):
            return None, name if name in self._floats and not chain else self._output
        shift, scale = (np.ravel(each).astype(np.float32) for each in constants if each is not None)
        return Unit(scale, shift), name

    def _of_float(self, node: onnx.NodeProto) -> Integers:
        return Integers(node.output[0], self._shapes[node.input[0]], *self._scale(node))

    def _constant(self, node: onnx.NodeProto) -> Integers:
        values = self._constants.get(node.input[0])
        if values is None:
            raise UserError(f"nothing is known of {node.input[0]}")
        axis = next((item.i for item in node.attribute if item.name == "axis"), 1)
        return Integers(node.input[0], values.shape, *self._scale(node), axis % max(1, values.ndim), _signed(values))

    def _scale(self, node: onnx.NodeProto) -> tuple[NDArray[np.float32], int]:
        zero = np.unique(self._constants[node.input[2]]) if len(node.input) > 2 else np.zeros(1, np.int8)
        if len(zero) > 1:
            raise UserError(f"{node.input[0]} has several zero points")
        return np.atleast_1d(self._constants[node.input[1]]), int(_signed(zero)[0])

    def _step(self, node: onnx.NodeProto) -> Step:
        output = self._rounded.get(node.output[0])
        inputs = tuple(map(self._operand, node.input))
        if output is None or not isinstance(inputs[0], Integers):
            raise UserError(f"{node.op_type} {node.name} computes with floats")
        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        return Step(node.op_type, node.name, attributes, inputs, output)

    def _operand(self, name: str) -> Operand:
        return self._floats.get(name, self._constants.get(name))


def _signed(integers: NDArray[Any]) -> NDArray[Any]:
    """The same places of the range as signed integers, where they have no sign: 0 of uint8 is -128 of int8."""
    return (integers.astype(np.int16) - 128).astype(np.int8) if integers.dtype == np.uint8 else integers


def sizes_of(attributes: Mapping[str, Any], name: str, usual: Sequence[int]) -> tuple[int, ...]:
    """An attribute that is a list of whole numbers, or what it usually is."""
    return tuple(attributes.get(name, usual))
