"""An ONNX file without its weights: what is needed to know its shapes and to count what it computes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.inliner
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, numpy_helper
from onnx.external_data_helper import load_external_data_for_tensor

from automl_kd.core import UserError, first_line
from automl_kd.hardware.kernels.graph import Shape

OPSETS = range(1, onnx.defs.onnx_opset_version() + 1)
"""Versions of the ONNX operator set that are understood."""

SMALL = 4096
"""Elements; axes, sizes and indices have fewer, and weights need no values."""

ONNX_DOMAINS = frozenset({"", "ai.onnx"})
ONNXRUNTIME_DOMAINS = frozenset({"com.microsoft", "com.microsoft.nchwc"})

_WEIGHTS = frozenset(
    {
        *(TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE),
        *(TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4, TensorProto.UINT4),
    }
)
_BITS: dict[int, int] = {
    **dict.fromkeys((TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT16, TensorProto.UINT16), 16),
    **dict.fromkeys((TensorProto.INT8, TensorProto.UINT8, TensorProto.BOOL), 8),
    **{getattr(TensorProto, name): 8 for name in dir(TensorProto) if name.startswith("FLOAT8")},
    **{getattr(TensorProto, name): 4 for name in ("INT4", "UINT4", "FLOAT4E2M1") if hasattr(TensorProto, name)},
    **{getattr(TensorProto, name): 2 for name in ("INT2", "UINT2") if hasattr(TensorProto, name)},
}
_PROBE = 64  # bytes; a weight that is not zero shows it in its first bytes


@dataclass(frozen=True, slots=True)
class Constant:
    """One constant tensor of a file.

    Attributes:
        element: Its ``TensorProto.DataType``.
        shape: Its shape.
        content: Its values where it is small and they are at hand.
        zero: Whether it is known to be zero everywhere.
        missing: Why the values of a small tensor are not at hand.
    """

    element: int
    shape: Shape
    content: npt.NDArray[Any] | None
    zero: bool
    missing: str

    @property
    def bits(self) -> int:
        """Bits that the file keeps a number in."""
        return _BITS.get(self.element, 32)

    @property
    def is_signed(self) -> bool:
        """Whether it holds integers of 8 bits with a sign."""
        return self.element == TensorProto.INT8


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """The graph of a file.

    Attributes:
        path: Where it came from.
        opset: Version of ONNX's own operators.
        domains: Version of every other set of operators.
        nodes: In execution order; constants are no nodes.
        constants: By name.
        inputs: What a caller feeds.
        outputs: Names of the results.
        recorded: What the file itself says of the values in between.
        parameters: Elements of its float and quantised initialisers.
    """

    path: Path
    opset: int
    domains: dict[str, int]
    nodes: tuple[onnx.NodeProto, ...]
    constants: dict[str, Constant]
    inputs: tuple[onnx.ValueInfoProto, ...]
    outputs: tuple[str, ...]
    recorded: dict[str, onnx.TypeProto]
    parameters: int


def load(path: str | Path) -> OnnxFile:
    """Read and check a file; the weights that it keeps in other files are not read.

    Raises:
        UserError: If the file is missing, is no complete ONNX model, or is of an opset that is not understood.
    """
    place = Path(path)
    model = _parsed(place)
    opset = _opset(place, model)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    graph = model.graph
    constants = {tensor.name: constant_tensor(tensor, place.parent) for tensor in graph.initializer}
    parameters = sum(math.prod(tensor.dims) for tensor in graph.initializer if tensor.data_type in _WEIGHTS)
    for sparse in graph.sparse_initializer:
        constants[sparse.values.name] = Constant(sparse.values.data_type, tuple(sparse.dims), None, False, "")
        parameters += math.prod(sparse.values.dims)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        tensor = constant_of(node)
        if tensor is None:
            nodes.append(node)
        else:
            constants[node.output[0]] = constant_tensor(tensor, place.parent)
    inputs = tuple(value for value in graph.input if value.name not in constants)
    shaped = (v for v in (*graph.value_info, *graph.output) if v.type.tensor_type.HasField("shape"))
    recorded = {value.name: value.type for value in shaped}
    _check(place, model, nodes, constants)
    outputs = tuple(value.name for value in graph.output)
    domains = {item.domain: int(item.version) for item in model.opset_import if item.domain not in ONNX_DOMAINS}
    return OnnxFile(place, opset, domains, tuple(nodes), constants, inputs, outputs, recorded, parameters)


def constant_of(node: onnx.NodeProto) -> TensorProto | None:
    """The tensor that a ``Constant`` node holds; ``None`` for other nodes."""
    if node.op_type != "Constant" or node.domain not in ONNX_DOMAINS:
        return None
    for item in node.attribute:
        if item.name == "value":
            held: TensorProto = item.t
            return held
        if item.name in ("value_float", "value_floats"):
            return numpy_helper.from_array(np.asarray(onnx.helper.get_attribute_value(item), np.float32))
        if item.name in ("value_int", "value_ints"):
            return numpy_helper.from_array(np.asarray(onnx.helper.get_attribute_value(item), np.int64))
    return None


def small_constant(content: npt.NDArray[Any]) -> Constant:
    """A constant with known values."""
    element = int(onnx.helper.np_dtype_to_tensor_dtype(content.dtype))
    return Constant(element, content.shape, content, content.size > 0 and not content.any(), "")


def _parsed(path: Path) -> onnx.ModelProto:
    if not path.is_file():
        raise UserError(f"ONNX file {path} does not exist")
    try:
        return onnx.load(path, load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        raise UserError(f"{path} is not a complete ONNX model: {first_line(error)}") from error


def _opset(path: Path, model: onnx.ModelProto) -> int:
    found = [item.version for item in model.opset_import if item.domain in ONNX_DOMAINS]
    if not found and model.opset_import:
        return OPSETS[-1]  # no operator of ONNX's own is used
    if not found:
        raise UserError(f"{path} is not a complete ONNX model: it names no opset")
    if found[0] not in OPSETS:
        raise UserError(
            f"{path} is of opset {found[0]}; opsets {OPSETS.start} to {OPSETS.stop - 1} are understood, export it again"
        )
    return int(found[0])


def constant_tensor(tensor: TensorProto, folder: Path) -> Constant:
    """A stored tensor, with its values where it is small; those in other files lie in ``folder``."""
    shape = tuple(tensor.dims)
    missing = ""
    external = tensor.data_location == TensorProto.EXTERNAL
    if math.prod(shape) > SMALL:
        return Constant(tensor.data_type, shape, None, not external and _all_zero(tensor), "")
    if external:
        try:
            load_external_data_for_tensor(tensor, str(folder))
        except (OSError, ValueError, onnx.checker.ValidationError):
            location = next((item.value for item in tensor.external_data if item.key == "location"), "")
            missing = f"the values of {tensor.name!r} are in {folder / location}, which cannot be read"
            return Constant(tensor.data_type, shape, None, False, missing)
    content = numpy_helper.to_array(tensor)
    numeric = content.dtype.kind in "biuf"
    return Constant(tensor.data_type, shape, content, bool(numeric and content.size > 0 and not content.any()), "")


def _all_zero(tensor: TensorProto) -> bool:
    raw: bytes = tensor.raw_data
    if raw:
        return raw[:_PROBE].count(0) == len(raw[:_PROBE]) and raw.count(0) == len(raw)
    return bool(tensor.float_data) and not any(tensor.float_data)


def _check(path: Path, model: onnx.ModelProto, nodes: Iterable[onnx.NodeProto], constants: dict[str, Constant]) -> None:
    """Run ONNX's checker over the graph with its constants as inputs, so that it needs no weights."""
    if any(item.domain in ONNXRUNTIME_DOMAINS for item in model.opset_import):
        return  # onnxruntime writes operators of its own under ONNX's domain too
    graph = model.graph
    graph.ClearField("initializer")
    graph.ClearField("sparse_initializer")
    kept = list(nodes)
    graph.ClearField("node")
    graph.node.extend(kept)
    for value in graph.output:
        if value.type.WhichOneof("value") in ("tensor_type", None):
            value.type.tensor_type.shape.SetInParent()  # runtimes infer what is missing here
    fed = {value.name for value in graph.input}
    graph.input.extend(
        onnx.helper.make_tensor_value_info(name, constant.element, constant.shape)
        for name, constant in constants.items()
        if name not in fed
    )
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise UserError(f"{path} is not a complete ONNX model: {first_line(error)}") from error
