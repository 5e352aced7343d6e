"""A traced graph as the quantised file of it holds it: with conversions between its operators (QDQ)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import replace

from automl_kd.hardware.kernels.composites import COMPOSITES, Pattern
from automl_kd.hardware.kernels.graph import KIND_OF, TYPES, Graph, Kind, Op, Shape

TO_INTEGERS, TO_FLOATS = "quantize", "dequantize"
_WEIGHT_BITS = 8
_NORM = "batchnorm"
_LAYERS = frozenset({"conv", "dense"})
_CLAMPS = frozenset({"relu", "clip"})
"""What becomes the range of the tensor before it."""
_STAY_FLOATS = frozenset({"lstm", "gru", "rnn", "erf", "softplus", "sqrt", "pow", "power", "exp", "log", "abs", "neg"})
"""What the quantiser leaves as it is, so that a tensor between two of them is not converted."""
_WRITTEN_OUT: Mapping[str, Pattern] = {
    **{name: pattern for name, _, pattern in reversed(COMPOSITES) if name in ("silu", "mish", "gelu", "layernorm")},
    "hardswish": ("mul", "x", ("hardsigmoid", "x")),
    _NORM: ("add", ("mul", "x")),
}
"""What opset 13 has no operator for, or the folding leaves none of, as the operators that stand in the file."""


def quantised(graph: Graph, whole: bool = False) -> Graph:
    """The graph with all of its values as integers of 8 bits, from its inputs to its outputs.

    As ``onnxio.quantise`` writes a folded network: normalisations are part of the layer before, a clamp is the range of
    its operand, every operator stands between a dequantisation and a quantisation, and weights are stored in 8 bits.

    Args:
        graph: Of a module.
        whole: Whether it is a network, which takes and gives floats, and no block inside one.
    """
    layers = _merged(graph, {_NORM}, _LAYERS)
    return _Conversions(_merged(_written_out(layers), _CLAMPS, TYPES - _STAY_FLOATS)).graph(whole)


def conversion(shape: Shape, type: str) -> Graph:
    """A single operator that makes integers of floats, or floats of integers.

    Args:
        shape: Of the tensor, batch of one included.
        type: Of the operator.
    """
    return Graph((_elementwise(type, 0, 1, shape),), (shape, shape), (0,), (1,), 0)


def _elementwise(type: str, value: int, result: int, shape: Shape) -> Op:
    return Op(type, Kind.ELEMENTWISE, (value,), (result,), work=math.prod(shape))


def _merged(graph: Graph, types: Container[str], into: Container[str]) -> Graph:
    """The graph with operators of some types as a part of the one before, where they alone read that."""
    uses = Counter([*graph.outputs, *(value for op in graph.ops for value in op.inputs)])
    made: dict[int, int] = {}  # value -> place of what makes it
    same: dict[int, int] = {}
    ops: list[Op] = []
    for original in graph.ops:
        op = replace(original, inputs=tuple(same.get(value, value) for value in original.inputs))
        place = made.get(op.inputs[0]) if len(op.inputs) == 1 and uses[original.inputs[0]] == 1 else None
        if place is None or op.type not in types or ops[place].type not in into:
            made |= dict.fromkeys(op.outputs, len(ops))
            ops.append(op)
            continue
        ops[place] = replace(ops[place], vector=max(ops[place].vector, op.vector))
        same[op.outputs[0]] = op.inputs[0]
    return replace(graph, ops=tuple(ops), outputs=tuple(same.get(value, value) for value in graph.outputs))


def _written_out(graph: Graph) -> Graph:
    """The graph with functions as several operators."""
    if not any(op.type in _WRITTEN_OUT for op in graph.ops):
        return graph
    ops, shapes = list[Op](), list(graph.shapes)

    def write(pattern: Pattern, like: Op, result: int) -> int:
        """The value of a pattern of the operator's operand; written to ``result``."""
        if isinstance(pattern, str):
            return like.inputs[0]
        inputs = []
        for operand in pattern[1:]:
            shapes.append(shapes[like.outputs[0]])
            inputs.append(write(operand, like, len(shapes) - 1))
        op = replace(like, type=str(pattern[0]), kind=KIND_OF[str(pattern[0])], inputs=tuple(inputs), outputs=(result,))
        ops.append(replace(op, constants=int(len(inputs) == 1), work=math.prod(shapes[result])))
        return result

    for op in graph.ops:
        if op.type in _WRITTEN_OUT:
            write(_WRITTEN_OUT[op.type], op, op.outputs[0])
        else:
            ops.append(op)
    return replace(graph, ops=tuple(ops), shapes=tuple(shapes))


class _Conversions:
    """Puts a quantisation and a dequantisation behind every value that an operator of integers writes or reads."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._shapes = list(graph.shapes)
        self._ops: list[Op] = []
        touched = (value for op in graph.ops if op.type not in _STAY_FLOATS for value in (*op.inputs, *op.outputs))
        self._converted = {*touched, *graph.inputs, *graph.outputs}

    def graph(self, whole: bool) -> Graph:
        """The graph with them; of a ``whole`` network also at its ends."""
        as_integers: dict[int, int] = {}
        looked_up = {value for op in self._graph.ops if op.type == "embedding" for value in op.inputs}  # ids
        as_floats = {
            value: self._convert(TO_FLOATS, self._convert(TO_INTEGERS, value) if whole else value)
            for value in self._graph.inputs
            if value not in looked_up
        }
        for op in self._graph.ops:
            stored = _WEIGHT_BITS if op.weights and op.type not in _STAY_FLOATS else op.stored
            self._ops.append(replace(op, inputs=tuple(as_floats.get(each, each) for each in op.inputs), stored=stored))
            for value in self._converted.intersection(op.outputs):
                as_integers[value] = self._convert(TO_INTEGERS, value)
                as_floats[value] = self._convert(TO_FLOATS, as_integers[value])
        read = {value for op in self._ops for value in op.inputs}
        results = tuple((as_floats if whole else as_integers).get(value, value) for value in self._graph.outputs)
        ops = tuple(op for op in self._ops if op.type != TO_FLOATS or op.outputs[0] in read.union(results))
        return replace(self._graph, ops=ops, shapes=tuple(self._shapes), outputs=results)

    def _convert(self, type: str, value: int) -> int:
        shape = self._shapes[value]
        self._shapes.append(shape)
        result = len(self._shapes) - 1
        self._ops.append(_elementwise(type, value, result, shape))
        return result
