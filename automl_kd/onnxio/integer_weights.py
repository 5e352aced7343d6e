"""An ONNX file whose weights are stored in integers of 8 bits and computed with in floats."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from automl_kd.onnxio.rewriting import write_with

_LARGEST = 127
_WEIGHTED = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1, "Gather": 0}
"""Operators with weights, and which input these are."""


def store_integers(model: onnx.ModelProto, path: str | Path, *, per_channel: bool, excluded: Collection[str]) -> Path:
    """Store the weights of layers as integers in steps of their largest magnitude / 127.

    Behind each stands a dequantisation, so that any runtime computes with floats: what the file costs is size alone.

    Args:
        model: Of floats, at opset 13 or later; it is changed.
        path: Where to; replaced in one step.
        per_channel: Whether each output of a layer has a step of its own, or the whole tensor one.
        excluded: Names of nodes whose weights stay floats.

    Returns:
        ``path``.
    """
    graph = model.graph
    stored = {each.name: each for each in graph.initializer}
    kept = {name for node in graph.node if node.name in excluded for name in node.input}
    nodes, done = [], set(kept)
    for node in graph.node:
        place = _WEIGHTED.get(node.op_type)
        weight = None if place is None else stored.get(node.input[place])
        if weight is None or weight.name in done or weight.data_type != onnx.TensorProto.FLOAT or not weight.dims:
            continue
        done.add(weight.name)
        axis = _axis(node, len(weight.dims))
        integers, steps = _integers(numpy_helper.to_array(weight), axis if per_channel else None)
        source, scale, zero = (f"{weight.name}:{part}" for part in ("integers", "scale", "zero"))
        nodes.append(helper.make_node("DequantizeLinear", [source, scale, zero], [weight.name], source, axis=axis))
        graph.initializer.extend(
            (
                numpy_helper.from_array(steps, scale),
                numpy_helper.from_array(np.zeros(steps.shape, np.int8), zero),
                numpy_helper.from_array(integers, source),
            )
        )
        graph.initializer.remove(weight)
    return write_with(model, [*nodes, *graph.node], path)


def _axis(node: onnx.NodeProto, axes: int) -> int:
    """The axis of a layer's outputs in its weight; of a table, of its rows."""
    if node.op_type == "Gemm":
        return 0 if any(item.name == "transB" and item.i for item in node.attribute) else 1
    return {"Conv": 0, "ConvTranspose": 1, "MatMul": axes - 1, "Gather": 0}[node.op_type]


def _integers(weight: NDArray[np.float32], axis: int | None) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    others = tuple(place for place in range(weight.ndim) if place != axis) if axis is not None else None
    largest = np.abs(weight).max(axis=others, keepdims=True)
    steps = np.where(largest > 0, largest / _LARGEST, 1).astype(np.float32)
    integers = np.round(weight / steps).astype(np.int8)
    return integers, steps.reshape(-1) if axis is not None else steps.reshape(())
