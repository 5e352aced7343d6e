"""An ONNX file to a graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from automl_kd.errors import UserError
from automl_kd.hardware._kernels.graph import Graph, GraphBuilder, Shape, moves
from automl_kd.onnxio import load_model

_ALIASES: Mapping[str, str] = {
    **{name.lower(): name for name in ("Add", "Sub", "Mul", "Pow", "Sqrt", "Exp", "Log", "Neg", "Abs", "Erf")},
    **{name.lower(): name for name in ("Sin", "Cos", "Floor", "Where", "Relu", "Clip", "Sigmoid", "Tanh", "Elu")},
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
    "transpose": "Transpose DepthToSpace SpaceToDepth",
    "gather": "Gather GatherElements GatherND",
    "repeat": "Tile ConstantOfShape",
    "scatter": "ScatterND ScatterElements",
}
_TYPES = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}
# Quantise and dequantise pairs mark precision; the profile's precision decides what they cost.
_VIEWS = frozenset(
    {
        *("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Dropout", "Cast"),
        *("QuantizeLinear", "DequantizeLinear"),
    }
)
_FOLDED = 4096  # elements; shape arithmetic is smaller, weights need no values


def read_onnx(path: str | Path, input_shape: tuple[int, ...] | None) -> Graph:
    """The operators of an ONNX file for a batch of one.

    Args:
        path: A model with one input; opsets 11 to 21 are known.
        input_shape: Shape of one input without the batch axis. The file's own where ``None``.

    Raises:
        UserError: If the file is no ONNX model, has several inputs, leaves a size open that ``input_shape`` does
            not give, or contradicts ``input_shape``.
    """
    model = load_model(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise UserError(f"{path} has {len(inputs)} inputs; latency is predicted for models with one")
    shape = _settle_input(inputs[0], path, input_shape)
    # Sizes recorded for the dynamic model would contradict the settled input.
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    reader = _Reader(model, path)
    source = reader.builder.value(shape)
    reader.values[inputs[0].name] = source
    for node in model.graph.node:
        reader.read(node)
    outputs = [reader.values.get(output.name) for output in model.graph.output]
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    parameters = sum(math.prod(item.dims) for item in model.graph.initializer if item.data_type in floats)
    return reader.builder.graph([source], outputs, parameters)


def _settle_input(value: onnx.ValueInfoProto, path: str | Path, asked: tuple[int, ...] | None) -> Shape:
    """Write the batch of one and the asked sizes into the model's input and return its full shape."""
    dims = value.type.tensor_type.shape.dim
    own = [dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in dims]
    if asked is not None and len(asked) != len(own) - 1:
        raise UserError(f"{path} takes inputs with {len(own) - 1} axes; the input shape {asked} has {len(asked)}")
    shape = [1]
    for axis, size in enumerate(own[1:]):
        given = size if asked is None else asked[axis]
        if given is None:
            raise UserError(f"axis {axis + 1} of the input of {path} has no fixed size; give the input shape")
        if size is not None and given != size:
            raise UserError(f"{path} takes inputs of shape {tuple(own[1:])}; got {asked}")
        shape.append(given)
    for dim, size in zip(dims, shape, strict=True):
        dim.dim_value = size
    return tuple(shape)


class _Reader:
    """Walks the nodes in order and keeps the value and the shape of every tensor."""

    def __init__(self, model: onnx.ModelProto, path: str | Path) -> None:
        self.builder = GraphBuilder()
        self.values: dict[str, int | None] = {}
        self._path = path
        self._shapes = _fold_shapes(model)

    def read(self, node: onnx.NodeProto) -> None:
        names = [name for name in node.input if name]
        operands = [self.values.get(name) for name in names]
        if all(operand is None for operand in operands) or node.op_type in ("Shape", "Size"):
            return
        attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        sizes = [self._shapes.get(name, ()) for name in names]
        outputs = [name for name in node.output if name]
        output = self._shape_of(outputs[0], node)
        kind = node.op_type
        if kind in _VIEWS or (kind == "Transpose" and not moves(sizes[0], _order(attributes, sizes[0]))):
            self.values[outputs[0]] = operands[0]
        elif kind in ("Conv", "ConvTranspose"):
            stride = attributes.get("strides", [1] * (len(output) - 2))
            self.values[outputs[0]] = self.builder.convolution(
                operands[0],
                sizes[1],
                len(names) > 2,
                output,
                stride,
                attributes.get("group", 1),
                kind == "ConvTranspose",
            )
        elif kind in ("MatMul", "Gemm"):
            depth = sizes[0][0] if attributes.get("transA") else sizes[0][-1]
            self.values[outputs[0]] = self.builder.dense(operands, sizes, output, depth)
        else:
            name = _TYPES.get(kind, kind)
            kept = outputs if name == "split" else outputs[:1]
            shapes = [self._shape_of(item, node) for item in kept]
            self.values.update(zip(kept, self.builder.simple(name, operands, sizes, shapes), strict=True))

    def _shape_of(self, name: str, node: onnx.NodeProto) -> Shape:
        if name not in self._shapes:
            raise UserError(f"{self._path}: the shape of {name!r}, made by {node.op_type}, depends on values")
        return self._shapes[name]


def _fold_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """Replace shape arithmetic (``Shape``, ``Gather``, ``Concat``, … before a ``Reshape``) by constants.

    Returns the shape of every tensor that has a fixed one.

    Exporters of dynamic graphs compute target shapes at run time; with a settled input they are constants, and
    only as constants does shape inference follow them through every opset. One pass settles the sizes of
    what comes before the first unknown, so passes repeat until nothing changes.
    """
    content = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if math.prod(tensor.dims) <= _FOLDED
    }
    while True:
        shapes = _static_shapes(model)
        changed = False
        for node in list(model.graph.node):
            if node.op_type == "Constant":
                content.update(_small_constant(node))
                continue
            if node.op_type == "Shape" and node.input[0] in shapes:
                content[node.output[0]] = np.array(shapes[node.input[0]], np.int64)
            elif not _fold(node, model, content):
                continue
            name = node.output[0]
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(content[name]), name))
            model.graph.node.remove(node)
            changed = True
        if not changed:
            return shapes


def _small_constant(node: onnx.NodeProto) -> dict[str, npt.NDArray[Any]]:
    for item in node.attribute:
        if item.name == "value" and math.prod(item.t.dims) <= _FOLDED:
            return {node.output[0]: numpy_helper.to_array(item.t)}
    return {}


def _fold(node: onnx.NodeProto, model: onnx.ModelProto, content: dict[str, npt.NDArray[Any]]) -> bool:
    """Evaluate a node whose inputs are all known; whether that succeeded."""
    if len(node.output) != 1 or not node.input or not all(name in content for name in node.input if name):
        return False
    feeds = {name: content[name] for name in node.input if name}
    graph = onnx.helper.make_graph(
        [node],
        "fold",
        [onnx.helper.make_tensor_value_info(name, _element(value), value.shape) for name, value in feeds.items()],
        [onnx.helper.make_empty_tensor_value_info(node.output[0])],
    )
    try:
        single = onnx.helper.make_model(graph, opset_imports=list(model.opset_import))
        (result,) = ReferenceEvaluator(single).run(None, feeds)
        result = np.asarray(result)
    except Exception:  # an operator without reference implementation is simply not folded
        return False
    if result.size > _FOLDED:
        return False
    content[node.output[0]] = result
    return True


def _element(value: npt.NDArray[Any]) -> int:
    return int(onnx.helper.np_dtype_to_tensor_dtype(value.dtype))


def _static_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    found: dict[str, Shape] = {item.name: tuple(item.dims) for item in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            found[value.name] = tuple(dim.dim_value for dim in dims)
    return found


def _order(attributes: Mapping[str, Any], shape: Shape) -> list[int]:
    return list(attributes.get("perm", range(len(shape))[::-1]))
