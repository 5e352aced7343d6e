"""The layout in blocks of channels, against onnxruntime's own optimiser and against what its loops must cost."""

from __future__ import annotations

from collections import Counter

import nets
import onnx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from automl_kd.hardware import Kind, load_profile
from automl_kd.hardware.kernels.graph import Window
from automl_kd.hardware.kernels.inner_loops import as_operations, blocked_convolution, product
from automl_kd.hardware.kernels.lower import lower
from automl_kd.hardware.kernels.optimised import optimised_file
from automl_kd.hardware.kernels.read_onnx import read_onnx
from automl_kd.hardware.kernels.trace import trace
from automl_kd.hardware.processor import core_cache_mb, vector_lanes

LANES = vector_lanes()
# A mean over pixels is taken in blocks or not depending on the operator it was exported as, which the table does not
# tell apart; an upsampling that is one operator here is several there.
APART = {"inverted-relu6": 1, "inverted-hardswish": 1, "inverted-silu": 1, "inverted-gelu": 1, "shuffle": 2, "unet": 1}


def kernels(module, shape, lanes):
    return lower(trace(module, shape), "onnxruntime", 4, lanes).kernels


def operations(module, shape, lanes=16):
    """Of the one convolution of a module."""
    return next(kernel.operations for kernel in kernels(module, shape, lanes) if kernel.flops)


@pytest.mark.skipif(LANES is None, reason="onnxruntime lays nothing out in blocks on this processor")
@pytest.mark.parametrize("name", nets.FAMILIES)
def test_layout_and_optimiser_agree_on_what_is_reordered(name, tmp_path):
    module = nets.FAMILIES[name]()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    path = nets.to_onnx(module, tmp_path / "net.onnx", (3, 32, 32))
    nodes = onnx.load(optimised_file(path, {}, "all", tmp_path)).graph.node
    found = Counter(node.op_type for node in nodes)
    blocked = sum(node.op_type == "Conv" and node.domain == "com.microsoft.nchwc" for node in nodes)
    expected = found["ReorderInput"] + found["ReorderOutput"] + found["Conv"] + found["FusedConv"] - blocked
    graph = read_onnx(path, None)
    # A reordering is a kernel more, and so are the windows that a convolution outside the blocks writes out.
    added = len(lower(graph, "onnxruntime", 4, LANES).kernels) - len(lower(graph, "onnxruntime", 4).kernels)
    assert abs(added - expected) <= APART.get(name, 0)


def test_without_a_vector_unit_nothing_is_laid_out():
    module = nn.Sequential(nn.Conv2d(3, 18, 3), nn.ReLU(), nn.Conv2d(18, 18, 3))
    plain, blocked = (kernels(module, (3, 16, 16), lanes) for lanes in (None, 16))
    assert [kernel.kind for kernel in plain] == [Kind.CONV3X3, Kind.CONV3X3]
    assert [kernel.operations for kernel in plain] == [kernel.flops for kernel in plain]
    # 18 channels are no multiple of 4: reordered, written out as windows, multiplied.
    assert [kernel.kind for kernel in blocked] == [Kind.CONV3X3, Kind.COPY, Kind.COPY, Kind.CONV3X3]
    assert [kernel.flops for kernel in blocked if kernel.flops] == [kernel.flops for kernel in plain]
    reordered, windows = blocked[1:3]
    assert reordered.read + reordered.written == 4 * 14 * 14 * (32 + 18)
    assert windows.read == windows.written == 4 * 2 * 12 * 12 * 18 * 9  # written out, then packed


def test_channels_are_padded_to_blocks():
    seventeen, whole = (kernels(nn.Conv2d(16, width, 3), (16, 12, 12), 16)[0] for width in (20, 32))
    assert (seventeen.operations, seventeen.written) == (whole.operations, whole.written)
    assert seventeen.flops < whole.flops
    narrow = kernels(nn.Conv2d(16, 20, 3), (16, 12, 12), 8)[0]
    assert narrow.written == whole.written * 24 // 32


def test_a_full_tile_executes_its_operations():
    """Sixty-four channels wide and twelve positions without a border: nothing is wasted."""
    for lanes in (8, 16):
        macs = 4 * lanes * 12 * 32
        assert (
            as_operations(blocked_convolution((1, 12), (1, 12), Window.of((1, 1)), 32, 4, 0, lanes), lanes) == 2 * macs
        )


def test_depthwise_convolutions_outside_the_blocks_cost_a_call_a_channel():
    """Channels that are no multiple of four send onnxruntime through one matrix product a channel."""
    wide, odd = (operations(nn.Conv2d(width, width, 3, padding=1, groups=width), (width, 8, 8)) for width in (164, 162))
    assert odd > 10 * wide


sizes = st.integers(1, 40)


@given(data=st.data(), pixels=sizes, depth=sizes, blocks=st.integers(1, 9))
def test_convolutions_execute_the_taps_that_lie_inside(data, pixels, depth, blocks):
    """Never less than a full tile would take for them, whatever the padding, the stride and the dilation."""
    taps, stride, dilation = (data.draw(st.integers(1, limit)) for limit in (5, 3, 3))
    before, behind = (data.draw(st.integers(0, taps * dilation)) for _ in range(2))
    results = (pixels + before + behind - dilation * (taps - 1) - 1) // stride + 1
    assume(results > 0)
    places = [place * stride + tap * dilation - before for place in range(results) for tap in range(taps)]
    inside = sum(0 <= place < pixels for place in places)
    window = Window.of((taps, taps), (stride,), (dilation,), (before,))
    found = blocked_convolution((pixels, pixels), (results, results), window, depth, blocks, 0, 16)
    assert as_operations(found, 16) >= 2 * 16 * blocks * depth * inside**2 * 0.999
    outside = blocked_convolution((pixels, pixels), (results, results), window, depth, blocks, 1, 16)
    assert outside > found


@given(rows=sizes, columns=sizes, depth=sizes)
def test_products_grow_with_every_side(rows, columns, depth):
    one = product(rows, columns, depth, 16)
    assert one <= min(product(rows + 1, columns, depth, 16), product(rows, columns + 1, depth, 16))
    assert one < product(rows, columns, depth + 1, 16)


def test_this_machine_knows_its_vector_unit():
    facts = load_profile("local").target.facts
    assert (None if facts.vector is None else facts.vector.lanes) == LANES
    if facts.vector is not None and (cache := core_cache_mb()) is not None:
        assert facts.vector.cache_mb == cache
        assert 0.1 < cache < 100
