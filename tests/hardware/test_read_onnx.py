"""ONNX files as they come: what is understood, and what is one line."""

from __future__ import annotations

import math
from collections import Counter

import nets
import numpy as np
import onnx
import onnxruntime.quantization as ort_quantization
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from automl_kd.core import UserError
from automl_kd.hardware import Kind
from automl_kd.hardware.kernels.lower import lower
from automl_kd.hardware.kernels.read_onnx import read_onnx
from automl_kd.hardware.kernels.trace import trace

FLOAT = TensorProto.FLOAT


def write(path, nodes, inputs, outputs=("out",), constants=(), opset=17, domains=(), **settings):
    """A file with these nodes; inputs are (name, type, shape)."""
    values = [helper.make_tensor_value_info(*item) for item in inputs]
    results = [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants]
    graph = helper.make_graph(nodes, "graph", values, results, tensors)
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path, **settings)
    return path


def weights(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def live(path, input_shape=None):
    return read_onnx(path, input_shape).live()


def kinds(graph):
    return Counter(op.kind for op in graph.ops)


def message(path, input_shape=None, inputs=None):
    with pytest.raises(UserError) as caught:
        read_onnx(path, input_shape, inputs)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), "FILE")


def convolution(path, shape=("n", 3, 8, 8), **settings):
    node = helper.make_node("Conv", ["x", "w"], ["out"])
    return write(path, [node], [("x", FLOAT, shape)], constants=[("w", weights(4, 3, 3, 3))], **settings)


def test_unnamed_nodes_and_an_open_batch(tmp_path):
    (op,) = live(convolution(tmp_path / "net.onnx")).ops
    assert (op.kind, op.flops, op.weights) == (Kind.CONV3X3, 2 * 4 * 36 * 27, 108)


def test_open_sizes_are_asked_for_by_axis(tmp_path):
    path = convolution(tmp_path / "net.onnx", ("n", 3, "height", None))
    declared = "(n, 3, height, ?)"
    expected = f"FILE: axis 2 of input 'x', declared as {declared}, has no fixed size; give the shape, as in "
    assert message(path) == expected + "--input x=1x3x…x…"
    assert live(path, (3, 10, 12)).shapes[1] == (1, 4, 8, 10)
    for wrong in ((3, 10), (4, 10, 12)):
        assert message(path, wrong) == (
            f"FILE: no input takes {wrong} behind its first axis; declared: 'x' {declared}; "
            "name a whole shape, as in --input x=1x3x…x…"
        )


def test_wrong_number_of_channels(tmp_path):
    path = convolution(tmp_path / "net.onnx", ("n", "c", 8, 8))
    assert message(path, (5, 8, 8)) == (
        "FILE: the Conv that makes 'out' takes 3 channels; its input has shape (1, 5, 8, 8)"
    )
    nodes = [helper.make_node("MatMul", ["x", "w"], ["out"], name="last")]
    path = write(tmp_path / "mm.onnx", nodes, [("x", FLOAT, ("n", "c"))], constants=[("w", weights(6, 2))])
    assert message(path, (5,)).startswith("FILE: MatMul 'last' does not take (1, 5), (6, 2): ")


def test_a_fixed_first_axis_is_what_the_network_takes_at_a_time(tmp_path):
    path = convolution(tmp_path / "net.onnx", (8, 3, 8, 8))
    for shape in (None, (3, 8, 8)):
        assert live(path, shape).shapes[1] == (8, 4, 6, 6)


def recurrence(path, shape):
    """Steps first, as ONNX's recurrent operators take them."""
    nodes = [helper.make_node("GRU", ["x", "w", "r"], ["out"], hidden_size=5)]
    constants = [("w", weights(1, 15, 4)), ("r", weights(1, 15, 5))]
    return write(path, nodes, [("x", FLOAT, shape)], constants=constants)


def test_shapes_by_name_include_every_axis(tmp_path):
    path = recurrence(tmp_path / "net.onnx", ("time", "n", 4))
    graph = read_onnx(path, None, {"x": (30, 2, 4)}).live()
    assert graph.shapes[0] == (30, 2, 4)
    assert graph.ops[0].flops == 2 * 30 * 2 * 15 * (4 + 5)
    assert message(path) == (
        "FILE: axis 0 of input 'x', declared as (time, n, 4), has no fixed size; give the shape, as in --input x=…x…x4"
    )
    for wrong in ((30, 2, 5), (30, 2), (-1, 2, 4)):
        assert message(path, inputs={"x": wrong}) == f"FILE: input 'x' is declared as (time, n, 4); got {wrong}"
    assert message(path, inputs={"y": (1,)}) == "FILE: unknown input 'y'; known: x"
    scalar = write(tmp_path / "scalar.onnx", [helper.make_node("Neg", ["x"], ["out"])], [("x", FLOAT, ())])
    assert read_onnx(scalar, None, {"x": ()}).shapes[0] == read_onnx(scalar, None).shapes[0] == ()


def test_open_sizes_of_one_name_are_equal(tmp_path):
    node = helper.make_node("Add", ["a", "b"], ["out"])
    path = write(tmp_path / "net.onnx", [node], [("a", FLOAT, ("n", "t", 8)), ("b", FLOAT, ("n", "t", 8))])
    graph = read_onnx(path, None, {"b": (3, 7, 8)})
    assert [graph.shapes[value] for value in graph.inputs] == [(3, 7, 8), (3, 7, 8)]


def test_inputs_that_are_no_tensors_are_named(tmp_path):
    path = write(
        tmp_path / "net.onnx", [helper.make_node("SequenceAt", ["x", "i"], ["out"])], [("i", TensorProto.INT64, ())]
    )
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_sequence_value_info("x", FLOAT, ("n", 3)))
    onnx.save(model, path)
    assert message(path) == "FILE: input 'x' is of type sequence; latency is predicted for tensors"


def test_opsets(tmp_path):
    newest = onnx.defs.onnx_opset_version()
    for opset in range(1, newest + 1):
        assert kinds(live(convolution(tmp_path / "net.onnx", opset=opset))) == {Kind.CONV3X3: 1}
    path = convolution(tmp_path / "net.onnx", opset=newest + 1)
    assert message(path) == f"FILE is of opset {newest + 1}; opsets 1 to {newest} are understood, export it again"


def test_no_onnx_files(tmp_path):
    path = convolution(tmp_path / "net.onnx")
    content = path.read_bytes()
    broken = tmp_path / "broken.onnx"
    for wrong in (b"", b"no model at all, but text\n" * 10, content[:100], content[: len(content) // 2], content[:-3]):
        broken.write_bytes(wrong)
        assert message(broken).startswith("FILE is not a complete ONNX model: ")
    assert message(tmp_path / "missing.onnx") == "ONNX file FILE does not exist"
    unsorted = [helper.make_node("Relu", ["y"], ["out"]), helper.make_node("Relu", ["x"], ["y"])]
    path = write(tmp_path / "unsorted.onnx", unsorted, [("x", FLOAT, (1, 4))])
    assert message(path).startswith("FILE is not a complete ONNX model: ")


def external(path, constants, nodes, shape):
    settings = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    return write(path, nodes, [("x", FLOAT, shape)], constants=constants, **settings)


def test_weights_in_other_files_are_not_needed(tmp_path):
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["out"])]
    constants = [("w", weights(64, 64, 3, 3)), ("b", weights(64))]
    path = external(tmp_path / "net.onnx", constants, nodes, ("n", 64, 8, 8))
    (tmp_path / "weights.bin").unlink()
    graph = live(path)
    assert (graph.ops[0].weights, graph.ops[0].vector, graph.parameters) == (64 * 64 * 9, 64, 64 * 64 * 9 + 64)


def test_files_beyond_protobufs_limit_are_read_without_their_weights(tmp_path):
    """Three gigabytes of weights, declared and never written."""
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[65536, 12288], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="weights.bin")
    values = [
        helper.make_tensor_value_info("x", FLOAT, ("n", 65536)),
        helper.make_tensor_value_info("out", FLOAT, None),
    ]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["out"])], "g", values[:1], values[1:], [tensor])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "n.onnx")
    (op,) = live(tmp_path / "n.onnx").ops
    assert (op.kind, op.flops, op.weights) == (Kind.DENSE, 2 * 65536 * 12288, 65536 * 12288)


def test_a_missing_file_is_named_where_shapes_are_in_it(tmp_path):
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"]), helper.make_node("Relu", ["y"], ["out"])]
    path = external(tmp_path / "net.onnx", [("shape", np.array([0, 6], np.int64))], nodes, ("n", 2, 3))
    assert live(path).shapes[-1] == (1, 6)
    (tmp_path / "weights.bin").unlink()
    expected = f"the values of 'shape' are in {tmp_path / 'weights.bin'}, which cannot be read"
    assert (
        message(path) == f"FILE: the shape of 'y' depends on values: {expected}; export the model with constant sizes"
    )


def test_initialisers_that_are_inputs_too_are_no_inputs(tmp_path):
    node = helper.make_node("Conv", ["x", "w"], ["out"])
    inputs = [("x", FLOAT, ("n", 3, 8, 8)), ("w", FLOAT, (4, 3, 3, 3))]
    graph = live(write(tmp_path / "net.onnx", [node], inputs, constants=[("w", weights(4, 3, 3, 3))]))
    assert len(graph.inputs) == 1
    assert graph.ops[0].weights == 108


def test_several_inputs(tmp_path):
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["rows"]),
        helper.make_node("Cast", ["mask"], ["m"], to=FLOAT),
        helper.make_node("Unsqueeze", ["m", "last"], ["wide"]),
        helper.make_node("Mul", ["rows", "wide"], ["masked"]),
        helper.make_node("Add", ["masked", "extra"], ["out"]),
    ]
    tokens, mask = ("tokens", TensorProto.INT64, ("n", "t")), ("mask", TensorProto.INT64, ("n", "t"))
    extra = ("extra", FLOAT, ("n", "t", 16))
    constants = [("table", weights(100, 16)), ("last", np.array([2], np.int64))]
    path = write(tmp_path / "net.onnx", nodes, [tokens, mask, extra], constants=constants)
    graph = live(path, (12,))
    assert [graph.shapes[value] for value in graph.inputs] == [(1, 12), (1, 12), (1, 12, 16)]
    assert kinds(graph) == {Kind.EMBEDDING: 1, Kind.ELEMENTWISE: 2}
    (lookup,) = [op for op in graph.ops if op.kind is Kind.EMBEDDING]
    assert (lookup.weights, lookup.work) == (1600, 12 * 16)
    assert message(path).endswith("has no fixed size; give the shape, as in --input tokens=1x…")
    assert message(path, (3, 12, 12)).endswith(
        "name a whole shape, as in --input tokens=1x… or --input mask=1x… or --input extra=1x…x16"
    )


def test_custom_operators_count_as_unknown(tmp_path):
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], domain="my.operators"),
        helper.make_node("Split", ["a"], ["b", "c"], domain="my.operators"),
        helper.make_node("Add", ["b", "c"], ["d"]),
        helper.make_node("MaxPool", ["d"], ["out"], kernel_shape=[2, 2]),
    ]
    shape, constants = ("n", 4, 8, 8), [("w", weights(4, 4, 3, 3))]
    path = tmp_path / "net.onnx"
    write(path, nodes, [("x", FLOAT, shape)], constants=constants, domains=["my.operators"])
    graph = live(path)
    assert kinds(graph) == {Kind.OTHER: 2, Kind.ELEMENTWISE: 1, Kind.POOLING: 1}
    assert {op.type for op in graph.ops if op.kind is Kind.OTHER} == {"my.operators.Conv", "my.operators.Split"}
    assert graph.shapes[graph.outputs[0]] == (1, 4, 7, 7)
    assert all(op.work for op in graph.ops)
    model = onnx.load(path)  # a shape that the file records is believed
    model.graph.value_info.append(helper.make_tensor_value_info("b", FLOAT, ("n", 2, 8, 8)))
    model.graph.value_info.append(helper.make_tensor_value_info("c", FLOAT, ("n", 2, 8, 8)))
    onnx.save(model, path)
    assert live(path).shapes[live(path).outputs[0]] == (1, 2, 7, 7)


def branch(name, node, output):
    return helper.make_graph([node], name, [], [helper.make_tensor_value_info(output, FLOAT, None)])


def test_a_branch_is_taken_where_it_is_known_and_the_dearer_where_not(tmp_path):
    small = branch("small", helper.make_node("Relu", ["x"], ["s"]), "s")
    large = branch("large", helper.make_node("Conv", ["x", "w"], ["l"]), "l")
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "two"], ["height"]),
        helper.make_node("Less", ["height", "limit"], ["is_small"]),
        helper.make_node("If", ["is_small"], ["out"], then_branch=small, else_branch=large),
    ]
    constants = [("two", np.array(2)), ("limit", np.array(10)), ("w", weights(4, 3, 3, 3))]
    path = write(tmp_path / "known.onnx", nodes, [("x", FLOAT, ("n", 3, "h", 8))], constants=constants)
    assert kinds(live(path, (3, 8, 8))) == {Kind.ELEMENTWISE: 1}
    assert kinds(live(path, (3, 12, 8))) == {Kind.CONV3X3: 1}
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
        helper.make_node("Greater", ["top", "limit"], ["condition"]),
        helper.make_node("If", ["condition"], ["out"], then_branch=small, else_branch=large, name="which"),
    ]
    constants = [("limit", np.array(1, np.float32)), ("w", weights(4, 3, 3, 3))]
    path = write(tmp_path / "open.onnx", nodes, [("x", FLOAT, ("n", 3, 8, 8))], constants=constants)
    graph = live(path)
    assert Kind.CONV3X3 in kinds(graph)
    assert graph.notes == ("If 'which' is decided while it runs: priced by the branch that does more",)


def test_branches_may_use_the_same_names(tmp_path):
    """And each holds a constant of its own."""

    def scaled(width):
        return helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "branch",
            [],
            [helper.make_tensor_value_info("y", FLOAT, None)],
            [numpy_helper.from_array(weights(8, width), "w")],
        )

    choices = [
        helper.make_node("If", [f"c{i}"], [f"y{i}"], then_branch=scaled(width), else_branch=scaled(3), name=str(i))
        for i, width in enumerate((5, 2))
    ]
    nodes = [*choices, helper.make_node("Concat", ["y0", "y1"], ["out"], axis=1)]
    inputs = [("x", FLOAT, (1, 8)), *((f"c{i}", TensorProto.BOOL, ()) for i in range(2))]
    graph = live(write(tmp_path / "net.onnx", nodes, inputs))
    assert sorted(op.weights for op in graph.ops if op.kind is Kind.DENSE) == [24, 40]
    assert graph.shapes[graph.outputs[0]] == (1, 8)


def loop(path, rounds, inputs=(), constants=()):
    """A product with weights, as often as said."""
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "w"], ["next"]),
            helper.make_node("Identity", ["going"], ["still"]),
            helper.make_node("Relu", ["next"], ["seen"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, ()),
            helper.make_tensor_value_info("going", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("state", FLOAT, (1, 8)),
        ],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in (("still", 9), ("next", 1), ("seen", 1))],
    )
    node = helper.make_node("Loop", [rounds, "", "x"], ["last", "out"], body=body, name="again")
    constants = [("w", weights(8, 8)), *constants]
    return write(path, [node], [("x", FLOAT, (1, 8)), *inputs], ("last", "out"), constants=constants)


def test_loops_are_priced_at_all_of_their_rounds(tmp_path):
    graph = live(loop(tmp_path / "net.onnx", "n", constants=[("n", np.array(7, np.int64))]))
    assert [(op.times, op.flops) for op in graph.ops if op.kind is Kind.DENSE] == [(7, 2 * 64)]
    assert [graph.shapes[value] for value in graph.outputs] == [(1, 8), (7, 1, 8)]
    assert graph.notes == ("Loop 'again' is priced at all of its 7 rounds",)
    assert lower(graph, "onnxruntime", 4).flops == 7 * 2 * 64
    open_ended = loop(tmp_path / "open.onnx", "n", [("n", TensorProto.INT64, ())])
    assert message(open_ended) == (
        "FILE: Loop 'again' runs as often as values decide, so that its latency is not fixed; "
        "export the model with a constant number of rounds"
    )


def test_scans_are_priced_for_every_slice(tmp_path):
    body = helper.make_graph(
        [helper.make_node("Add", ["sum", "slice"], ["next"]), helper.make_node("Identity", ["next"], ["seen"])],
        "body",
        [helper.make_tensor_value_info(name, FLOAT, (4,)) for name in ("sum", "slice")],
        [helper.make_tensor_value_info(name, FLOAT, (4,)) for name in ("next", "seen")],
    )
    node = helper.make_node("Scan", ["start", "x"], ["last", "out"], body=body, num_scan_inputs=1)
    inputs = [("start", FLOAT, (4,)), ("x", FLOAT, (9, 4))]
    graph = live(write(tmp_path / "net.onnx", [node], inputs, ("last", "out")))
    assert [op.times for op in graph.ops if op.type == "add"] == [9]
    assert [graph.shapes[value] for value in graph.outputs] == [(4,), (9, 4)]


def test_what_values_decide_is_priced_at_its_most_or_one_line(tmp_path):
    nodes = [helper.make_node("NonZero", ["x"], ["y"]), helper.make_node("Cast", ["y"], ["out"], to=FLOAT)]
    graph = live(write(tmp_path / "net.onnx", nodes, [("x", FLOAT, (1, 4))]))
    assert graph.shapes[graph.outputs[0]] == (2, 4)
    assert "priced at the most that it can give" in graph.notes[0]
    nodes = [helper.make_node("Range", ["a", "b", "c"], ["y"]), helper.make_node("Neg", ["y"], ["out"])]
    path = write(tmp_path / "range.onnx", nodes, [(name, FLOAT, ()) for name in "abc"])
    assert message(path) == "FILE: the shape of 'y' depends on values; export the model with constant sizes"


class Calibration(ort_quantization.CalibrationDataReader):
    def __init__(self):
        self.left = iter([{"input": np.ones((1, 3, 32, 32), np.float32)}] * 2)

    def get_next(self):
        return next(self.left, None)


@pytest.mark.parametrize("family", ["basic", "bottleneck", "inverted-relu6", "shuffle"])
@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_quantised_models_are_their_float_kinds(tmp_path, family, form):
    module = nets.FAMILIES[family]().eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter)  # equal tensors would be stored once, which the quantiser does not understand
    path = nets.to_onnx(module, tmp_path / "float.onnx", (3, 32, 32), 13)
    chosen = getattr(ort_quantization.QuantFormat, form)
    ort_quantization.quantize_static(path, tmp_path / "int8.onnx", Calibration(), quant_format=chosen)
    plain, quantised = live(path), live(tmp_path / "int8.onnx")
    macs = [Counter((op.kind, op.flops, op.weights) for op in g.ops if op.flops) for g in (plain, quantised)]
    assert macs[0] == macs[1]
    assert Kind.OTHER not in kinds(quantised)


def test_dynamic_quantisation(tmp_path):
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 5)).eval()
    path = nets.to_onnx(module, tmp_path / "float.onnx", (3, 8, 8), 13)
    ort_quantization.quantize_dynamic(path, tmp_path / "int8.onnx")
    plain, quantised = live(path), live(tmp_path / "int8.onnx")
    assert {"ConvInteger", "MatMulInteger"} <= {node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node}
    assert sorted(op.flops for op in plain.ops if op.flops) == sorted(op.flops for op in quantised.ops if op.flops)
    assert Kind.OTHER not in kinds(quantised)


def test_local_functions_are_looked_into(tmp_path):
    path = convolution(tmp_path / "net.onnx")
    model = onnx.load(path)
    body = [helper.make_node("Conv", ["a", "b"], ["c"]), helper.make_node("Relu", ["c"], ["d"])]
    function = helper.make_function("mine", "Block", ["a", "b"], ["d"], body, [helper.make_opsetid("", 17)])
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    model.graph.node[0].CopyFrom(helper.make_node("Block", ["x", "w"], ["out"], domain="mine"))
    onnx.save(model, path)
    assert kinds(live(path)) == {Kind.CONV3X3: 1, Kind.ELEMENTWISE: 1}


def test_einstein_sums_are_matrix_products(tmp_path):
    node = helper.make_node("Einsum", ["x", "w"], ["out"], equation="ntc,cd->ntd")
    (op,) = live(write(tmp_path / "n.onnx", [node], [("x", FLOAT, ("n", 5, 6))], constants=[("w", weights(6, 7))])).ops
    assert (op.kind, op.flops, op.weights) == (Kind.DENSE, 2 * 5 * 6 * 7, 42)


@pytest.mark.filterwarnings("ignore")
def test_reading_a_file_is_tracing_its_module_also_where_every_size_is_open(tmp_path):
    module = nets.TextClassifier().eval()
    path = tmp_path / "net.onnx"
    axes = {"tokens": {0: "batch", 1: "length"}}
    tokens = torch.zeros(2, 12, dtype=torch.int64)
    torch.onnx.export(module, (tokens,), str(path), dynamo=False, input_names=["tokens"], dynamic_axes=axes)
    for length in (7, 12):
        read, traced = (lower(g, "onnxruntime", 4) for g in (read_onnx(path, (length,)), trace(module, (length,))))
        assert Counter(read.kernels) == Counter(traced.kernels)


@pytest.mark.parametrize(
    ("attributes", "before", "results"),
    [
        ({"pads": [2, 0, 1, 1], "strides": [1, 3]}, (2, 0), (9, 3)),
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, (0, 1), (4, 5)),
        ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, (1, 1), (4, 5)),
        ({"auto_pad": "VALID", "dilations": [2, 3]}, (0, 0), (4, 3)),
    ],
)
def test_windows_are_read_from_attributes(tmp_path, attributes, before, results):
    node = helper.make_node("Conv", ["x", "w"], ["out"], **attributes)
    path = write(tmp_path / "net.onnx", [node], [("x", FLOAT, (1, 2, 8, 9))], constants=[("w", weights(4, 2, 3, 3))])
    (op,) = live(path).ops
    assert (op.window.before, op.result) == (before, (1, 4, *results))
    assert (op.window.taps, op.window.stride) == ((3, 3), tuple(attributes.get("strides", (1, 1))))
    assert op.flops == 2 * math.prod(results) * 4 * 2 * 9


@pytest.mark.parametrize("pixels", [(20,), (6, 7, 5)])
def test_convolutions_along_any_number_of_axes(tmp_path, pixels):
    """A view in front of one does not change what it reads."""
    axes = len(pixels)
    shape = np.array([1, 2, *pixels])
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"]), helper.make_node("Conv", ["y", "w"], ["out"])]
    constants = [("shape", shape), ("w", weights(4, 2, *(3,) * axes))]
    path = write(tmp_path / "net.onnx", nodes, [("x", FLOAT, (1, 2 * math.prod(pixels)))], constants=constants)
    flops = 2 * math.prod(size - 2 for size in pixels) * 4 * 2 * 3**axes
    network = lower(read_onnx(path, None), "onnxruntime", 4, 16)
    assert network.flops == flops
    assert sum(kernel.operations for kernel in network.kernels if kernel.flops) < 20 * flops + 1e5
