"""Nodes and types of values of an ONNX graph, as they are spoken of and compared."""

from __future__ import annotations

import onnx
from onnx import TensorProto

from automl_kd.hardware.kernels.graph import Shape


def called(node: onnx.NodeProto) -> str:
    """A node in words, by its name or by what it makes."""
    return f"{node.op_type} {node.name!r}" if node.name else f"the {node.op_type} that makes {node.output[0]!r}"


def fixed(kind: onnx.TypeProto | None) -> Shape | None:
    """The shape of a tensor without open sizes; ``None`` of anything else."""
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    return tuple(dim.dim_value for dim in dims) if all(dim.HasField("dim_value") for dim in dims) else None


def of_element(kind: onnx.TypeProto, element: int) -> onnx.TypeProto:
    """The same tensor of other numbers."""
    changed = onnx.TypeProto()
    changed.CopyFrom(kind)
    changed.tensor_type.elem_type = element
    return changed


def with_batch_of_one(kind: onnx.TypeProto | None) -> onnx.TypeProto | None:
    """A recorded type whose only open axis is the batch."""
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.tensor_type.shape.dim]
    if sizes and sizes[0] is None:
        sizes[0] = 1
    if None in sizes:
        return None
    return onnx.helper.make_tensor_type_proto(kind.tensor_type.elem_type or TensorProto.FLOAT, sizes)
