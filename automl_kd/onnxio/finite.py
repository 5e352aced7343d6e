"""Which node of a graph first computes what is no number."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from automl_kd.core import UserError
from automl_kd.onnxio.runtime import onnxruntime

_MARK = ":difference"


class Finite:
    """Runs a graph and sees to it that everything that it computes is finite.

    Args:
        model: The graph, which is not touched.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        watched = onnx.ModelProto()
        watched.CopyFrom(model)
        graph = watched.graph
        floats = _floats(model)
        # A number minus itself is 0, and anything else is no number; sums of those tell a tensor in one value.
        self._makers = {out: node.name or out for node in graph.node for out in node.output if out in floats}
        for name in self._makers:
            graph.node.append(helper.make_node("Sub", [name, name], [f"{name}{_MARK}"]))
            graph.node.append(helper.make_node("ReduceSum", [f"{name}{_MARK}"], [f"{name}{_MARK}:sum"], keepdims=0))
        del graph.output[:]
        graph.output.extend(
            helper.make_tensor_value_info(f"{name}{_MARK}:sum", TensorProto.FLOAT, []) for name in self._makers
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._input = graph.input[0].name
        self._session = onnxruntime.InferenceSession(
            watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def check(self, batch: NDArray[Any]) -> None:
        """Run inputs (N, …).

        Raises:
            UserError: If what a node computes of them is not finite, with the first such node.
        """
        sums = self._session.run(None, {self._input: batch})
        first = next((name for name, value in zip(self._makers, sums, strict=True) if not np.isfinite(value)), None)
        if first is not None:
            raise UserError(
                f"cannot quantise: what {self._makers[first]} computes of the calibration's examples is not finite, so"
                " that it has no range: train with a smaller learning rate, or keep the stage out"
            )


def _floats(model: onnx.ModelProto) -> set[str]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = [*graph.value_info, *graph.output]
    return {each.name for each in values if each.type.tensor_type.elem_type == TensorProto.FLOAT}
