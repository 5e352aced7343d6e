"""An ONNX file to a graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from automl_kd.core import UserError
from automl_kd.hardware.kernels.builder import ONE, ZERO, GraphBuilder, Operand, is_value
from automl_kd.hardware.kernels.graph import TYPES, Graph, Shape
from automl_kd.hardware.kernels.onnx_file import ONNX_DOMAINS, OnnxFile, load
from automl_kd.hardware.kernels.onnx_inputs import settle_inputs
from automl_kd.hardware.kernels.onnx_operators import float_operator, is_integer
from automl_kd.hardware.kernels.onnx_shapes import Shapes, Step
from automl_kd.hardware.kernels.onnx_types import RECURRENT, TYPE_OF, VIEWS
from automl_kd.hardware.kernels.onnx_values import called
from automl_kd.hardware.kernels.onnx_window import window_of
from automl_kd.hardware.kernels.quantised import INTEGER_CONVOLUTIONS

_FULL = 32  # bits of a number that no file needs to say
_SOFTMAX_OF_AN_AXIS = 13
_INTERPOLATION: Mapping[bytes, int] = {b"linear": 4, b"cubic": 16}


def read_onnx(
    path: str | Path,
    input_shape: tuple[int, ...] | None,
    inputs: Mapping[str, tuple[int, ...]] | None = None,
) -> Graph:
    """The operators of an ONNX file for one run.

    Weights need no values: those in other files are not read. Quantised operators count as their float kinds, with the
    bits that their weights are stored in. Operators of a domain that this room does not know are of kind
    ``other``; where the file does not record the shape of their results, they are taken to keep their input's.

    Args:
        path: A model of any opset that ONNX knows.
        input_shape: Shape of one input without its first axis, of integer tokens as of images. The file's own where
            ``None``. A model with several inputs takes it for every one that it fits.
        inputs: Whole shapes by the name of the input.

    Raises:
        UserError: If the file is no ONNX model, leaves a size open that is not given, contradicts what is given, or
            decides at run time which operators or shapes it has.
    """
    file = load(path)
    return graph_of(file, Shapes(file, settle_inputs(file, input_shape, inputs)))


def graph_of(file: OnnxFile, shapes: Shapes) -> Graph:
    """The operators of a file whose shapes are known.

    Raises:
        UserError: If a shape is not, or a node does not take what reaches it.
    """
    reader = _Reader(file, shapes)
    sources = [reader.source(value.name) for value in file.inputs]
    for step in shapes.steps:
        reader.read(step)
    names = (*file.outputs, *shapes.decisions)
    outputs = [(reader.operand(name), shapes.get(name) or ()) for name in names]
    graph = reader.builder.graph(sources, outputs, file.parameters)
    return replace(graph, notes=tuple(dict.fromkeys(shapes.notes)))


class _Reader:
    """Walks the nodes in order and keeps the value of every tensor."""

    def __init__(self, file: OnnxFile, shapes: Shapes) -> None:
        self.builder = GraphBuilder()
        self.shapes = shapes
        self._file = file
        self._values: dict[str, Operand] = {}
        self._bits: dict[str, int] = {}  # of constants that are computed from others

    def source(self, name: str) -> int:
        """An input of the model."""
        value = self._values[name] = self.builder.value(self.shapes[name])
        return value

    def operand(self, name: str) -> Operand:
        """A value, or what is known of a constant."""
        if name in self._values:
            return self._values[name]
        constant = self.shapes.constants.get(name)
        if constant is None:
            return None
        if constant.zero:
            return ZERO
        content = constant.content
        return ONE if content is not None and content.size == 1 and content.item() == 1 else None

    def read(self, step: Step) -> None:
        """Add what a node does."""
        node, start = step.node, len(self.builder.ops)
        plain = float_operator(node)
        if plain.op_type == "ConstantOfShape":
            self._values[node.output[0]] = _filled(node)
            return
        names = [name for name in plain.input if name]
        operands = [self.operand(name) for name in names]
        stored, integer = self._stored(names), is_integer(node)
        if plain.op_type == "MatMulNBits":
            stored = next((item.i for item in node.attribute if item.name == "bits"), 4)
        if not any(is_value(operand) for operand in operands):
            self._bits |= dict.fromkeys(node.output, stored)
        if all(operand is None for operand in operands):
            return
        self._add(node, plain, names)
        if step.times == 1 and not integer and stored >= _FULL:
            return
        for index in range(start, len(self.builder.ops)):
            op = self.builder.ops[index]
            bits = stored if stored < _FULL else None
            name = INTEGER_CONVOLUTIONS[self._is_signed(names)] if node.op_type == "ConvInteger" else op.type
            self.builder.ops[index] = replace(op, type=name, times=step.times, stored=bits, integer=integer)

    def _add(self, node: onnx.NodeProto, plain: onnx.NodeProto, names: Sequence[str]) -> None:
        known = node.domain in ONNX_DOMAINS or plain is not node
        kind = plain.op_type if known else f"{node.domain}.{node.op_type}"
        attributes = {item.name: onnx.helper.get_attribute_value(item) for item in plain.attribute}
        operands = [self.operand(name) for name in names]
        outputs = [name for name in node.output if name]
        sizes = [self.shapes.get(name) or () for name in names]
        output = self.shapes[outputs[0]]
        if kind in RECURRENT:
            self._recurrent(RECURRENT[kind], plain, attributes)
        elif kind == "Transpose":
            order = attributes.get("perm", range(len(sizes[0]))[::-1])
            self._values[outputs[0]] = self.builder.transpose(operands[0], sizes[0], order)
        elif kind in VIEWS:
            # A transposition goes on through what keeps the shape, and is done where the shape changes.
            kept = output == sizes[0]
            self._values[outputs[0]] = operands[0] if kept else self.builder.read(operands[0])
        elif kind in ("Conv", "ConvTranspose"):
            self._values[outputs[0]] = self._convolution(node, operands, sizes, output, attributes)
        elif kind in ("MatMul", "Gemm"):
            depth = sizes[0][-2] if attributes.get("transA") else sizes[0][-1]
            self._values[outputs[0]] = self.builder.dense(operands, sizes, output, depth)
        elif kind == "MatMulNBits":
            matrix = (attributes["K"], attributes["N"])
            self._values[outputs[0]] = self.builder.dense(operands[:2], [sizes[0], matrix], output, attributes["K"])
        elif kind in ("Attention", "MultiHeadAttention"):
            own = kind == "Attention" and node.domain not in ONNX_DOMAINS
            self._values[outputs[0]] = self._attention(own, operands, sizes, output)
            self._values |= {name: self.builder.value(self.shapes[name]) for name in outputs[1:]}
        elif kind == "Einsum":
            depth = contracted(attributes["equation"].decode(), sizes, output)
            self._values[outputs[0]] = self.builder.dense(operands, sizes, output, depth)
        else:
            name = TYPE_OF.get(kind, kind) if known else kind
            if name == "pow" and not self._is_two(names[-1]):
                name = "power"
            kept_outputs = outputs if name == "split" or name not in TYPES else outputs[:1]
            shapes = [self.shapes[item] for item in kept_outputs]
            taps = attributes.get("kernel_shape")
            window = None if taps is None else window_of(attributes, taps, sizes[0][2:], output[2:])
            reads = _INTERPOLATION.get(attributes.get("mode", b"")) if name == "resize" else None
            axes = self._axes(kind, names, attributes, sizes[0])
            results = self.builder.simple(name, operands, sizes, shapes, window, reads, axes)
            self._values.update(zip(kept_outputs, results, strict=True))

    def _is_signed(self, names: Sequence[str]) -> bool:
        return any(name in self.shapes.constants and self.shapes.constants[name].is_signed for name in names[1:2])

    def _axes(self, kind: str, names: Sequence[str], attributes: Mapping[str, Any], shape: Shape) -> Sequence[int]:
        """Along which a softmax or a reduction works; nothing of others, and where that is all of them."""
        if kind in ("Softmax", "LogSoftmax", "Hardmax"):
            old = self._file.opset < _SOFTMAX_OF_AN_AXIS  # it worked on everything from its axis on
            return (-1,) if old else (attributes.get("axis", -1),)
        if kind in ("ArgMax", "ArgMin"):
            return (attributes.get("axis", 0),)
        if not kind.startswith("Reduce"):
            return ()
        given = self.shapes.constants.get(names[1]) if len(names) > 1 else None
        known = None if given is None or given.content is None else given.content.reshape(-1).tolist()
        axes: Sequence[int] = attributes.get("axes", ()) if known is None else known
        return axes

    def _is_two(self, name: str) -> bool:
        constant = self.shapes.constants.get(name)
        return constant is not None and constant.content is not None and bool((constant.content == 2).all())

    def _stored(self, names: Sequence[str]) -> int:
        """Bits of a number of the largest constant among some operands; those of a float where there is none."""
        largest, bits = 1, _FULL
        for name in names:
            constant = self.shapes.constants.get(name)
            size = math.prod(self.shapes.get(name) or ())
            if not is_value(self.operand(name)) and size > largest:
                largest, bits = size, self._bits.get(name, _FULL if constant is None else constant.bits)
        return bits

    def _convolution(
        self,
        node: onnx.NodeProto,
        operands: Sequence[Operand],
        sizes: Sequence[Shape],
        output: Shape,
        attributes: Mapping[str, Any],
    ) -> Operand:
        back = node.op_type == "ConvTranspose"
        groups = attributes.get("group", 1)
        wanted = sizes[1][0] if back else sizes[1][1] * groups
        if sizes[0][1] != wanted and node.domain in ONNX_DOMAINS:
            raise UserError(
                f"{self._file.path}: {called(node)} takes {wanted} channels; its input has shape {sizes[0]}"
            )
        window = window_of(attributes, sizes[1][2:], sizes[0][2:], output[2:])
        return self.builder.convolution(operands, sizes[0], sizes[1], output, window, groups, back)

    def _attention(self, own: bool, operands: Sequence[Operand], sizes: Sequence[Shape], output: Shape) -> Operand:
        """Scores and weighted sum in one kernel, with the projection before them where the operator has its ``own``."""
        steps = sizes[0][-2]
        keys = steps if own or len(sizes) < 2 or len(sizes[1]) < 3 else sizes[1][-2]
        weights = math.prod(sizes[1]) if own else 0
        scores = math.prod(output if own else sizes[0])
        flops = 2 * steps * weights + 2 * keys * (scores + math.prod(output))
        return self.builder.attention(operands, output, flops, weights)

    def _recurrent(self, name: str, node: onnx.NodeProto, attributes: Mapping[str, Any]) -> None:
        x, w, r = (self.shapes[item] for item in node.input[:3])
        bias = math.prod(self.shapes[node.input[3]][1:]) if len(node.input) > 3 and node.input[3] else 0
        directions = w[0]
        count = math.prod(w[1:]) + math.prod(r[1:])
        positions = (x[1], x[0]) if attributes.get("layout") else (x[0], x[1])
        states = [self.operand(item) for item in node.input[5:7] if item]
        operands = [self.operand(node.input[0]), *states]
        hidden = int(attributes.get("hidden_size", r[-1]))
        results = self.builder.recurrent(name, operands, positions, hidden, [count] * directions, [bias] * directions)
        self._values.update((item, result) for item, result in zip(node.output, results, strict=False) if item)


def _filled(node: onnx.NodeProto) -> Operand:
    """What ``ConstantOfShape`` makes."""
    fill = next((item.t for item in node.attribute if item.name == "value"), None)
    return ZERO if fill is None or not onnx.numpy_helper.to_array(fill).any() else None


def contracted(equation: str, sizes: Sequence[Shape], output: Shape) -> int:
    """Products summed into one output of an Einstein sum, for all of its operands together.

    Args:
        equation: Its own; letters, and an ellipsis for axes that go along.
        sizes: Shapes of the operands.
        output: Shape of the result.
    """
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    extent: dict[str, int] = {}
    for term, shape in zip(terms, sizes, strict=True):
        front, dots, back = term.partition("...")
        behind = len(shape) - len(back)
        axes = [*zip(front, shape, strict=False), *zip(back, shape[behind:], strict=True)]
        if dots:
            axes += [(f"…{len(front) - place}", size) for place, size in enumerate(shape[len(front) : behind])]
        for letter, size in axes:
            extent[letter] = max(size, extent.get(letter, 1))
    every = math.prod(extent.values())
    return max(1, len(sizes) - 1) * every // max(1, math.prod(output))
