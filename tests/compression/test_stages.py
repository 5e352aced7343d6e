"""Every stage keeps its promise: what was priced is what ships, and the file computes what was scored."""

import copy

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from automl_kd.compression import (
    STAGES,
    Material,
    applied,
    computes_as_module,
    fallbacks,
    form_in_words,
    priced,
    shipped,
    write,
)
from automl_kd.core import TEXT_AXES, Input, Output, Signature, UserError
from automl_kd.hardware import load_profile
from automl_kd.onnxio import difference, export
from automl_kd.recipes import Recipe, load_recipe
from automl_kd.students import StudentModule, build, plan

SHAPE = (3, 16, 16)
SIGNATURE = Signature.of_images(SHAPE, 7)
FAMILIES = [
    {"family": "resnet", "depth": 8, "width": 0.5},
    {"family": "resnet", "depth": 20, "width": 0.25, "projector": {"channels": 48}},
    {"family": "mobilenet", "stages": [{"depth": 2, "kernel": 5, "expand": 3, "squeeze_excite": True}]},
]


def recipe_of(student, *stages):
    compress = [{"stage": stage} for stage in stages]
    return Recipe.model_validate({"student": student, "train": {"epochs": 1}, "compress": compress})


def trained(recipe):
    """A student whose normalisations hold statistics."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student = build(recipe.student, SIGNATURE)
        for _ in range(3):
            student(torch.randn(16, *SHAPE))
        for module in student.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1, 0.3)
                nn.init.normal_(module.bias, 0, 0.3)
    return student.eval()


@pytest.fixture(params=FAMILIES, ids=lambda each: f"{each['family']}-{each.get('depth', 'se')}", scope="module")
def family(request):
    return request.param


@pytest.mark.parametrize("stage", STAGES)
def test_the_plan_of_what_ships_is_what_was_priced(family, stage):
    recipe = recipe_of(family, stage)
    student = trained(recipe)
    before = copy.deepcopy(student.state_dict())
    compressed = applied(recipe.compress, student)
    assert compressed.plan == priced(recipe.compress, plan(recipe.student, SIGNATURE))
    assert compressed is not student
    assert all(torch.equal(value, student.state_dict()[name]) for name, value in before.items())


def material(signature=SIGNATURE, available=64):
    def examples(count):
        yield signature.input.noise(count, torch.Generator().manual_seed(1))

    return Material(signature, available, examples)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("opset", [13, 17])
def test_the_file_computes_what_was_scored(family, stage, opset, tmp_path):
    recipe = recipe_of(family, stage)
    student = trained(recipe)
    form = shipped(recipe.compress, student, material())
    path = tmp_path / "student.onnx"
    write(recipe.compress, student, material(), path, opset)
    x = torch.randn(9, *SHAPE)
    assert difference(form, path, x) < 1e-4
    written = {each.domain: each.version for each in onnx.load(path).opset_import}[""]
    assert written == (opset if computes_as_module(recipe.compress) else 13)


def test_what_a_quantised_file_leaves_in_floats_is_told_by_layer(tmp_path):
    whole, kept = (
        Recipe.model_validate(
            {"student": FAMILIES[0], "train": {"epochs": 1}, "compress": [{"stage": "quantise", **more}]}
        )
        for more in ({}, {"keep_float": ["first", "last"]})
    )
    student = trained(whole)
    path = tmp_path / "student.onnx"
    found = []
    for recipe in (whole, kept):
        write(recipe.compress, student, material(), path, None)
        found.append(fallbacks(priced(recipe.compress, student.plan), path))
    assert found[0] == ()
    assert {(each.operator, *each.layers) for each in found[1] if each.kept} == {
        ("Conv", "stem.0"), ("Relu", "stem.0"),
        ("GlobalAveragePool", "head.0"), ("Flatten", "head.0"), ("Gemm", "head.0"),
    }  # fmt: skip
    assert all(each.kept for each in found[1])
    assert fallbacks(student.plan, path) is None


def test_the_form_of_a_quantised_student_is_that_of_its_layers():
    def form(**more):
        recipe = recipe_of(FAMILIES[0])
        recipe = recipe.with_(compress=[{"stage": "quantise", **more}])
        plan = priced(recipe.compress, trained(recipe).plan)
        return form_in_words(recipe, plan)

    stages = [name for name, _ in trained(recipe_of(FAMILIES[0])).plan.stages]
    assert (form(), form(keep_float=["first"]), form(keep_float=stages)) == ("int8", "int8 (mixed)", "float32")
    assert form(to="int8-weights") == "int8-weights"


def test_without_stages_nothing_is_copied():
    recipe = recipe_of(FAMILIES[0])
    student = trained(recipe)
    assert applied(recipe.compress, student) is student
    assert priced(recipe.compress, student.plan) is student.plan


def test_fp16_halves_the_weights_of_the_file_and_hardly_moves_the_outputs(family, tmp_path):
    recipe = recipe_of(family, "fp16")
    student = trained(recipe)
    compressed = applied(recipe.compress, student)
    x = torch.randn(32, *SHAPE)
    with torch.no_grad():
        outputs, rounded = student(x), compressed(x)
    assert not torch.equal(outputs, rounded)
    assert (outputs - rounded).abs().max() < 5e-3 * outputs.abs().max()
    before = export(student, tmp_path / "float.onnx", SIGNATURE, 13)
    after = tmp_path / "half.onnx"
    write(recipe.compress, student, material(), after, 13)
    weights = [each for each in onnx.load(after).graph.initializer if each.dims]
    halves = sum(np.prod(each.dims) for each in weights if each.data_type == onnx.TensorProto.FLOAT16)
    floats = sum(np.prod(each.dims) for each in weights if each.data_type == onnx.TensorProto.FLOAT)
    assert floats < 0.01 * halves
    assert 2 * halves == pytest.approx(load_profile("jetson-nano").predict(compressed.plan).size_bytes, rel=0.05)
    bytes_of_weights = 4 * sum(np.prod(each.dims) for each in onnx.load(before).graph.initializer if each.dims)
    assert before.stat().st_size - after.stat().st_size > 0.3 * bytes_of_weights


def test_fp16_keeps_the_activations_inside_timms_normalisations():
    pytest.importorskip("timm")
    signature = Signature.of_images((3, 32, 32), 7)
    recipe = recipe_of({"family": "timm", "model": "lcnet_050"}, "fp16")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student, x = build(recipe.student, signature), torch.randn(32, 3, 32, 32)
    with torch.no_grad():
        student(x)
        outputs, rounded = student.eval()(x), applied(recipe.compress, student)(x)
    assert not torch.equal(outputs, rounded)
    assert (outputs - rounded).abs().max() < 5e-3 * outputs.abs().max()


@pytest.mark.parametrize("hw", ["jetson-nano", "raspberry-pi-4", "stm32h743"])
def test_fp16_changes_the_size_alone(hw):
    recipe, profile = recipe_of(FAMILIES[0], "fp16"), load_profile(hw)
    whole = plan(recipe.student, SIGNATURE)
    before, after = profile.price([whole, priced(recipe.compress, whole)])
    assert (before.size_bytes, after.size_bytes) == (4 * before.params, 2 * before.params)
    assert (before.ms, before.low, before.high, before.memory_bytes) == (
        after.ms, after.low, after.high, after.memory_bytes,
    )  # fmt: skip


def test_fp16_refuses_weights_that_it_cannot_hold():
    recipe = recipe_of(FAMILIES[0], "fp16")
    student = trained(recipe)
    with torch.no_grad():
        student.get_parameter("head.0.linear.bias")[0] = 70_000
    with pytest.raises(UserError, match=r"^compress fp16: weight head\.0\.linear\.bias reaches 70000; float16 ends"):
        applied(recipe.compress, student)


class Odd(nn.Module):
    """Normalisations where nothing can be folded: first, after a sum, and one whose layer is read elsewhere."""

    def __init__(self):
        super().__init__()
        self.first = nn.BatchNorm2d(3)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.after = nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3))
        self.flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 7), nn.BatchNorm1d(7))

    def forward(self, x):
        y = self.conv(self.first(x))
        return self.flat(self.after(self.norm(y) + y))


def test_a_normalisation_that_stands_alone_is_kept_whole(tmp_path):
    recipe = recipe_of(FAMILIES[0], "fp16")
    student = trained(recipe)
    student.stage1 = Odd()
    whole = StudentModule(student.plan)
    whole.__dict__["_modules"] = {"odd": student.stage1}
    for _ in range(3):
        whole.train()(torch.randn(16, *SHAPE) * 3 + 1)
    whole.eval()
    compressed = applied(recipe.compress, whole)
    path = tmp_path / "odd.onnx"
    write(recipe.compress, whole, material(), path, 13)
    x = torch.randn(8, *SHAPE)
    assert difference(compressed, path, x) < 1e-4
    with torch.no_grad():
        assert (compressed(x) - whole(x)).abs().max() < 1e-2


@pytest.mark.parametrize(
    ("compress", "said"),
    [
        ("[{stage: fp16}, {stage: fp16}]", r"compress has the stage fp16 twice; once is right"),
        ("[{stage: fp61}]", r"compress\.0: unknown stage 'fp61'; did you mean fp16\?"),
        ("[{stage: fp16, bits: 3}]", r"unknown field 'bits'"),
        ("fp16", "compress"),
    ],
)
def test_a_recipe_that_compresses_wrongly_is_refused_in_one_line(tmp_path, compress, said):
    path = tmp_path / "r.yaml"
    path.write_text(f"student: {{family: resnet, depth: 8}}\ntrain: {{epochs: 1}}\ncompress: {compress}\n")
    with pytest.raises(UserError, match=said) as raised:
        load_recipe(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("meaning", ["categorical", "bernoulli", "real"])
@pytest.mark.parametrize("axes", ["image", "text"])
def test_fp16_takes_any_input_and_output(axes, meaning, tmp_path):
    real = {"mean": (1500.0, -2.0), "std": (0.5, 30.0)} if meaning == "real" else {}
    output = Output("values" if real else "logits", 2, meaning, **real)
    texts = Input("ids", (12,), TEXT_AXES, "int64", ids=40)
    signature = Signature(SIGNATURE.input if axes == "image" else texts, output)
    conv_text = {"family": "conv_text", "embedding": 8, "stages": [{"depth": 1, "channels": 16, "kernel": 3}]}
    recipe = recipe_of(FAMILIES[0] if axes == "image" else conv_text, "fp16")
    student = build(recipe.student, signature)
    x = signature.input.noise(64, torch.Generator().manual_seed(0))
    student(x)
    student.eval()
    compressed = applied(recipe.compress, student)
    path = tmp_path / "student.onnx"
    write(recipe.compress, student, material(signature), path, 13)
    assert difference(compressed, path, x) < 1e-4 * 1500
    with torch.no_grad():
        off = (compressed(x) - student(x)).abs().max(dim=0).values / torch.tensor(real.get("std", (1.0, 1.0)))
    # Rounding does not touch the unit of the labels: 1500 alone would be off by a whole deviation in float16.
    assert 0 < off.max() < 0.02


@pytest.mark.parametrize("ranges", ["min-max", "percentile"])
@pytest.mark.parametrize("value", [float("nan"), 1e38])
def test_activations_without_a_range_are_refused_by_the_layer_that_makes_them(value, ranges, tmp_path, recwarn):
    recipe = recipe_of(FAMILIES[0], "quantise")
    recipe = recipe.with_(compress=[{"stage": "quantise", "ranges": ranges}])
    student = trained(recipe)
    with torch.no_grad():
        student.get_parameter("stage2.0.body.0.0.weight")[0] = value
    with pytest.raises(UserError, match=r"^cannot quantise: what /stage2/stage2\.0/\S+/Conv computes of the calib"):
        write(recipe.compress, student, material(), tmp_path / "student.onnx", 13)
    assert not list(tmp_path.iterdir())
    assert not recwarn.list


def test_symmetric_activations_have_no_zero_point_but_0_and_no_integers_of_32_bits(tmp_path):
    recipe = recipe_of(FAMILIES[0], "quantise")
    student, zeros, widest = trained(recipe), {}, {}
    for activations in ("asymmetric", "symmetric"):
        compress = recipe.with_(compress=[{"stage": "quantise", "activations": activations}]).compress
        write(compress, student, material(), tmp_path / "student.onnx", 13)
        found = onnx.load(tmp_path / "student.onnx").graph.initializer
        points = [onnx.numpy_helper.to_array(each) for each in found if each.name.endswith("_zero_point")]
        zeros[activations] = all((each == 0).all() for each in points)
        widest[activations] = any(each.data_type == onnx.TensorProto.INT32 for each in found)
    assert zeros == {"asymmetric": False, "symmetric": True}
    assert widest == {"asymmetric": True, "symmetric": False}, "TensorRT reads no biases of integers"
