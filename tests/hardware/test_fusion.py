"""What each runtime makes of a network: kernel counts by hand, and what every table must keep."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import nets
import pytest
import torch
from torch import nn
from torch.nn import functional

from automl_kd.core import UserError
from automl_kd.hardware import Kind
from automl_kd.hardware.kernels.fusion import fuse
from automl_kd.hardware.kernels.lower import lower
from automl_kd.hardware.kernels.rules import root_of, rules_of, runtimes
from automl_kd.hardware.kernels.trace import trace

RUNTIMES = runtimes()
QNN = ("qnn", "tflite-qnn", "tflite-qnn-integers", "onnxruntime-qnn", "onnxruntime-qnn-quantised")
TENSORRT = ("tensorrt", "tensorrt-before-volta")
OPTIMISING = (
    *(*TENSORRT, "onnxruntime", "tflite", "tflite-2020", "edgetpu", "tinyengine", "x-cube-ai"),
    *("ncnn", "ncnn-vulkan", *QNN),
)


def kernels(module, shape, runtime, element_bytes=4):
    return lower(trace(module, shape), runtime, element_bytes).kernels


def kinds(module, shape, runtime):
    return Counter(kernel.kind for kernel in kernels(module, shape, runtime))


def mobilenet_v2():
    """Sandler et al. 2018: 52 convolutions, 17 of them linear, 10 residual sums."""
    layers, inputs = [nets.unit(3, 32, stride=2, act=nn.ReLU6)], 32
    for expand, width, depth, first in (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    ):
        for index in range(depth):
            hidden, stride = inputs * expand, 1 if index else first
            parts = [nets.unit(inputs, hidden, 1, act=nn.ReLU6)] if expand > 1 else []
            parts += [nets.unit(hidden, hidden, 3, stride, hidden, nn.ReLU6), nets.unit(hidden, width, 1, act=None)]
            body = nn.Sequential(*parts)
            layers.append(nets.Residual(body, act=False) if stride == 1 and inputs == width else body)
            inputs = width
    return nn.Sequential(*layers, nets.unit(320, 1280, 1, act=nn.ReLU6), nets.head(1280))


@pytest.mark.parametrize(
    ("runtime", "resnet18", "mobilenet", "excite"),
    [
        # Convolutions, pools and the matrix product; sums join convolutions where an activation follows.
        *((runtime, 20 + 3, 52 + 10 + 2, 4) for runtime in TENSORRT),
        # Sums join convolutions wherever they are.
        ("onnxruntime", 20 + 3, 52 + 2, 4),
        # Sums are kernels of their own and take a ReLU with them; so is a hard sigmoid.
        ("tflite", 23 + 8, 54 + 10, 5),
        ("tflite-2020", 23 + 8, 54 + 10, 5),
        ("edgetpu", 23 + 8, 54 + 10, 5),
        ("tinyengine", 23 + 8, 54 + 10, 5),
        ("x-cube-ai", 23 + 8, 54 + 10, 5),
        # As under TensorFlow Lite, but activations of all kinds join convolutions.
        *((runtime, 23 + 8, 54 + 10, 4) for runtime in QNN),
        # Sums are kernels of their own, and so are the ReLUs behind them.
        ("ncnn", 23 + 8 + 8, 54 + 10, 5),
        ("ncnn-vulkan", 23 + 8 + 8, 54 + 10, 5),
        # Every normalisation and activation besides: 17 ReLUs in ResNet-18, 52 - 17 in MobileNetV2.
        ("eager", 20 + 20 + 17 + 8 + 3, 52 + 52 + 35 + 10 + 2, 6),
        ("tensorflow", 20 + 20 + 17 + 8 + 3, 52 + 52 + 35 + 10 + 2, 6),
    ],
)
def test_kernels_of_known_networks(runtime, resnet18, mobilenet, excite):
    with torch.device("meta"):
        assert len(kernels(nets.resnet((2, 2, 2, 2), False), (3, 224, 224), runtime)) == resnet18
        assert len(kernels(mobilenet_v2(), (3, 224, 224), runtime)) == mobilenet
        assert len(kernels(nets.Excite(16), (16, 8, 8), runtime)) == excite


def test_every_table_is_tried_above():
    assert set(RUNTIMES) == {*OPTIMISING, "tensorflow", "eager"}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("family", nets.FAMILIES)
def test_a_kernel_reads_only_what_earlier_ones_wrote_and_no_operator_is_lost(runtime, family):
    graph = trace(nets.FAMILIES[family](), (3, 32, 32)).live()
    groups = fuse(graph, rules_of(runtime))
    assert Counter(id(op) for group in groups for op in group.ops) == Counter(map(id, graph.ops))
    written = set(graph.inputs)
    for group in groups:
        assert written.issuperset(group.inputs)
        written.update(group.outputs)
    assert written.issuperset(graph.outputs)


class Dense(nn.Module):
    """One layer of a DenseNet (Huang et al. 2017)."""

    def __init__(self):
        super().__init__()
        self.layer = nets.unit(8, 4)

    def forward(self, x):
        return torch.cat([x, self.layer(x)], 1)


def test_concatenation_is_free_where_inputs_are_written_in_place():
    for runtime in TENSORRT:
        assert kinds(Dense(), (8, 8, 8), runtime) == {Kind.CONV3X3: 1}
    for runtime in set(OPTIMISING) - set(TENSORRT):
        assert kinds(Dense(), (8, 8, 8), runtime) == {Kind.CONV3X3: 1, Kind.COPY: 1}


@pytest.mark.parametrize(
    ("act", "apart"),
    [(nn.ReLU, 0), (nn.ReLU6, 0), (nn.LeakyReLU, 1), (nn.Hardswish, 1), (nn.SiLU, 1), (nn.Sigmoid, 1)],
)
def test_early_gpus_join_no_other_activations_to_convolutions_than_relus(act, apart):
    layers = nets.unit(4, 4, act=act)
    assert kinds(layers, (4, 8, 8), "tensorrt") == {Kind.CONV3X3: 1}
    found = kinds(layers, (4, 8, 8), "tensorrt-before-volta")
    assert (found[Kind.CONV3X3], found[Kind.ELEMENTWISE]) == (1, apart)


def test_variants_of_a_runtime_have_its_name_in_common():
    for runtime in ("tensorrt", "tensorrt-before-volta"):
        assert root_of(runtime) == "tensorrt"
    assert root_of("onnxruntime-qnn-quantised") == root_of("tflite-qnn") == "qnn"
    assert {root_of(runtime) for runtime in RUNTIMES} <= set(RUNTIMES)
    with pytest.raises(UserError, match="unknown runtime 'tensort'; did you mean tensorrt"):
        root_of("tensort")


@pytest.mark.parametrize(
    ("kernel", "stride", "kind"), [(3, 1, Kind.CONV3X3), (1, 1, Kind.POINTWISE), (3, 2, Kind.CONV), (5, 1, Kind.CONV)]
)
def test_ncnn_convolves_groups_one_after_another_on_processors(kernel, stride, kind):
    layer = nn.Sequential(nn.Conv2d(12, 24, kernel, stride, kernel // 2, groups=3), nn.ReLU())
    (apart,), (whole,) = (kernels(layer, (12, 16, 10), runtime) for runtime in ("ncnn", "ncnn-vulkan"))
    (one,) = kernels(nn.Sequential(nn.Conv2d(4, 8, kernel, stride, kernel // 2), nn.ReLU()), (4, 16, 10), "ncnn")
    assert (whole.kind, whole.times) == (Kind.GROUPED, 1)
    assert (apart.kind, apart.times) == (kind, 3)
    assert apart == replace(one, times=3)
    for amount in ("flops", "operations", "read", "written", "weights"):
        assert getattr(apart, amount) * 3 == getattr(whole, amount)


def test_ncnn_filters_all_channels_at_once():
    for runtime in ("ncnn", "ncnn-vulkan"):
        (found,) = kernels(nn.Conv2d(12, 12, 3, groups=12), (12, 16, 10), runtime)
        assert (found.kind, found.times) == (Kind.DEPTHWISE, 1)


class Twice(nn.Module):
    """A convolution that leads nowhere, and one activation computed twice."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.unread = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        self.unread(x)
        return self.a(functional.relu(x)) + self.b(functional.relu(x))


def test_only_eager_execution_computes_what_nobody_needs():
    for runtime in RUNTIMES:
        found = kinds(Twice(), (4, 8, 8), runtime)
        if runtime == "eager":
            assert found == {Kind.CONV3X3: 2, Kind.POINTWISE: 1, Kind.ELEMENTWISE: 3}
        else:
            assert found[Kind.CONV3X3] == 2
            assert found[Kind.POINTWISE] == 0
            assert found[Kind.ELEMENTWISE] == (1 if runtime == "onnxruntime" else 2)


class Zeroed(nn.Module):
    """An edge of a cell that is cut by a product with zero, as NAS-Bench-201 writes it, and one that is not."""

    def __init__(self):
        super().__init__()
        self.cut, self.kept = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return self.cut(x).mul(0.0) + self.kept(x)[:, :, 1:-1, 1:-1]


def test_what_is_multiplied_by_zero_is_folded_stored_or_executed():
    for runtime in RUNTIMES:
        found = kinds(Zeroed(), (4, 8, 8), runtime)
        # The convolution before the product; and the product and the sum behind it, if it does not fold into weights.
        product = runtime in ("eager", "tensorflow")
        expected = {"fold": (0, 0), "store": (0, 1), "keep": (1, 1 + product)}[rules_of(runtime).zeros]
        assert (found[Kind.CONV3X3], found[Kind.ELEMENTWISE]) == expected, runtime


def test_the_scale_of_attention_joins_its_product():
    class Scores(nn.Module):
        def forward(self, x):
            return x @ x.transpose(1, 2) / 8

    for runtime in RUNTIMES:
        found = kinds(Scores(), (16, 32), runtime)
        assert found[Kind.ATTENTION] == 1
        assert found[Kind.ELEMENTWISE] == (runtime not in (*TENSORRT, "onnxruntime", *QNN))


def test_an_embedding_reads_rows_and_stores_the_table():
    network = lower(trace(nn.Embedding(1000, 16), (5,)), "tensorrt", 2)
    assert network.weights == 2 * 1000 * 16
    assert [kernel.weights for kernel in network.kernels] == [2 * 5 * 16]


def test_the_edge_tpu_runs_up_to_the_first_operator_it_lacks():
    def on_host(act):
        return [kernel.on_host for kernel in kernels(nets.inverted(act), (3, 32, 32), "edgetpu", 1)]

    assert not any(on_host(nn.ReLU6))
    # The stem's convolution stays; its hard swish and all behind it do not, supported or not.
    assert on_host(nn.Hardswish) == [False] + [True] * (len(on_host(nn.Hardswish)) - 1)
    for runtime in set(RUNTIMES) - {"edgetpu"}:
        assert not any(kernel.on_host for kernel in kernels(nets.inverted(), (3, 32, 32), runtime))


class Scaled(nn.Module):
    def __init__(self, layer, constant):
        super().__init__()
        self.layer = layer
        self.register_buffer("constant", constant)

    def forward(self, x):
        return self.layer(x) * self.constant


@pytest.mark.parametrize("runtime", OPTIMISING)
def test_a_factor_folds_into_the_weights_where_it_is_one_number_a_channel(runtime):
    conv = nn.Conv2d(3, 8, 1, bias=False)
    (kernel,) = kernels(Scaled(conv, torch.rand(8, 1, 1)), (3, 6, 6), runtime)
    assert (kernel.kind, kernel.weights) == (Kind.POINTWISE, 4 * (3 * 8 + 8))
    assert len(kernels(Scaled(conv, torch.rand(8, 6, 6)), (3, 6, 6), runtime)) == 2
    linear = nn.Sequential(nn.Flatten(), nn.Linear(108, 8, bias=False))
    assert len(kernels(Scaled(linear, torch.rand(8)), (3, 6, 6), runtime)) == 1


def test_padding_joins_a_convolution_behind_it():
    module = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 8, 3, 2), nn.ReLU())
    for runtime in ("tensorrt", "onnxruntime", "tflite"):
        (kernel,) = kernels(module, (3, 8, 8), runtime)
        assert (kernel.kind, kernel.inputs, kernel.output) == (Kind.CONV, ((1, 3, 8, 8),), (1, 8, 4, 4))
    assert kinds(module, (3, 8, 8), "ncnn") == {Kind.COPY: 1, Kind.CONV: 1}


def test_ncnn_keeps_the_weights_of_matrix_products_in_two_bytes():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(27, 8, bias=False))

    def width(runtime, element_bytes):
        (kernel,) = kernels(linear, (3, 3, 3), runtime, element_bytes)
        return kernel.weights / (27 * 8)

    assert [width("ncnn", size) for size in (4, 2, 1)] == [2, 2, 1]
    assert [width("ncnn-vulkan", size) for size in (4, 2, 1)] == [4, 2, 1]


def test_a_runtime_without_a_table_is_one_line():
    with pytest.raises(UserError, match="unknown runtime 'tensort'; did you mean tensorrt"):
        rules_of("tensort")
