"""What a microcontroller has to hold at once, where its runtime writes results over their operands."""

from __future__ import annotations

import math

import nets
import pytest
from torch import nn

from automl_kd.hardware.kernels.lower import lower
from automl_kd.hardware.kernels.trace import trace


def peak(module, shape, runtime):
    return lower(trace(module.eval(), shape), runtime, 1).peak


def depthwise(channels, stride=1, multiplier=1):
    return nn.Conv2d(channels, channels * multiplier, 3, stride, 1, groups=channels)


class TestDepthwiseInPlace:
    """TinyEngine keeps one channel aside (Lin et al. 2020, section 3.2)."""

    def test_the_result_takes_a_channel_and_no_more(self):
        module = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), depthwise(8), nn.Conv2d(8, 1, 1))
        assert peak(module, (1, 10, 10), "tinyengine") == 100 * (8 + 1)
        assert peak(module, (1, 10, 10), "tflite") == 100 * (8 + 8)

    def test_so_it_does_with_a_stride(self):
        module = nn.Sequential(depthwise(8, stride=2), nn.Conv2d(8, 1, 1))
        assert peak(module, (8, 10, 10), "tinyengine") == 100 * (8 + 1)
        assert peak(module, (8, 10, 10), "tflite") == 100 * 8 + 25 * 8

    def test_not_where_a_shortcut_reads_the_operand_later(self):
        module = nets.Residual(depthwise(8), act=False)
        assert peak(module, (8, 10, 10), "tinyengine") == peak(module, (8, 10, 10), "tflite") == 100 * 24

    def test_not_where_the_result_is_larger(self):
        module = nn.Sequential(depthwise(8, multiplier=2))
        assert peak(module, (8, 10, 10), "tinyengine") == 100 * (8 + 16)


class TestPointwiseOverItsOperand:
    """X-CUBE-AI, by the memory that it is published to take."""

    @pytest.mark.parametrize(("inputs", "outputs"), [(4, 16), (16, 4)])
    def test_the_larger_of_both_is_what_it_takes(self, inputs, outputs):
        module = nn.Conv2d(inputs, outputs, 1)
        assert peak(module, (inputs, 10, 10), "x-cube-ai") == 100 * 16
        assert peak(module, (inputs, 10, 10), "tflite") == 100 * 20

    @pytest.mark.parametrize("module", [nn.Conv2d(8, 8, 1, padding=1), nn.Conv2d(8, 8, 1, 2), nn.Conv2d(8, 8, 3)])
    def test_not_where_a_pixel_is_read_at_another_place(self, module):
        assert peak(module, (8, 10, 10), "x-cube-ai") == peak(module, (8, 10, 10), "tflite")

    def test_not_where_a_shortcut_reads_the_operand_later(self):
        module = nets.Residual(nn.Sequential(nn.Conv2d(8, 8, 1)), act=False)
        assert peak(module, (8, 10, 10), "x-cube-ai") == 100 * 24


@pytest.mark.parametrize("runtime", ["tinyengine", "x-cube-ai"])
@pytest.mark.parametrize("family", nets.FAMILIES)
def test_no_kernel_has_less_than_its_largest_value(runtime, family):
    graph = trace(nets.FAMILIES[family]().eval(), (3, 32, 32))
    overwriting, apart = (lower(graph, name, 1) for name in (runtime, "tflite"))
    largest = max(math.prod(shape) for kernel in apart.kernels for shape in (*kernel.inputs, kernel.output))
    assert largest <= overwriting.peak <= apart.peak
