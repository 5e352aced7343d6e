"""Which operators of a quantised file a runtime of integers cannot compute with integers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import NodeProto, TensorProto

from automl_kd.onnxio.session import load_model

_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
_FUSED = frozenset({"Relu", "Clip"})
"""Computed with the operator before: a range that quantisation keeps anyhow."""
_ONE_OPERAND = frozenset({"Clip", "Pad", "Resize"})
"""Types whose further inputs say how to compute, and are no operands."""
WITH_BIAS = frozenset({"Conv", "ConvTranspose", "Gemm"})
"""Types whose third input runtimes round to steps of the sums that it is added to, where it is a constant in floats."""
_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE})


@dataclass(frozen=True)
class FloatOperator:
    """An operator that computes with floats.

    Attributes:
        type: Of ONNX: ``Softmax``.
        name: Of the node, which says where it stands: ``/head/head.0/linear/Gemm``.
    """

    type: str
    name: str


def float_operators(path: str | Path) -> tuple[FloatOperator, ...]:
    """The operators of a QDQ file that a runtime of integers leaves in floats, in the order of the file.

    A runtime computes an operator with integers where all its operands are dequantised and whatever reads its result
    quantises it again. An activation that only cuts a range may stand between the two. What makes no floats, such as
    the arithmetic of shapes, is none of them.

    Args:
        path: A quantised file (:func:`automl_kd.onnxio.quantise`).

    Raises:
        UserError: If the file is no ONNX model.
    """
    graph = _Graph(onnx.shape_inference.infer_shapes(load_model(path)).graph)
    return tuple(FloatOperator(node.op_type, node.name) for node in graph.floats())


class _Graph:
    """Who makes and who reads each tensor of a graph, and which tensors are floats."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._nodes = tuple(graph.node)
        self._outputs = {value.name for value in graph.output}
        self._makers = {name: node for node in self._nodes for name in node.output}
        self._readers: dict[str, list[NodeProto]] = defaultdict(list)
        for node in self._nodes:
            for name in node.input:
                self._readers[name].append(node)
        typed = (*graph.value_info, *graph.input, *graph.output)
        self._types = {value.name: value.type.tensor_type.elem_type for value in typed}
        self._constants = {tensor.name for tensor in graph.initializer}
        self._types |= {tensor.name: tensor.data_type for tensor in graph.initializer}

    def floats(self) -> list[NodeProto]:
        """The nodes that compute with floats."""
        return [
            node
            for node in self._nodes
            if node.op_type not in (_QUANTIZE, _DEQUANTIZE)
            and any(map(self._is_float, node.output))
            and not (self._takes_integers(node) and self._gives_integers(node))
        ]

    def _is_float(self, name: str) -> bool:
        # What inference cannot tell is taken for a float: to say too much is better than to be silent.
        return self._types.get(name, TensorProto.FLOAT) in _FLOATS

    def _takes_integers(self, node: NodeProto) -> bool:
        operands = node.input[:1] if node.op_type in _ONE_OPERAND else node.input
        if node.op_type in WITH_BIAS and all(name in self._constants for name in operands[2:]):
            operands = operands[:2]
        return all(self._is_dequantised(node, name) for name in operands if name and self._is_float(name))

    def _is_dequantised(self, reader: NodeProto, name: str) -> bool:
        maker = self._makers.get(name)
        if maker is None:
            return False
        fused = reader.op_type in _FUSED and maker.op_type not in _FUSED
        return maker.op_type == _DEQUANTIZE or (fused and self._takes_integers(maker))

    def _gives_integers(self, node: NodeProto) -> bool:
        return all(
            name not in self._outputs and all(self._is_quantised(node, reader) for reader in self._readers[name])
            for name in node.output
            if name
        )

    def _is_quantised(self, maker: NodeProto, reader: NodeProto) -> bool:
        fused = reader.op_type in _FUSED and maker.op_type not in _FUSED
        return reader.op_type == _QUANTIZE or (fused and self._gives_integers(reader))
