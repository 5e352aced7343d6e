"""Which node of a graph first computes what is no number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from automl_kd.core import UserError
from automl_kd.onnxio.runtime import onnxruntime

_MARK = ":difference"


def check_finite(model: onnx.ModelProto, batches: Iterable[NDArray[Any]]) -> None:
    """See to it that everything that a graph computes is finite.

    Args:
        model: The graph, which is not touched.
        batches: Inputs (N, …).

    Raises:
        UserError: If something is not, with the first node that computes it.
    """
    floats = _floats(model)
    makers = {out: node.name or out for node in model.graph.node for out in node.output if out in floats}
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    graph = watched.graph
    # A number minus itself is 0, and anything else is no number; sums of those tell a tensor in one value.
    for name in makers:
        graph.node.append(helper.make_node("Sub", [name, name], [f"{name}{_MARK}"]))
        graph.node.append(helper.make_node("ReduceSum", [f"{name}{_MARK}"], [f"{name}{_MARK}:sum"], keepdims=0))
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(f"{name}{_MARK}:sum", TensorProto.FLOAT, []) for name in makers)
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in batches:
        sums = session.run(None, {graph.input[0].name: batch})
        first = next((name for name, value in zip(makers, sums, strict=True) if not np.isfinite(value)), None)
        if first is not None:
            raise UserError(
                f"cannot quantise: what {makers[first]} computes of the calibration's examples is not finite, so that"
                " it has no range: train with a smaller learning rate, or leave the stage out"
            )


def _floats(model: onnx.ModelProto) -> set[str]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = [*graph.value_info, *graph.output]
    return {each.name for each in values if each.type.tensor_type.elem_type == TensorProto.FLOAT}
