"""A quantised ONNX file as TensorFlow Lite: the same integers, and the same answers under its own runtime."""

import sys

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from automl_kd.core import Output, Signature, UserError
from automl_kd.onnxio import Scheme, Session, TFLiteSession, fold, quantise, to_tflite
from automl_kd.students import build, label_units

litert = pytest.importorskip("ai_edge_litert")
SIGNATURE = Signature.of_images((3, 17, 16), 7)  # an odd size is padded by other pixels than an even one
SQUEEZE = {"depth": 1, "kernel": 5, "expand": 3, "squeeze_excite": True}
STUDENTS = {
    "resnet": {"family": "resnet", "depth": 8, "width": 0.5},
    "pooled": {"family": "resnet", "depth": 8, "width": 0.5, "stem": {"kernel": 7, "stride": 2, "pool": True}},
    "squeeze": {"family": "mobilenet", "stages": [SQUEEZE, {"depth": 1, "kernel": 3, "expand": 2}]},
}


class Before(nn.Module):
    """A normalisation before its convolution, on maps of as many rows as channels."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8)
        self.conv, self.head = nn.Conv2d(8, 8, 3), nn.Linear(8, 7)
        nn.init.uniform_(self.norm.weight, 0.5, 2)
        nn.init.normal_(self.norm.bias)

    def forward(self, x):
        return self.head(self.conv(self.norm(self.stem(x)).relu()).relu().mean((2, 3)))


class Means(nn.Module):
    """Gates by the mean of a map, with and without its axes."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate, self.head = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1), nn.Linear(8, 7)

    def forward(self, x):
        y = self.conv(x).relu()
        y = y * self.gate(y.mean((2, 3), keepdim=True)).sigmoid()
        return self.head(y.mean((2, 3)))


MODULES = {"before": Before, "means": Means}


def quantised(module, folder, apart=(), excluded=(), **scheme):
    """The file of a module, its ranges from random inputs."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(3):
            module.train()(torch.randn(16, *SIGNATURE.input.shape))
    folded = fold(module.eval(), SIGNATURE.input, apart=apart)
    onnx.save(folded.model, folder / "float.onnx")
    batch = np.random.default_rng(0).standard_normal((64, *SIGNATURE.input.shape), np.float32)
    return quantise(
        folder / "float.onnx", folder / "student.onnx", [batch], Scheme(excluded=(*folded.floats, *excluded), **scheme)
    )


@pytest.mark.parametrize(
    ("student", "scheme"),
    [
        ("resnet", {}),
        ("pooled", {"per_channel": False}),
        ("squeeze", {"symmetric": True}),
        ("before", {}),
        ("means", {}),
    ],
)
def test_the_file_answers_as_the_onnx_file_does(student, scheme, tmp_path):
    torch.manual_seed(0)
    network = MODULES[student]() if student in MODULES else build(STUDENTS[student], SIGNATURE)
    source = quantised(network, tmp_path, **scheme)
    made = to_tflite(source, tmp_path / "student.tflite")
    x = np.random.default_rng(1).standard_normal((256, *SIGNATURE.input.shape), np.float32)
    expected, found = Session(source).run(x), TFLiteSession(made).run(x)
    step = scales_of(source)["logits"]
    off = np.abs(found - expected) / step
    assert off.mean() < 1, "the two round differently, by a step here and there"
    assert off.max() < 8
    second, first = np.sort(expected, axis=1)[:, -2:].T
    clear = first - second > 8 * step
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(found.argmax(1)[clear], expected.argmax(1)[clear])
    assert made.read_bytes() == to_tflite(source, tmp_path / "again.tflite").read_bytes()


def test_answers_in_units_of_their_own_are_floats_behind_the_integers(tmp_path):
    torch.manual_seed(0)
    values = Output("values", 2, "real", mean=(1500.0, -2.0), std=(0.5, 30.0))
    student = build(STUDENTS["resnet"], Signature(SIGNATURE.input, values))
    source = quantised(student, tmp_path, apart=label_units(student))
    made = to_tflite(source, tmp_path / "student.tflite")
    x = np.random.default_rng(1).standard_normal((64, *SIGNATURE.input.shape), np.float32)
    expected, found = (
        (session.run(x) - values.mean) / values.std for session in (Session(source), TFLiteSession(made))
    )
    exact = (Session(tmp_path / "float.onnx").run(x) - values.mean) / values.std
    assert np.abs(found - expected).mean() < 0.02
    for answers in (expected, found):
        assert (np.abs(answers - exact).mean(0) < 0.1 * np.ptp(exact, 0)).all()


def scales_of(source):
    """The scales in a quantised file by the names of their tensors."""
    found = {each.name: onnx.numpy_helper.to_array(each) for each in onnx.load(source).graph.initializer}
    return {name.removesuffix("_scale"): scale for name, scale in found.items() if name.endswith("_scale")}


def test_all_tensors_are_integers_with_the_scales_of_the_onnx_file(tmp_path):
    torch.manual_seed(0)
    source = quantised(build(STUDENTS["resnet"], SIGNATURE), tmp_path)
    made = to_tflite(source, tmp_path / "student.tflite")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(made))
    tensors = interpreter.get_tensor_details()
    assert {each["dtype"] for each in tensors} == {np.int8, np.int32}
    assert interpreter.get_input_details()[0]["name"] == "input"
    scales = scales_of(source)
    shared = [each for each in tensors if each["name"].removesuffix("_QuantizeLinear_Output") in scales]
    assert len(shared) > 5
    for each in shared:
        expected = np.atleast_1d(scales[each["name"].removesuffix("_QuantizeLinear_Output")])
        np.testing.assert_array_equal(each["quantization_parameters"]["scales"], expected)


class Odd(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(3, 6, 3), layer, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 7))

    def forward(self, x):
        return self.layer(x)


@pytest.mark.parametrize(
    ("layer", "floats", "words"),
    [
        (nn.Softplus(), (), "is known for Softplus"),
        (nn.Conv2d(6, 6, 3, groups=2), (), "no Conv like /layer/layer.1/Conv"),
        (nn.ReLU(), ("/layer/layer.0/Conv",), "its input is not quantised"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(layer, floats, words, tmp_path):
    source = quantised(Odd(layer), tmp_path, excluded=floats)
    with pytest.raises(UserError, match=words):
        to_tflite(source, tmp_path / "student.tflite")
    assert not (tmp_path / "student.tflite").exists()


def test_without_litert_one_line_says_what_to_install(tmp_path, monkeypatch):
    source = quantised(Odd(nn.ReLU()), tmp_path)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(UserError, match=r"needs the package ai_edge_litert, which is not installed: pip install"):
        to_tflite(source, tmp_path / "student.tflite")
