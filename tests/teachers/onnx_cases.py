"""ONNX files as other tools write them, around a network that reads the images of ``telling_task``."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from teacher_cases import CLASSES

BATCHES = ["N", CLASSES]


def write(path, *, end=(), outputs=None, images=("N", 1, 8, 8), kind=TensorProto.FLOAT, begin=(), weight=None, **told):
    """A file whose tensor ``z`` holds the logits of input ``x``.

    Args:
        path: Where to.
        end: Nodes behind ``z``.
        outputs: Shapes by name, of ``z`` alone by default.
        images: Shape of the input.
        kind: Its type.
        begin: Nodes from ``x`` to ``x0``, values as the task normalises them, (N, 1, 8, 8).
        weight: (classes, 64), 4 at the pixel of each class by default.
        told: ``constants`` by name; ``metadata`` by key; ``types`` of outputs that are not float32; ``inputs``.
    """
    weight = np.eye(CLASSES, 64, dtype=np.float32) * 4 if weight is None else weight
    constants = {"w": weight, **told.get("constants", {})}
    nodes = [
        *begin,
        helper.make_node("Flatten", ["x0" if begin else "x"], ["f"]),
        helper.make_node("Gemm", ["f", "w"], ["z"], transB=1),
        *end,
    ]
    types = told.get("types", {})
    values = [
        helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), shape)
        for name, shape in (outputs or {"z": ["N", len(weight)]}).items()
    ]
    inputs = told.get("inputs") or [helper.make_tensor_value_info("x", kind, images)]
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, values, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, told.get("metadata", {}))
    onnx.save(model, path)
    return path


def node(operator, *names, **attributes):
    """A node from its inputs to its last name."""
    return helper.make_node(operator, names[:-1], names[-1:], **attributes)
