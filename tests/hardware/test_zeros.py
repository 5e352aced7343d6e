"""What follows from a multiplication by zero."""

from __future__ import annotations

from collections import Counter

import nets
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from automl_kd.hardware import Kind
from automl_kd.hardware.kernels.lower import lower
from automl_kd.hardware.kernels.read_onnx import read_onnx
from automl_kd.hardware.kernels.trace import trace

SHAPE = (3, 8, 8)
MACS = {"nor_conv_1x1": 8 * 8 * 64, "nor_conv_3x3": 9 * 8 * 8 * 64}


def kernels(graph):
    """Kinds and operations of what a runtime executes that folds zeros."""
    return Counter((kernel.kind, kernel.flops) for kernel in lower(graph, "tensorrt", 4).kernels)


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.sampled_from(nets.EDGES)] * 6), st.sampled_from(["mul", "zeros"]))
def test_a_cell_with_zero_edges_is_the_cell_without_them(edges, none):
    found = kernels(trace(nets.searched(edges, none), SHAPE))
    assert found == kernels(trace(nets.searched(edges, "pruned"), SHAPE))


CELLS = {
    # Nothing leads to the second node, and its skip leads to nothing.
    ("nor_conv_3x3", "none", "none", "none", "nor_conv_1x1", "skip_connect"): ["nor_conv_3x3", "nor_conv_1x1"],
    ("none", "none", "none", "nor_conv_3x3", "none", "none"): ["nor_conv_3x3"],
    # What a convolution with normalisation makes of zero is a constant.
    ("none", "none", "nor_conv_3x3", "nor_conv_1x1", "nor_conv_3x3", "nor_conv_3x3"): ["nor_conv_1x1"],
    ("nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3", "none", "none", "none"): None,
}


@pytest.mark.parametrize("none", ["mul", "zeros"])
@pytest.mark.parametrize("edges", CELLS)
def test_operations_of_cells_in_closed_form(edges, none, tmp_path):
    module = nets.searched(edges, none)
    convolutions = CELLS[edges]
    # Stem and classifier around the cell; a cell without a way through makes the whole network constant.
    expected = 0 if convolutions is None else 2 * (sum(MACS[name] for name in convolutions) + 3 * 8 * 9 * 64 + 80)
    read = read_onnx(nets.to_onnx(module, tmp_path / "net.onnx", SHAPE), None)
    for graph in (trace(module, SHAPE), read):
        assert lower(graph, "tensorrt", 4).flops == expected


@pytest.mark.parametrize("none", ["mul", "zeros"])
def test_zeros_in_a_file_are_zeros_in_the_module(none, tmp_path):
    for index, edges in enumerate(CELLS):
        module = nets.searched(edges, none)
        read = read_onnx(nets.to_onnx(module, tmp_path / f"{index}.onnx", SHAPE), None)
        assert kernels(read) == kernels(trace(module, SHAPE))


def test_runtimes_that_keep_zeros_execute_them():
    edges = ("none", "none", "none", "nor_conv_3x3", "none", "none")
    graph = trace(nets.searched(edges, "mul"), SHAPE)
    products = [op for op in graph.ops if op.type == "mul"]
    assert len(products) == 5
    assert not [op for op in graph.without_zeros().ops if op.type in ("mul", "add")]


class Sum(nn.Module):
    def __init__(self, other):
        super().__init__()
        self.conv, self.other = nn.Conv2d(4, 4, 1), other

    def forward(self, x):
        return self.conv(x) + self.other(x)


@pytest.mark.parametrize(
    ("other", "kinds"),
    [
        (lambda x: 0 * x, [Kind.POINTWISE]),
        (lambda x: torch.tanh(x[:, :1].mul(0.0)).relu().expand_as(x), [Kind.POINTWISE]),
        (lambda x: nn.functional.max_pool2d(x.new_zeros(x.shape), 3, 1, 1), [Kind.POINTWISE]),
        (lambda x: torch.zeros(1, 4, 8, 8), [Kind.POINTWISE]),
        # A sigmoid makes a half of zero: a constant is left to add.
        (lambda x: torch.sigmoid(x * 0), [Kind.POINTWISE]),
        (lambda x: x * 0.5, [Kind.ELEMENTWISE, Kind.POINTWISE]),
        (lambda x: x + 0, [Kind.ELEMENTWISE, Kind.POINTWISE]),
        (lambda x: x * 1, [Kind.ELEMENTWISE, Kind.POINTWISE]),
    ],
)
def test_what_zero_passes_through(other, kinds):
    network = lower(trace(Sum(other), (4, 8, 8)), "tensorrt", 4)
    assert sorted(kernel.kind for kernel in network.kernels) == kinds


def test_buffers_of_zeros_are_zero_and_fresh_parameters_are_not():
    class Scaled(nn.Module):
        def __init__(self, name):
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 1)
            self.register_buffer("mask", torch.zeros(1, 4, 1, 1))
            self.gain = nn.Parameter(torch.zeros(1, 4, 1, 1))
            self.name = name

        def forward(self, x):
            return x + self.conv(x) * getattr(self, self.name)

    flops = [lower(trace(Scaled(name), (4, 8, 8)), "tensorrt", 4).flops for name in ("mask", "gain")]
    assert flops == [0, 2 * 16 * 64]
