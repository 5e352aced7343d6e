"""What ONNX's operators are called here."""

from __future__ import annotations

from collections.abc import Mapping

_ALIASES: Mapping[str, str] = {
    **{name.lower(): name for name in ("Add", "Sub", "Mul", "Pow", "Sqrt", "Log", "Neg", "Abs", "Erf", "Cos", "Where")},
    **{name.lower(): name for name in ("Clip", "HardSwish", "HardSigmoid", "Gelu", "Selu", "Mish", "Softplus")},
    **{name.lower(): name for name in ("LeakyRelu", "PRelu", "LogSoftmax", "Concat", "Slice", "Split", "Relu")},
    **{name.lower(): name for name in ("Sigmoid", "Tanh", "Softsign")},
    "sum": "Sum Mean",
    "div": "Div Reciprocal Mod",
    "exp": "Exp",
    "sin": "Sin Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh",
    "maximum": "Max",
    "minimum": "Min",
    "elu": "Elu Celu ThresholdedRelu Shrink",
    "silu": "Swish",
    "compare": "Equal Greater GreaterOrEqual Less LessOrEqual IsNaN IsInf",
    "logical": "And Or Not Xor BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot",
    "maxpool": "MaxPool GlobalMaxPool",
    "avgpool": "AveragePool LpPool",
    "mean": "GlobalAveragePool ReduceMean",
    "reduce": (
        "ReduceSum ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceProd ReduceSumSquare ReduceLogSum ReduceLogSumExp "
        "ArgMax ArgMin GlobalLpPool"
    ),
    "batchnorm": "BatchNormalization",
    "layernorm": "LayerNormalization RMSNormalization LpNormalization",
    "groupnorm": "GroupNormalization",
    "lrn": "LRN",
    "instancenorm": "InstanceNormalization MeanVarianceNormalization",
    "softmax": "Softmax Hardmax",
    "pad": "Pad CenterCropPad",
    "resize": "Resize Upsample",
    "transpose": "DepthToSpace SpaceToDepth Reorder ReverseSequence",
    "gather": "Gather GatherElements GatherND Compress",
    "repeat": "Tile",
    "scatter": "ScatterND ScatterElements Scatter TensorScatter OneHot",
    "floor": "Floor Ceil Round Sign",
    "quantize": "QuantizeLinear DynamicQuantizeLinear",
    "dequantize": "DequantizeLinear",
}
TYPE_OF: Mapping[str, str] = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}
"""The type of every operator that has one of its own here."""

VIEWS = frozenset(
    {
        "Identity",
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Expand",
        "Dropout",
        "Cast",
        "CastLike",
        "OptionalGetElement",
    }
)
"""Operators whose result is their first operand, seen otherwise."""

RECURRENT: Mapping[str, str] = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"}
