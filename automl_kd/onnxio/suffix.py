"""How an ONNX file makes its outputs: by which last activation, out of which tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import onnx

Activation = Literal["Softmax", "LogSoftmax", "Sigmoid"]

_ACTIVATIONS: dict[str, Activation] = {"Softmax": "Softmax", "LogSoftmax": "LogSoftmax", "Sigmoid": "Sigmoid"}
# What changes neither the numbers nor their order, but for their precision.
_PASSING = frozenset(
    ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "QuantizeLinear", "DequantizeLinear")
)


@dataclass(frozen=True)
class Ending:
    """The end of a graph at one output.

    Attributes:
        tensor: What the last activation takes; where there is none, what the output is a copy of.
        activation: The last activation, if there is one.
    """

    tensor: str
    activation: Activation | None


def ending(model: onnx.ModelProto, output: str) -> Ending:
    """The end of a graph at an output, seen through nodes that only reshape, copy or convert."""
    producers = {name: node for node in model.graph.node for name in node.output}
    name = output
    while (node := producers.get(name)) is not None and node.op_type in _PASSING:
        name = node.input[0]
    if node is not None and node.op_type in _ACTIVATIONS:
        return Ending(node.input[0], _ACTIVATIONS[node.op_type])
    return Ending(name, None)
