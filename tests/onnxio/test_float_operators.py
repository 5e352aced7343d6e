"""What of a quantised file a runtime of integers leaves in floats, told from the graph alone."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from automl_kd.onnxio import FloatOperator, float_operators

WEIGHT = numpy_helper.from_array(np.ones((4, 4), np.float32), "weight")
SCALE = [numpy_helper.from_array(np.float32(0.1), "scale"), numpy_helper.from_array(np.int8(0), "zero")]
INTEGERS = numpy_helper.from_array(np.ones((4, 4), np.int8), "integers")


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs, [output], name=f"/{output}/{kind}", **attributes)


def rounded(name):
    """Quantised and back: ``x`` to ``x.dq``."""
    return [
        node("QuantizeLinear", [name, "scale", "zero"], f"{name}.q"),
        node("DequantizeLinear", [f"{name}.q", "scale", "zero"], f"{name}.dq"),
    ]


WEIGHTS = node("DequantizeLinear", ["integers", "scale", "zero"], "w")
PRODUCT = [*rounded("x"), WEIGHTS, node("MatMul", ["x.dq", "w"], "product")]


@pytest.fixture
def found(tmp_path):
    """The operators in floats of a graph from ``x`` (N, 4) to the output of its last node."""

    def found(nodes, *constants):
        values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])]
        out = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, ["N", 4])
        graph = helper.make_graph(nodes, "g", values, [out], [WEIGHT, INTEGERS, *SCALE, *constants])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        onnx.checker.check_model(model)
        onnx.save(model, tmp_path / "net.onnx")
        return [each.type for each in float_operators(tmp_path / "net.onnx")]

    return found


def test_what_lies_between_dequantisation_and_quantisation_computes_with_integers(found):
    assert found([*PRODUCT, *rounded("product")]) == []
    assert found([*PRODUCT, node("Relu", ["product"], "kept"), *rounded("kept")]) == []
    bias = numpy_helper.from_array(np.ones(4, np.float32), "bias")
    layer = [*rounded("x"), WEIGHTS, node("Gemm", ["x.dq", "w", "bias"], "y"), *rounded("y")]
    assert found(layer, bias) == [], "runtimes round a bias themselves"


@pytest.mark.parametrize(
    ("nodes", "left"),
    [
        ([*rounded("x"), node("MatMul", ["x.dq", "weight"], "y"), *rounded("y")], ["MatMul"]),
        ([WEIGHTS, node("MatMul", ["x", "w"], "y"), *rounded("y")], ["MatMul"]),
        (PRODUCT, ["MatMul"]),
        ([*PRODUCT, node("Softmax", ["product"], "y"), *rounded("y")], ["MatMul", "Softmax"]),
        ([*PRODUCT, *rounded("product"), node("Softmax", ["product.dq"], "y")], ["Softmax"]),
        ([node("MatMul", ["x", "weight"], "y"), node("Relu", ["y"], "z"), *rounded("z")], ["MatMul", "Relu"]),
        # One reader of the two takes the product before it is quantised.
        ([*PRODUCT, *rounded("product"), node("Add", ["product", "product.dq"], "y")], ["MatMul", "Add"]),
    ],
    ids=["float weight", "float input", "output", "no quantisation between", "last", "kept", "two readers"],
)
def test_what_takes_or_gives_floats_is_told(found, nodes, left):
    assert found(nodes) == left


def test_limits_of_a_range_and_the_arithmetic_of_shapes_are_no_operands(found):
    limits = [numpy_helper.from_array(np.float32(value), name) for name, value in (("low", 0), ("high", 6))]
    clipped = [*PRODUCT, node("Clip", ["product", "low", "high"], "c"), *rounded("c")]
    shaped = [node("Shape", ["x"], "shape"), node("Reshape", ["c.dq", "shape"], "y"), *rounded("y")]
    assert found([*clipped, *shaped], *limits) == []


def test_an_operator_is_told_with_the_place_of_its_node(found, tmp_path):
    found([*PRODUCT])
    assert float_operators(tmp_path / "net.onnx") == (FloatOperator("MatMul", "/product/MatMul"),)
