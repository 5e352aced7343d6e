"""An ONNX file to a graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from automl_kd.errors import UserError
from automl_kd.hardware._kernels.builder import ONE, ZERO, GraphBuilder, Operand
from automl_kd.hardware._kernels.graph import TYPES, Graph, Shape
from automl_kd.hardware._kernels.onnx_file import ONNX_DOMAINS, OnnxFile, load
from automl_kd.hardware._kernels.onnx_inputs import settle_inputs
from automl_kd.hardware._kernels.onnx_operators import float_operator
from automl_kd.hardware._kernels.onnx_shapes import Shapes
from automl_kd.hardware._kernels.onnx_window import window_of

_ALIASES: Mapping[str, str] = {
    **{name.lower(): name for name in ("Add", "Sub", "Mul", "Pow", "Sqrt", "Exp", "Log", "Neg", "Abs", "Erf")},
    **{name.lower(): name for name in ("Sin", "Cos", "Where", "Relu", "Clip", "Sigmoid", "Tanh", "Elu")},
    **{name.lower(): name for name in ("HardSwish", "HardSigmoid", "Gelu", "Selu", "Mish", "Softplus", "Softsign")},
    **{name.lower(): name for name in ("LeakyRelu", "PRelu", "Softmax", "LogSoftmax", "Concat", "Slice", "Split")},
    "div": "Div Reciprocal",
    "maximum": "Max",
    "minimum": "Min",
    "compare": "Equal Greater GreaterOrEqual Less LessOrEqual",
    "logical": "And Or Not",
    "maxpool": "MaxPool GlobalMaxPool",
    "avgpool": "AveragePool",
    "mean": "GlobalAveragePool ReduceMean",
    "reduce": "ReduceSum ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceProd ReduceSumSquare ArgMax",
    "batchnorm": "BatchNormalization",
    "layernorm": "LayerNormalization",
    "groupnorm": "GroupNormalization",
    "instancenorm": "InstanceNormalization",
    "pad": "Pad",
    "resize": "Resize Upsample",
    "transpose": "DepthToSpace SpaceToDepth Reorder",
    "gather": "Gather GatherElements GatherND",
    "repeat": "Tile",
    "scatter": "ScatterND ScatterElements",
    "floor": "Floor Ceil Round Sign",
}
_TYPES = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}
# Quantise and dequantise pairs mark precision; the profile's precision decides what they cost.
_VIEWS = frozenset(
    {
        *("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Dropout", "Cast"),
        *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
    }
)
_INTERPOLATION: Mapping[bytes, int] = {b"linear": 4, b"cubic": 16}
_RECURRENT: Mapping[str, str] = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"}
_ELEMENTWISE = frozenset({"Add", "Sub", "Mul", "Div"})


def read_onnx(
    path: str | Path,
    input_shape: tuple[int, ...] | None,
    inputs: Mapping[str, tuple[int, ...]] | None = None,
) -> Graph:
    """The operators of an ONNX file for one run.

    Weights need no values: those in other files are not read. Quantised operators count as their float kinds, since
    the precision of a target decides what they cost. Operators of a domain that this room does not know are of kind
    ``other``; where the file does not record the shape of their results, they are taken to keep their input's.

    Args:
        path: A model of opset 11 to 21.
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
    for node in shapes.nodes:
        reader.read(node)
    outputs = [(reader.operand(name), shapes.get(name) or ()) for name in file.outputs]
    return reader.builder.graph(sources, outputs, file.parameters)


class _Reader:
    """Walks the nodes in order and keeps the value of every tensor."""

    def __init__(self, file: OnnxFile, shapes: Shapes) -> None:
        self.builder = GraphBuilder()
        self.shapes = shapes
        self._file = file
        self._values: dict[str, Operand] = {}

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

    def read(self, node: onnx.NodeProto) -> None:
        """Add what a node does."""
        own = node.domain in ONNX_DOMAINS
        plain = float_operator(node)
        known = own or plain is not node
        kind = plain.op_type if known else f"{node.domain}.{node.op_type}"
        attributes = {item.name: onnx.helper.get_attribute_value(item) for item in plain.attribute}
        if kind == "ConstantOfShape":
            fill = attributes.get("value")
            zero = fill is None or not onnx.numpy_helper.to_array(fill).any()
            self._values[node.output[0]] = ZERO if zero else None
            return
        names = [name for name in plain.input if name]
        operands = [self.operand(name) for name in names]
        if all(operand is None for operand in operands):
            return
        outputs = [name for name in node.output if name]
        sizes = [self.shapes.get(name) or () for name in names]
        output = self.shapes[outputs[0]]
        if kind in _RECURRENT and known:
            self._recurrent(_RECURRENT[kind], plain, attributes)
        elif kind == "Transpose" and known:
            order = attributes.get("perm", range(len(sizes[0]))[::-1])
            self._values[outputs[0]] = self.builder.transpose(operands[0], sizes[0], order)
        elif kind in _VIEWS and known:
            # A transposition goes on through what keeps the shape, and is done where the shape changes.
            kept = output == sizes[0]
            self._values[outputs[0]] = operands[0] if kept else self.builder.read(operands[0])
        elif kind in ("Conv", "ConvTranspose") and known:
            self._values[outputs[0]] = self._convolution(node, operands, sizes, output, attributes)
        elif kind in ("MatMul", "Gemm") and known:
            depth = sizes[0][-2] if attributes.get("transA") else sizes[0][-1]
            self._values[outputs[0]] = self.builder.dense(operands, sizes, output, depth)
        elif kind in ("Attention", "MultiHeadAttention") and known:
            self._values[outputs[0]] = self._attention(kind, operands, sizes, output)
        elif kind == "Einsum" and known and len(operands) == 2:
            depth = _contracted(attributes["equation"], sizes)
            self._values[outputs[0]] = self.builder.dense(operands, sizes, output, depth)
        else:
            name = _TYPES.get(kind, kind) if known else kind
            kept_outputs = outputs if name == "split" or name not in TYPES else outputs[:1]
            shapes = [self.shapes[item] for item in kept_outputs]
            taps = attributes.get("kernel_shape")
            window = None if taps is None else window_of(attributes, taps, sizes[0][2:], output[2:])
            reads = _INTERPOLATION.get(attributes.get("mode", b"")) if name == "resize" else None
            results = self.builder.simple(name, operands, sizes, shapes, window, reads)
            self._values.update(zip(kept_outputs, results, strict=True))

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
            called = f"{node.op_type} {node.name!r}" if node.name else f"a {node.op_type}"
            raise UserError(f"{self._file.path}: {called} takes {wanted} channels; its input has shape {sizes[0]}")
        window = window_of(attributes, sizes[1][2:], sizes[0][2:], output[2:])
        return self.builder.convolution(operands, sizes[1], output, window, groups, back)

    def _attention(self, kind: str, operands: Sequence[Operand], sizes: Sequence[Shape], output: Shape) -> Operand:
        """Scores and weighted sum in one kernel, with the projection before them where the operator has it."""
        _, steps, _ = sizes[0]
        own = kind == "Attention"
        keys = steps if own or len(sizes) < 2 or len(sizes[1]) < 3 else sizes[1][1]
        weights = math.prod(sizes[1]) if own else 0
        flops = 2 * steps * weights + 4 * keys * math.prod(output)
        return self.builder.attention(operands, output, flops, weights)

    def _recurrent(self, name: str, node: onnx.NodeProto, attributes: Mapping[str, Any]) -> None:
        x, w, r = (self.shapes[item] for item in node.input[:3])
        bias = math.prod(self.shapes[node.input[3]][1:]) if len(node.input) > 3 and node.input[3] else 0
        directions = w[0]
        count = math.prod(w[1:]) + math.prod(r[1:])
        positions = (x[1], x[0]) if attributes.get("layout") else (x[0], x[1])
        states = [self.operand(item) for item in node.input[5:7] if item]
        operands = [self.operand(node.input[0]), *states]
        hidden = int(attributes["hidden_size"])
        results = self.builder.recurrent(name, operands, positions, hidden, [count] * directions, [bias] * directions)
        self._values.update((item, result) for item, result in zip(node.output, results, strict=False) if item)


def _contracted(equation: bytes, sizes: Sequence[Shape]) -> int:
    """Products summed into one output of an Einstein sum of two operands without ellipsis."""
    terms, _, result = equation.decode().replace(" ", "").partition("->")
    extent = {
        letter: size
        for term, shape in zip(terms.split(","), sizes, strict=True)
        for letter, size in zip(term, shape, strict=False)
    }
    return math.prod(size for letter, size in extent.items() if letter not in result)
