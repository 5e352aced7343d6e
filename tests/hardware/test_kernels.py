"""From modules and ONNX files to the same kernels."""

from __future__ import annotations

from collections import Counter

import nets
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn
from torch.nn import functional

from automl_kd.core import Input, UserError
from automl_kd.hardware import Kind, load_profile
from automl_kd.hardware.kernels.lower import lower
from automl_kd.hardware.kernels.read_onnx import read_onnx
from automl_kd.hardware.kernels.trace import trace
from automl_kd.onnxio import export


@pytest.fixture(scope="module")
def jetson():
    return load_profile("jetson-nano")


@pytest.fixture(scope="module")
def raspberry():
    return load_profile("raspberry-pi-4")


def test_resnet18_has_the_published_operations_and_one_kernel_per_convolution(jetson):
    with torch.device("meta"):
        module = nets.resnet((2, 2, 2, 2), False)
    network = jetson.network(module, (3, 224, 224))
    assert network.flops == 2 * 1_814_073_344
    assert network.parameters == 11_689_512
    kinds = Counter(kernel.kind for kernel in network.kernels)
    # 20 convolutions: 13 of 3x3 and stride 1, 3 shortcuts of 1x1, 3 strided and the stem; sums and activations fused.
    expected = {Kind.CONV3X3: 13, Kind.POINTWISE: 3, Kind.CONV: 4, Kind.POOLING: 2, Kind.DENSE: 1}
    assert kinds == expected


def test_one_convolution_in_closed_form(jetson):
    kernel = jetson.network(nets.unit(8, 16), (8, 12, 10)).kernels[0]
    assert kernel.flops == 2 * 16 * 12 * 10 * 8 * 9
    assert (kernel.read, kernel.written) == (2 * 8 * 120, 2 * 16 * 120)
    assert kernel.weights == 2 * (16 * 8 * 9 + 16)  # the folded normalisation leaves a bias
    assert (kernel.inputs, kernel.output) == (((1, 8, 12, 10),), (1, 16, 12, 10))


@pytest.mark.parametrize(
    ("layer", "kind", "macs"),
    [
        (nn.Conv2d(8, 16, 1), Kind.POINTWISE, 8 * 16 * 64),
        (nn.Conv2d(8, 8, 3, padding=1, groups=8), Kind.DEPTHWISE, 8 * 9 * 64),
        (nn.Conv2d(8, 16, 3, padding=1, groups=4), Kind.GROUPED, 16 * 2 * 9 * 64),
        (nn.Conv2d(8, 16, 3, 2, 1), Kind.CONV, 16 * 8 * 9 * 16),
        (nn.ConvTranspose2d(8, 4, 2, 2), Kind.TRANSPOSED, 8 * 64 * 4 * 4),
        (nn.Sequential(nn.Flatten(), nn.Linear(512, 7)), Kind.DENSE, 512 * 7),
        (nn.Softmax(1), Kind.SOFTMAX, 0),
        (nn.MaxPool2d(2), Kind.POOLING, 0),
        (nn.GroupNorm(2, 8), Kind.NORMALISATION, 0),
        (nn.PixelShuffle(2), Kind.COPY, 0),
        (nn.Tanh(), Kind.ELEMENTWISE, 0),
    ],
)
def test_every_kind_with_its_operations(jetson, layer, kind, macs):
    (kernel,) = jetson.network(layer, (8, 8, 8)).kernels
    assert (kernel.kind, kernel.flops) == (kind, 2 * macs)


ALL = {name: (build, (3, 32, 32)) for name, build in nets.FAMILIES.items()} | nets.SEQUENCES
# Exporters write scaled dot products from opset 14 on.
OLD = [name for name in ALL if name in nets.FAMILIES or name[:3] in ("lst", "gru", "rnn")]


# Exporters fold normalisations, which not every runtime does.
FUSING = ("tensorrt", "ncnn", "onnxruntime", "tflite")


def assert_same(graph, other, runtimes=FUSING):
    for runtime in runtimes:
        traced, read = lower(graph, runtime, 4), lower(other, runtime, 4)
        assert Counter(traced.kernels) == Counter(read.kernels)
        assert (traced.peak, traced.weights, traced.output) == (read.peak, read.weights, read.output)
        assert traced.unknown == read.unknown == ()


@pytest.mark.parametrize("family", ALL)
def test_module_and_its_onnx_file_are_the_same_kernels(family, tmp_path):
    build, shape = ALL[family]
    module = build()
    assert_same(trace(module, shape), read_onnx(nets.to_onnx(module, tmp_path / "net.onnx", shape), None))


@pytest.mark.parametrize(("family", "opset"), [*((name, 11) for name in OLD), *((name, 21) for name in ALL)])
def test_oldest_and_newest_opset_spell_the_same_kernels(family, opset, tmp_path):
    build, shape = ALL[family]
    module = build()
    traced, read = trace(module, shape), read_onnx(nets.to_onnx(module, tmp_path / "net.onnx", shape, opset), None)
    written_out = "hardswish" in family and opset < 14
    assert_same(traced, read, [name for name in FUSING if not (written_out and name == "onnxruntime")])
    if written_out:  # which onnxruntime executes as it is written
        operators, parts = (len(lower(graph, "onnxruntime", 4).kernels) for graph in (traced, read))
        assert parts > operators


@pytest.mark.parametrize("device", ["jetson-nano", "raspberry-pi-4", "local"])
def test_profiles_read_what_the_project_exports(device, tmp_path):
    profile = load_profile(device)
    module = nets.inverted()
    path = export(module, tmp_path / "net.onnx", Input.of_images((3, 32, 32)), profile.opset)
    assert Counter(profile.network(module, (3, 32, 32)).kernels) == Counter(profile.network(path).kernels)


def test_reshapes_computed_in_the_graph_are_followed(jetson, tmp_path):
    class Dynamic(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin = nn.Linear(4 * 6 * 6, 5)

        def forward(self, x):
            x = functional.max_pool2d(x, 2)
            return self.lin(x.reshape(x.size(0), x.size(1) * x.size(2) * x.size(3)))

    module = Dynamic()
    path = export(module, tmp_path / "net.onnx", Input.of_images((4, 12, 12)), 13)
    assert Counter(jetson.network(path).kernels) == Counter(jetson.network(module, (4, 12, 12)).kernels)


def test_runtimes_fuse_differently(jetson, raspberry):
    module = nets.basic()
    sums = [
        sum(kernel.kind is Kind.ELEMENTWISE for kernel in profile.network(module, (3, 32, 32)).kernels)
        for profile in (jetson, raspberry)
    ]
    assert sums == [0, 4]  # TensorRT fuses both sums with their activations, ncnn neither


def test_tracing_leaves_the_module_alone(jetson):
    module = nets.inverted()
    module.train()
    module[1].eval()
    flags = [part.training for part in module.modules()]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    seen = []
    module[0].register_forward_hook(lambda *_: seen.append(1))
    state = torch.random.get_rng_state()
    jetson.predict(module, (3, 32, 32))
    assert [part.training for part in module.modules()] == flags
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert {value.device.type for value in module.state_dict().values()} == {"cpu"}
    assert torch.equal(torch.random.get_rng_state(), state)
    assert seen == []
    assert torch.isfinite(module.eval()(torch.zeros(1, 3, 32, 32))).all()


class DeadBranch(nn.Module):
    def __init__(self, used):
        super().__init__()
        self.kept, self.other, self.used = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 400, 3), used

    def forward(self, x):
        other = self.other(x).mean()
        kept = self.kept(x)
        return kept + other if self.used else kept


def test_dead_branch_costs_nothing(jetson):
    dead, live = (jetson.network(DeadBranch(used), (3, 16, 16)) for used in (False, True))
    assert dead.flops == 2 * 4 * 14 * 14 * 27
    assert live.flops == dead.flops * 101
    assert len(dead.kernels) == 1


def test_branch_multiplied_by_a_constant_is_folded(jetson):
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("grid", torch.zeros(4, 16, 16))
            self.conv = nn.Conv2d(4, 4, 1)

        def forward(self, x):
            return self.conv(x + torch.sigmoid(self.grid).flip(0))

    kinds = [kernel.kind for kernel in jetson.network(Constant(), (4, 16, 16)).kernels]
    assert kinds == [Kind.ELEMENTWISE, Kind.POINTWISE]


def test_write_in_place_stays_on_the_path(jetson):
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 2, 1)

        def forward(self, x):
            out = self.a(x)
            out[:, :2] += self.b(x)
            return out

    assert jetson.network(InPlace(), (3, 8, 8)).flops == 2 * 64 * (3 * 4 + 3 * 2)


def test_peak_memory_in_closed_form(raspberry):
    module = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(4, 1, 1))
    network = raspberry.network(module, (2, 10, 10))
    assert network.peak == 4 * 100 * (8 + 4)  # while the second convolution runs
    assert network.weights == 4 * ((2 * 8 * 9 + 8) + (8 * 4 * 9 + 4) + (4 + 1))


def test_a_shortcut_keeps_its_input_alive(raspberry):
    body = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1))
    assert raspberry.network(nets.Residual(body, act=False), (4, 10, 10)).peak == 4 * 100 * 12


def unknown_operator(path, times):
    nodes = [helper.make_node("Relu", ["input"], ["x0"])]
    nodes += [helper.make_node("CumSum", [f"x{i}", "axis"], [f"x{i + 1}"]) for i in range(times)]
    nodes.append(helper.make_node("MaxPool", [f"x{times}"], ["logits"], kernel_shape=[2, 2]))
    graph = helper.make_graph(
        nodes,
        "unnamed",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 4, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4, 7, 7])],
        [helper.make_tensor("axis", TensorProto.INT64, [], [1])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_unknown_operators_cost_lower_coverage_and_widen(jetson, tmp_path):
    said = [jetson.predict(unknown_operator(tmp_path / f"{times}.onnx", times)) for times in (0, 1, 3)]
    assert [prediction.coverage for prediction in said] == pytest.approx([1, 2 / 3, 2 / 5])
    assert said[0].ms < said[1].ms < said[2].ms
    widths = [prediction.high / prediction.low for prediction in said]
    assert widths[0] < widths[1] < widths[2]
    assert jetson.network(tmp_path / "1.onnx").unknown == ("CumSum",)


def test_open_and_wrong_sizes_are_one_line(jetson, tmp_path):
    path = export(nets.basic(), tmp_path / "net.onnx", Input.of_images((3, 32, 32)))
    model = onnx.load(path)
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"size{axis}"
    onnx.save(model, tmp_path / "open.onnx")
    with pytest.raises(UserError, match=r"open\.onnx: axis 2 of input 'input', .* has no fixed size; give"):
        jetson.predict(tmp_path / "open.onnx")
    small, large = (jetson.predict(tmp_path / "open.onnx", (3, size, size)).flops for size in (32, 64))
    assert small < large
    with pytest.raises(UserError, match=r"no input takes \(3, 64, 64\) .*; declared: 'input' \(.*, 3, 32, 32\)"):
        jetson.predict(path, (3, 64, 64))
    with pytest.raises(UserError, match=r"does not run on an input of shape \(1, 32, 32\)"):
        jetson.predict(nets.basic(), (1, 32, 32))
    with pytest.raises(UserError, match="needs its input shape"):
        jetson.predict(nets.basic())
    (tmp_path / "broken.onnx").write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"broken\.onnx is not a complete ONNX model"):
        jetson.predict(tmp_path / "broken.onnx")
    with pytest.raises(UserError, match="does not exist"):
        jetson.predict(tmp_path / "missing.onnx")


def test_forward_that_depends_on_values_is_one_line(jetson):
    class Depends(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(UserError, match="Depends does not run"):
        jetson.predict(Depends(), (3, 8, 8))
