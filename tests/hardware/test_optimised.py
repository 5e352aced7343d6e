"""onnxruntime's own optimiser, and how close the table of its fusions comes."""

from __future__ import annotations

from collections import Counter

import nets
import onnx
import pytest
from onnx import TensorProto, helper
from torch import nn

from automl_kd.core import Input, UserError
from automl_kd.hardware import Kind
from automl_kd.hardware.kernels.graph import COMPUTE
from automl_kd.hardware.kernels.lower import lower
from automl_kd.hardware.kernels.optimised import optimised_graph, optimised_module_graph
from automl_kd.hardware.kernels.read_onnx import read_onnx

ALL = {name: (build, (3, 32, 32)) for name, build in nets.FAMILIES.items()} | nets.SEQUENCES
# What the table does not follow: sums that stay on their own below level "all", hard swishes that become two
# operators, group normalisations that become three, scores whose factors and transpositions join the products.
EXACT = [
    *("shuffle", "densenet", "squeezenet", "unet", "poolings", "lstm", "lstm-both-ways", "lstm-states"),
    *("lstm-without-bias", "gru", "gru-both-ways", "rnn", "bag"),
]


def written(name, folder):
    build, shape = ALL[name]
    module = build()
    for parameter in module.parameters():
        nn.init.normal_(parameter)  # a fresh bias of zeros would be folded away
    return nets.to_onnx(module, folder / "net.onnx", shape)


def of_operators(graph):
    """Kind, operations and weights of every operator."""
    paid = [op for op in graph.live().ops if op.type != "update"]
    return Counter((op.kind, op.flops, op.weights + op.vector if op.kind in COMPUTE else 0) for op in paid)


def of_table(path):
    kernels = lower(read_onnx(path, None), "onnxruntime", 1).kernels
    return Counter((k.kind, k.flops, k.weights if k.kind in COMPUTE else 0) for k in kernels)


@pytest.mark.parametrize("name", ALL)
def test_table_and_optimiser_agree_on_what_multiplies(name, tmp_path):
    path = written(name, tmp_path)
    graph = optimised_graph(path, None, "extended")
    found, expected = of_operators(graph), of_table(path)
    assert {key: n for key, n in found.items() if key[1]} == {key: n for key, n in expected.items() if key[1]}
    assert Kind.OTHER not in {op.kind for op in graph.ops}
    if name in EXACT:
        assert found == expected


def test_levels(tmp_path):
    path = written("inverted-relu6", tmp_path)
    basic, extended, everything = (optimised_graph(path, None, level).live() for level in ("basic", "extended", "all"))
    activations = [sum(op.type == "clip" for op in graph.ops) for graph in (basic, extended)]
    assert activations == [4, 0]
    assert len(extended.ops) < len(basic.ops)
    assert Kind.OTHER not in {op.kind for op in everything.ops}
    # The blocked layout may pad channels, and never leaves work out.
    assert sum(op.flops for op in everything.ops) >= sum(op.flops for op in extended.ops)
    assert extended.parameters == read_onnx(path, None).parameters


def test_fused_attention_and_normalisation(tmp_path):
    graph = optimised_graph(written("encoder", tmp_path), None).live()
    kinds = Counter(op.kind for op in graph.ops)
    assert kinds[Kind.ATTENTION] == 4
    assert kinds[Kind.NORMALISATION] == 4
    sums = [op for op in graph.ops if op.kind is Kind.NORMALISATION and len(op.inputs) == 2]
    assert len(sums) == 4  # each adds the shortcut that it normalises
    scores, weighted = [op.flops for op in graph.ops if op.kind is Kind.ATTENTION][:2]
    assert scores == weighted == 2 * 4 * 12 * 12 * 4


def test_a_module_is_exported_first():
    graph = optimised_module_graph(nets.basic(), Input.of_images((3, 32, 32)), 13).live()
    assert graph.shapes[graph.inputs[0]] == (1, 3, 32, 32)
    assert sum(op.kind in COMPUTE for op in graph.ops) == 7


def test_open_sizes(tmp_path):
    path = written("squeezenet", tmp_path)
    model = onnx.load(path)
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = "pixels"
    onnx.save(model, path)
    small, large = (sum(op.flops for op in optimised_graph(path, (3, size, size)).ops) for size in (32, 64))
    assert small < large
    with pytest.raises(UserError, match="axis 2 of input"):
        optimised_graph(path, None)


def test_operators_of_onnxruntime_are_known(tmp_path):
    """An attention layer in one operator, as its transformer tools write it."""
    tensors = [
        helper.make_tensor("w", TensorProto.FLOAT, [16, 48], [0.1] * 768),
        helper.make_tensor("b", TensorProto.FLOAT, [48], [0.1] * 48),
    ]
    nodes = [
        helper.make_node("Attention", ["x", "w", "b"], ["a"], domain="com.microsoft", num_heads=4),
        helper.make_node("BiasGelu", ["a", "g"], ["out"], domain="com.microsoft"),
    ]
    tensors.append(helper.make_tensor("g", TensorProto.FLOAT, [16], [0.1] * 16))
    x, out = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 12, 16]) for name in ("x", "out"))
    graph = helper.make_graph(nodes, "graph", [x], [out], tensors)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), tmp_path / "net.onnx")
    for read in (read_onnx(tmp_path / "net.onnx", None), optimised_graph(tmp_path / "net.onnx", None)):
        attention, gelu = read.live().ops
        assert (attention.kind, attention.weights, gelu.kind) == (Kind.ATTENTION, 768, Kind.ELEMENTWISE)
        assert attention.flops == 2 * 12 * 16 * 48 + 2 * (2 * 12 * 12 * 16)


def test_mistakes_are_one_line(tmp_path):
    path = written("basic", tmp_path)
    with pytest.raises(UserError, match="unknown optimisation level 'extendet'; did you mean extended"):
        optimised_graph(path, None, "extendet")
    model = onnx.load(path)
    model.graph.node[-1].domain = "my.operators"
    model.opset_import.append(helper.make_opsetid("my.operators", 1))
    onnx.save(model, path)
    with pytest.raises(UserError, match=r"onnxruntime cannot run .*net\.onnx: "):
        optimised_graph(path, None)
