"""Operators that say the same as one of ONNX's float operators: quantised ones, and those that onnxruntime makes."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from automl_kd.hardware.kernels.onnx_file import ONNX_DOMAINS, ONNXRUNTIME_DOMAINS

# Which of the operands the float operator has; scales and zero points come in between.
_FLOAT: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "QLinearConv": ("Conv", (0, 3, 8)),
    "ConvInteger": ("Conv", (0, 1)),
    "QLinearMatMul": ("MatMul", (0, 3)),
    "MatMulInteger": ("MatMul", (0, 1)),
    "MatMulIntegerToFloat": ("MatMul", (0, 1)),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    "QGemm": ("Gemm", (0, 3, 6)),
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearSigmoid": ("Sigmoid", (0,)),
    "QLinearLeakyRelu": ("LeakyRelu", (0,)),
    "QLinearSoftmax": ("Softmax", (0,)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
    "QLinearReduceMean": ("ReduceMean", (0,)),
    "QLinearConcat": ("Concat", tuple(range(2, 999, 3))),
    "QLinearWhere": ("Where", (0, 1, 4)),
    "QAttention": ("Attention", (0, 1)),
    "DynamicQuantizeLSTM": ("LSTM", (0, 1, 2, 3, 4, 5, 6, 7)),
}
_ONNXRUNTIME: Mapping[str, str] = {
    "FusedConv": "Conv",
    "NhwcFusedConv": "Conv",
    "NhwcMaxPool": "MaxPool",
    "FusedMatMul": "MatMul",
    "TransposeMatMul": "MatMul",
    "FusedGemm": "Gemm",
    "BiasGelu": "Gelu",
    "FastGelu": "Gelu",
    "QuickGelu": "Gelu",
    "SkipLayerNormalization": "LayerNormalization",
    "EmbedLayerNormalization": "LayerNormalization",
    "SimplifiedLayerNormalization": "LayerNormalization",
    "SkipSimplifiedLayerNormalization": "LayerNormalization",
    "GroupNorm": "GroupNormalization",
    "BiasSoftmax": "Softmax",
    "ReorderInput": "Reorder",
    "ReorderOutput": "Reorder",
}
_NOT_IN_FLOAT = frozenset({"activation", "activation_params", "channels_last"})


def is_integer(node: onnx.NodeProto) -> bool:
    """Whether an operator itself computes with integers of 8 bits."""
    return (node.op_type in _FLOAT or node.op_type == "MatMulNBits") and (
        node.domain in ONNX_DOMAINS or node.domain in ONNXRUNTIME_DOMAINS
    )


def float_operator(node: onnx.NodeProto) -> onnx.NodeProto:
    """The float operator that a quantised or fused one stands for; any other node as it is.

    A convolution of onnxruntime keeps its fourth operand, the sum that it adds.
    """
    if node.domain in ONNX_DOMAINS or node.domain in ONNXRUNTIME_DOMAINS:
        name, places = _FLOAT.get(node.op_type, (_ONNXRUNTIME.get(node.op_type, node.op_type), None))
        inputs = node.input if places is None else [node.input[place] for place in places if place < len(node.input)]
        known = name != node.op_type or node.domain in ONNXRUNTIME_DOMAINS
        if known:
            plain = onnx.helper.make_node(name, list(inputs), list(node.output), name=node.name)
            plain.attribute.extend(item for item in node.attribute if item.name not in _NOT_IN_FLOAT)
            return plain
    return node
