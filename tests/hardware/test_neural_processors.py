"""What an accelerator keeps beside its arithmetic, what it converts, and what it leaves to its host."""

from __future__ import annotations

import nets
import pytest
import torch
from torch import nn

from automl_kd.hardware import Kind, load_profile
from automl_kd.hardware.kernels.lower import lower
from automl_kd.hardware.kernels.trace import trace
from automl_kd.hardware.target import features_of, kernels_of

CONV = nn.Conv2d(32, 64, 3, padding=1, bias=False)
TOKENS = nn.Sequential(nn.Linear(32, 64), nn.Sigmoid(), nn.Linear(64, 32))


def target(name):
    return load_profile(name).target


def moved(module, shape, name):
    """Bytes of every kernel as the target prices them."""
    way = target(name)
    return features_of(way, kernels_of(way, trace(module, shape))).bytes


@pytest.mark.parametrize(("name", "activation", "weight"), [("qnn", 2, 2), ("qnn-int8", 1, 1), ("qnn-w8a16", 2, 1)])
def test_weights_and_activations_have_widths_of_their_own(name, activation, weight):
    network = kernels_of(target(f"snapdragon-8-elite:{name}"), trace(CONV, (32, 10, 10)))
    (kernel,) = network.kernels
    assert (kernel.read, kernel.written) == (activation * 32 * 100, activation * 64 * 100)
    assert kernel.weights == network.weights == weight * 32 * 64 * 9
    assert network.peak == activation * (32 + 64) * 100


def test_memory_is_weights_and_activations_each_in_its_width():
    halves, mixed = (load_profile(f"snapdragon-8-elite:{name}") for name in ("qnn", "qnn-w8a16"))
    weights, activations = 32 * 64 * 9, (32 + 64) * 100
    assert halves.predict(CONV, (32, 10, 10)).memory_bytes == 2 * weights + 2 * activations
    assert mixed.predict(CONV, (32, 10, 10)).memory_bytes == weights + 2 * activations


def test_activations_count_by_how_much_faster_the_scratchpad_is():
    facts = target("snapdragon-8-elite:qnn").facts
    share = facts.bandwidth_gb_s.value / facts.scratchpad.gb_s
    (bytes_,) = moved(CONV, (32, 10, 10), "snapdragon-8-elite:qnn")
    assert bytes_ == pytest.approx(2 * 32 * 64 * 9 + share * 2 * 96 * 100, abs=2)


def test_what_a_scratchpad_does_not_hold_goes_through_the_memory():
    facts = target("snapdragon-8-elite:qnn").facts
    share, size = facts.bandwidth_gb_s.value / facts.scratchpad.gb_s, 1e6 * facts.scratchpad.mb
    activations = 2 * 96 * 500 * 500
    (bytes_,) = moved(CONV, (32, 500, 500), "snapdragon-8-elite:qnn")
    assert bytes_ == pytest.approx(2 * 32 * 64 * 9 + share * size + activations - size, rel=1e-6)


class Grown(nn.Module):
    """A concatenation whose first operand a convolution reads too, as in a DenseNet."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x):
        return torch.cat([x, self.layer(x)], 1)


class Joined(nn.Module):
    """A concatenation of what nothing else reads, as in an Inception block."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(8, 4, 1)

    def forward(self, x):
        return torch.cat([self.one(x), self.other(x)], 1)


def test_integers_are_converted_to_one_scale_where_another_reads_them_in_theirs():
    def elementwise(module, *widths):
        kernels = lower(trace(module, (8, 6, 6)), "qnn", *widths).kernels
        return [kernel.written for kernel in kernels if kernel.kind is Kind.ELEMENTWISE]

    assert elementwise(Grown(), 2) == []
    assert elementwise(Grown(), 1) == [12 * 36]
    assert elementwise(Grown(), 2, None, 1) == [2 * 12 * 36]
    assert elementwise(Joined(), 1) == []


def test_every_step_of_a_recurrent_layer_is_a_kernel():
    module = nn.LSTM(16, 32, batch_first=True)
    graph = trace(module, (10, 16))
    whole, unrolled = (lower(graph, runtime, 2) for runtime in ("tflite", "qnn"))

    def steps(network):
        (kernel,) = [kernel for kernel in network.kernels if kernel.kind is Kind.RECURRENT]
        return kernel

    assert (steps(whole).times, steps(unrolled).times) == (1, 10)
    assert steps(unrolled).flops == 2 * 4 * 32 * (16 + 32)
    assert (unrolled.flops, unrolled.weights) == (whole.flops, whole.weights)


def test_products_of_several_rows_fall_back_to_the_host_under_a_quantised_onnxruntime():
    integers, floats = (target(f"snapdragon-8-elite:onnxruntime-npu{end}") for end in ("-int8", ""))
    network = kernels_of(integers, trace(TOKENS, (5, 32)))
    assert [kernel.on_host for kernel in network.kernels] == [True, True]
    assert network.notes == ("2 of 2 kernels run beside the accelerator, on the host: dense",)
    slower = integers.facts.host_slowdown.value
    assert features_of(integers, network).operations.tolist() == [slower * 2 * 5 * 32 * 64] * 2
    assert kernels_of(floats, trace(TOKENS, (5, 32))).notes == ()
    # A classifier's product has one row, and convolutions stay.
    assert not any(
        kernel.on_host for kernel in kernels_of(integers, trace(nets.resnet((1, 1, 1, 1), False), (3, 32, 32))).kernels
    )


def test_normalisations_that_stay_fall_back_where_a_neural_processor_has_no_floats():
    folded = nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU())
    alone = nn.Sequential(nn.MaxPool2d(2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1))
    integers, floats = (target(f"{name}:tflite-npu-int8") for name in ("rb3-gen-2", "snapdragon-8-elite"))

    def on_host(way, module):
        return [kernel.on_host for kernel in kernels_of(way, trace(module, (8, 6, 6))).kernels]

    assert on_host(integers, folded) == [False]
    assert on_host(integers, alone) == [False, True, False]
    assert on_host(floats, alone) == [False, False, False]


def test_a_price_says_what_falls_back():
    said = load_profile("snapdragon-8-elite:onnxruntime-npu-w8a16").predict(TOKENS, (5, 32))
    assert any("on the host: dense" in note for note in said.notes)
    slow, fast = (load_profile(f"snapdragon-8-elite:{target}") for target in ("onnxruntime-npu-w8a16", "qnn-w8a16"))
    assert slow.predict(TOKENS, (2000, 32)).ms > 2 * fast.predict(TOKENS, (2000, 32)).ms
