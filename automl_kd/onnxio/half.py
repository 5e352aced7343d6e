"""A float16 version of an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from automl_kd.core import UserError
from automl_kd.onnxio.rewriting import widen, write_with
from automl_kd.onnxio.session import load_model

_LARGEST = float(np.finfo(np.float16).max)


def to_half(source: str | Path, target: str | Path) -> Path:
    """Write ``source`` as float16 computes it, to run on a CPU that computes in float32.

    onnxruntime's CPU provider lacks float16 kernels for most operators: given a float16 graph it computes in float32
    and, at every optimisation level, drops the roundings between nodes. So the rounding is written into the file:
    weights are stored in float16, and every float tensor that one node hands to another passes through a cast to
    float16 and back, which onnxruntime keeps. Sums inside one operator stay in float32, as on GPUs that accumulate in
    float32; accumulation in float16 rounds more. Input and output are float32, the input rounded once.

    Args:
        source: A float32 ONNX model.
        target: File to write; replaced in one step.

    Returns:
        ``target``.

    Raises:
        UserError: If ``source`` is missing, is not an ONNX model, or has weights too large for float16.
    """
    model = load_model(source)
    graph = model.graph
    floats = _float_tensors(model)
    wide = {name for node in graph.node for name in _typed_float32(node)}
    weights = [tensor for tensor in graph.initializer if tensor.name in floats - wide]
    nodes = [widen(f"{tensor.name}:half", tensor.name) for tensor in weights]
    for tensor in weights:
        values = _halved(tensor, source)
        tensor.CopyFrom(numpy_helper.from_array(values, f"{tensor.name}:half"))
    stored = {tensor.name for tensor in graph.initializer} | {node.output[0] for node in nodes}
    inputs = [value.name for value in graph.input if value.name in floats - stored]
    nodes += [cast for name in inputs for cast in _rounding(name, f"{name}:rounded")]
    outputs = {value.name for value in graph.output}
    for node in graph.node:
        node.input[:] = [f"{name}:rounded" if name in inputs else name for name in node.input]
        rounded = [] if node.op_type == "Constant" else [name for name in node.output if name in floats | outputs]
        node.output[:] = [f"{name}:exact" if name in rounded else name for name in node.output]
        nodes += [node, *(cast for name in rounded for cast in _rounding(f"{name}:exact", name))]
    del graph.value_info[:]
    return write_with(model, nodes, target)


def _float_tensors(model: onnx.ModelProto) -> set[str]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = [*graph.input, *graph.value_info, *graph.output]
    return {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT} | {
        tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT
    }


def _typed_float32(node: onnx.NodeProto) -> list[str]:
    """Inputs that hold sizes rather than data: the region and scales of Resize, the scales of Upsample."""
    if node.op_type == "Resize":
        return list(node.input[1:3])
    return list(node.input[1:2]) if node.op_type == "Upsample" else []


def _halved(tensor: onnx.TensorProto, source: str | Path) -> npt.NDArray[np.float16]:
    values = numpy_helper.to_array(tensor)
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    if largest > _LARGEST:
        raise UserError(f"{source}: weight {tensor.name!r} reaches {largest:.3g}; float16 ends at {_LARGEST:g}")
    return values.astype(np.float16)


def _rounding(source: str, target: str) -> list[onnx.NodeProto]:
    narrow = f"{target}:half"
    return [helper.make_node("Cast", [source], [narrow], to=TensorProto.FLOAT16), widen(narrow, target)]
