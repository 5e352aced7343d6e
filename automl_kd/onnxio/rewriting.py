"""A model with other nodes than it was read with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from automl_kd.core import replacing


def write_with(model: onnx.ModelProto, nodes: Iterable[onnx.NodeProto], target: str | Path) -> Path:
    """Write a model with these nodes in place of its own, among which they may be, after a check of the whole.

    Args:
        model: The model, which gets these nodes.
        nodes: Each after those that it reads.
        target: File to write; replaced in one step.

    Returns:
        ``target``.
    """
    # Copies: what the graph holds goes with its list.
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    onnx.checker.check_model(model)
    path = Path(target)
    with replacing(path) as draft:
        onnx.save(model, draft)
    return path


def widen(source: str, target: str) -> onnx.NodeProto:
    """A cast to float32."""
    return helper.make_node("Cast", [source], [target], to=TensorProto.FLOAT)
