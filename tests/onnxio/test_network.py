"""A graph computed in torch gives what onnxruntime gives, as floats and quantised, for what networks are made of."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional

from automl_kd.core import TEXT_AXES, Input, Output, Signature, UserError
from automl_kd.onnxio import Network, Scheme, Session, fold, quantise, returned_by
from automl_kd.students import Taps, build

IMAGES = Signature.of_images((3, 16, 16), 7)
LARGER = Signature.of_images((3, 64, 64), 7)
TEXTS = Signature(Input("ids", (12,), TEXT_AXES, "int64", ids=40), Output("logits", 5, "categorical"))
VALUES = Signature(IMAGES.input, Output("values", 2, "real", mean=(1500.0, -2.0), std=(0.5, 30.0)))
GATED = {"depth": 2, "kernel": 5, "expand": 3, "squeeze_excite": True}
STUDENTS = {
    "resnet": ({"family": "resnet", "depth": 8, "width": 0.25}, IMAGES),
    "values": ({"family": "resnet", "depth": 8, "width": 0.25, "projector": {"channels": 24}}, VALUES),
    "bottleneck": (
        {"family": "resnet", "block": "bottleneck", "stages": [{"depth": 1, "channels": 8}], "stem": {"pool": True}},
        IMAGES,
    ),
    "gated": ({"family": "mobilenet", "stages": [GATED]}, IMAGES),
    "texts": (
        {"family": "conv_text", "embedding": 8, "stages": [{"depth": 1, "channels": 16, "kernel": 3}]},
        TEXTS,
    ),
    "timm": ({"family": "timm", "model": "mobilenetv3_small_050"}, LARGER),
    "timm attention": ({"family": "timm", "model": "vit_tiny_patch16_224"}, LARGER),
}


def settled(spec, signature):
    """A student whose normalisations hold statistics and learned numbers."""
    torch.manual_seed(0)
    student = build(spec, signature)
    for module in student.modules():
        if isinstance(module, nn.BatchNorm2d) and isinstance(module.weight, nn.Parameter):
            nn.init.normal_(module.weight, 1, 0.3)
            nn.init.normal_(module.bias, 0, 0.3)
    with torch.no_grad():
        for _ in range(3):
            student.train()(signature.input.noise(64, torch.Generator().manual_seed(1)))
    return student.eval()


def state_of(module):
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("resnet", {"per_channel": False}),
        ("resnet", {"symmetric": True}),  # whose biases the file holds in floats
        ("values", {}),
        ("bottleneck", {}),
        ("gated", {}),
        ("texts", {}),
        ("timm", {}),
        ("timm attention", {}),
    ],
)
def test_a_student_computes_what_its_files_compute(name, scheme, tmp_path):
    if name.startswith("timm"):
        pytest.importorskip("timm")
    spec, signature = STUDENTS[name]
    student = settled(spec, signature)
    folded = fold(student, signature.input)
    full, integers = tmp_path / "full.onnx", tmp_path / "int8.onnx"
    onnx.save(folded.model, full)
    x = signature.input.noise(100, torch.Generator().manual_seed(2))
    quantise(full, integers, [x[:64].numpy()], Scheme(excluded=folded.floats, **scheme))
    tensors = folded.tensors(state_of(student))
    with torch.no_grad():
        floats, _ = Network(folded.model, folded.derived)(x, tensors)
        network = Network(onnx.load(integers), folded.derived)
        rounded, _ = network(x, tensors)
        stored, _ = Network(onnx.load(integers))(x, {})
    reach = float(floats.abs().max())
    np.testing.assert_allclose(floats, Session(full).run(x.numpy()), atol=1e-5 * reach)
    # The weights of the file are those that its own student has, to the bit.
    torch.testing.assert_close(stored, rounded, atol=1e-6 * reach, rtol=0)
    answers = Session(integers).run(x.numpy())
    step = float(np.ptp(answers)) / 255  # at least
    # onnxruntime adds integers, torch floats: where a sum lies between two steps they may differ by one, which a deep
    # network of random weights carries on to its end.
    off, lost = (float(np.abs(found - answers).mean()) for found in (rounded.numpy(), floats.numpy()))
    # Its softmax of integers reads tables, where torch computes in floats and rounds.
    assert off < 0.7 * lost if name == "timm attention" else off < 0.3 * step
    assert not np.allclose(answers, floats, atol=step / 10)


class Odds(nn.Module):
    """Operators of which our own students have none."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=(0, 1))
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.gate = nn.PReLU(4)
        self.query = nn.Linear(4, 12)
        self.norm = nn.LayerNorm(4)
        self.late = nn.BatchNorm2d(3)

    def forward(self, x):
        y = functional.hardswish(self.conv(functional.pad(self.late(x), (1, 0, 2, 1))))
        y = self.gate(self.up(functional.avg_pool2d(y, 3, 2, 1)))
        y = functional.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
        y = functional.max_pool2d(y[:, :, 1:, ::2], 2, ceil_mode=True)
        tokens = self.norm(y.flatten(2).transpose(1, 2))
        q, k, v = self.query(tokens).chunk(3, dim=-1)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        mixed = functional.gelu(mixed) + torch.tanh(tokens) * torch.sigmoid(mixed) - mixed**2
        pooled = torch.cat((mixed.mean(1), mixed.amax(1), mixed.sum(1, keepdim=True).squeeze(1)), 1)
        return functional.elu(pooled) + functional.leaky_relu(pooled).clamp(-1, 2).abs().sqrt().exp()


def test_other_operators_agree_with_onnxruntime_and_with_torch_in_their_gradients(tmp_path):
    torch.manual_seed(0)
    odds = Odds().eval()
    takes = Input.of_images((3, 12, 12))
    folded = fold(odds, takes)
    onnx.save(folded.model, tmp_path / "odds.onnx")
    x = takes.noise(5, torch.Generator().manual_seed(1))
    made, _ = Network(folded.model, folded.derived)(x, folded.tensors(state_of(odds)))
    np.testing.assert_allclose(made.detach(), Session(tmp_path / "odds.onnx").run(x.numpy()), atol=1e-5)
    ours = torch.autograd.grad(made.square().sum(), list(odds.parameters()))
    theirs = torch.autograd.grad(odds(x).square().sum(), list(odds.parameters()))
    for left, right in zip(ours, theirs, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-3)


class Shared(nn.Module):
    """One convolution and its bias at two scales, then before two normalisations."""

    def __init__(self):
        super().__init__()
        self.plain, self.conv = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(3) for _ in range(2))
        self.head = nn.Linear(3, 5)

    def forward(self, x):
        x = self.plain(self.plain(x).relu() * 4).relu()
        first, second = self.norms
        return self.head((first(self.conv(x)).relu() + second(self.conv(-x)).relu()).mean((2, 3)))


class Tied(nn.Module):
    """Two layers with one weight, and normalisations that learn nothing."""

    def __init__(self):
        super().__init__()
        self.first, self.second = (nn.Conv2d(3, 3, 3, padding=1, bias=False) for _ in range(2))
        self.second.weight = self.first.weight
        self.norm, self.still = nn.BatchNorm2d(3), nn.BatchNorm2d(3, affine=False)
        self.head = nn.Linear(3, 5)

    def forward(self, x):
        return self.head(self.still(self.second(self.norm(self.first(x)).relu())).relu().mean((2, 3)))


class Up(nn.Module):
    """A grouped convolution upwards."""

    def __init__(self):
        super().__init__()
        self.up, self.norm = nn.ConvTranspose2d(3, 8, 3, 2, bias=False), nn.BatchNorm2d(8)
        self.grouped, self.head = nn.ConvTranspose2d(8, 8, 2, 2, groups=4), nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.grouped(self.norm(self.up(x)).relu()).relu().mean((2, 3)))


class Gate(nn.Module):
    """A product by numbers that are all above 0."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 5)
        self.gate = nn.Parameter(torch.linspace(0.1, 1, 8).view(1, 8, 1, 1))

    def forward(self, x):
        return self.head((self.conv(x) * self.gate).mean((2, 3)))


@pytest.mark.parametrize("make", [Shared, Tied, Up, Gate])
@pytest.mark.parametrize("scheme", [Scheme(), Scheme(per_channel=False, symmetric=True)])
def test_odd_networks_are_trained_as_their_files_compute(make, scheme, tmp_path):
    torch.manual_seed(0)
    takes = Input.of_images((3, 12, 12))
    x = takes.noise(64, torch.Generator().manual_seed(1))
    network = make()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias, 0, 0.3)
    with torch.no_grad():
        network(x)
    network.eval()
    folded = fold(network, takes)
    trained, known = None, {}
    for _ in range(2):  # with other weights the second time: none of them is a constant
        current = folded.with_values(state_of(network))
        onnx.save(current, tmp_path / "full.onnx")
        with torch.no_grad():
            exact = network(x).numpy()
        reach = np.abs(exact).max()
        np.testing.assert_allclose(Session(tmp_path / "full.onnx").run(x.numpy()), exact, atol=1e-5 * reach)
        given = dataclasses.replace(scheme, known=known)
        quantise(tmp_path / "full.onnx", tmp_path / "int8.onnx", [x.numpy()], given)
        trained = trained or Network(onnx.load(tmp_path / "int8.onnx"), folded.derived)
        known = trained.ranges
        rounded, _ = trained(x, folded.tensors(state_of(network)))
        assert all(each is not None for each in torch.autograd.grad(rounded.sum(), list(network.parameters())))
        answers = Session(tmp_path / "int8.onnx").run(x.numpy())
        assert np.abs(rounded.detach().numpy() - answers).mean() < 0.1 * np.abs(exact - answers).mean() + 1e-7
        assert np.abs(exact - answers).mean() < 0.05 * reach
        with torch.no_grad():
            for weight in network.parameters():
                weight.mul_(1 + 0.05 * torch.rand_like(weight))


def test_stages_are_found_in_the_graph():
    for name in ("resnet", "gated", "texts"):
        spec, signature = STUDENTS[name]
        student = settled(spec, signature)
        folded = fold(student, signature.input)
        paths = [*student.stage_names(), "stem.0", "head"]
        x = signature.input.noise(4, torch.Generator().manual_seed(3))
        with Taps(student, {path: path for path in paths}) as taps, torch.no_grad():
            student(x)
        asked = [returned_by(folded.model, path) for path in paths]
        with torch.no_grad():
            _, found = Network(folded.model, folded.derived)(x, folded.tensors(state_of(student)), asked)
        for path, value in zip(paths, found, strict=True):
            torch.testing.assert_close(value, taps.maps[path], atol=1e-4, rtol=1e-4)
    with pytest.raises(UserError, match="no node of stage9"):
        returned_by(folded.model, "stage9")


def test_an_operator_that_is_not_known_is_one_line():
    class Turned(nn.Module):
        def forward(self, x):
            return torch.cumsum(x.flatten(1), 1)

    folded = fold(Turned(), Input.of_images((1, 2, 2)))
    with pytest.raises(UserError, match=r"how: qat cannot compute /CumSum .*: use how: ptq") as raised:
        Network(folded.model)
    assert "\n" not in str(raised.value)
