"""Integers of 8 bits: what the file holds, what stays floats, and weights alone."""

import tracemalloc
from dataclasses import dataclass

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from test_stages import FAMILIES, SHAPE, SIGNATURE, material, trained
from torch import nn

from automl_kd.compression import begin_training, check_training, fallbacks, priced, write
from automl_kd.core import TEXT_AXES, Input, Output, Signature, UserError
from automl_kd.onnxio import Scheme, Session, fold, quantise
from automl_kd.recipes import Recipe
from automl_kd.students import Block, Plan, StudentModule, Taps, build, plan
from automl_kd.students import head as head_of
from automl_kd.students.layers import PoolValues, Unit


def recipe_of(student, **part):
    compress = [{"stage": "quantise", **part}]
    return Recipe.model_validate({"student": student, "train": {"epochs": 1}, "compress": compress})


def stored(path):
    return {each.name: numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer}


@pytest.mark.parametrize("weights", ["per-channel", "per-tensor"])
def test_weights_alone_are_stored_as_integers_and_computed_as_floats(weights, tmp_path):
    recipe = recipe_of(FAMILIES[2], to="int8-weights", weights=weights)
    student, path = trained(recipe), tmp_path / "student.onnx"
    write(recipe.compress, student, material(available=0), path, opset=None)
    full = fold(student, SIGNATURE.input).model
    onnx.save(full, tmp_path / "full.onnx")
    found = stored(path)
    layers = [node for node in full.graph.node if node.op_type in ("Conv", "Gemm")]
    for layer in layers:
        name = layer.input[1]
        exact, steps = stored(tmp_path / "full.onnx")[name], found[f"{name}:scale"]
        assert steps.shape == ((len(exact),) if weights == "per-channel" else ())
        steps = steps.reshape(-1, *(1,) * (exact.ndim - 1))
        assert found[f"{name}:integers"].dtype == np.int8
        assert np.abs(found[f"{name}:integers"] * steps - exact).max() <= 0.5001 * steps.max()
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert "DequantizeLinear" in kinds
    assert "QuantizeLinear" not in kinds
    x = torch.randn(16, *SIGNATURE.input.shape).numpy()
    before, after = Session(tmp_path / "full.onnx").run(x), Session(path).run(x)
    assert 0 < np.abs(after - before).max() < 0.1 * np.abs(before).max()
    cost = priced(recipe.compress, plan(recipe.student, SIGNATURE))
    assert (cost.weight_bytes, cost.integers) == (1, ())
    assert path.stat().st_size < 0.5 * (tmp_path / "full.onnx").stat().st_size


def test_layers_that_are_kept_have_weights_of_floats(tmp_path):
    recipe = recipe_of(FAMILIES[0], keep_float=["first", "stage2", "last"])
    student, path = trained(recipe), tmp_path / "student.onnx"
    write(recipe.compress, student, material(), path, opset=None)
    floats = {name for name, value in stored(path).items() if value.dtype == np.float32 and value.ndim > 1}
    assert {name.partition(".")[0] for name in floats} == {"stem", "stage2", "head"}


@dataclass(frozen=True)
class Whole(Block):
    """A network with a head of its own, as one block."""

    @property
    def output_shape(self):
        return (2, 1, 1)

    def build(self):
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
        )


class Ungrouped(nn.Module):
    """Behind a group normalisation nothing says how many axes a map has."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.values = nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), PoolValues(8, MEAN, STD)

    def forward(self, x):
        return self.values(self.norm(self.conv(x)))


@dataclass(frozen=True)
class Grouped(Whole):
    def build(self):
        return Ungrouped()


MEAN, STD = (1500.0, -2.0), (0.5, 30.0)
VALUES = Signature(SIGNATURE.input, Output("values", 2, "real", mean=MEAN, std=STD))
OF_VALUES = {
    "ours": lambda: build(FAMILIES[1], VALUES),
    "one block": lambda: StudentModule(Plan((("model", (Whole(SHAPE),)), ("unit", (Unit((2,), MEAN, STD),))))),
    "group norm": lambda: StudentModule(Plan((("head", (Grouped(SHAPE),)),))),
}


@pytest.mark.parametrize(
    ("make", "stages", "floats"),
    [
        ("ours", [{"stage": "quantise"}], "head.0"),
        ("ours", [{"stage": "quantise", "how": "qat"}], "head.0"),
        ("ours", [{"stage": "fp16"}, {"stage": "quantise"}], "head.0"),
        ("one block", [{"stage": "quantise", "how": "qat"}], "unit.0"),
        ("group norm", [{"stage": "quantise"}], "head.0"),
    ],
)
def test_values_far_from_0_and_in_several_units_keep_their_digits(make, stages, floats, tmp_path):
    recipe = recipe_of(FAMILIES[1]).with_(compress=stages)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student = OF_VALUES[make]()
        for _ in range(3):
            student(torch.randn(16, *SIGNATURE.input.shape))
    given = material(VALUES)
    write(recipe.compress, student.eval(), given, tmp_path / "student.onnx", opset=None)
    x = VALUES.input.noise(64, torch.Generator().manual_seed(1))
    qat = stages[-1].get("how") == "qat"
    with torch.no_grad():
        exact = student(x).numpy()
        trained = begin_training(recipe.compress, student, given, ())(x)[0].numpy() if qat else exact
    found = Session(tmp_path / "student.onnx").run(x.numpy())
    for close in (exact, trained):
        assert (np.abs(found - close).mean(0) < 0.05 * np.ptp(exact, 0)).all()
    left = {each.layers for each in fallbacks(priced(recipe.compress, student.plan), tmp_path / "student.onnx")}
    assert (floats,) in left
    assert make == "group norm" or len(left) == 1


@dataclass(frozen=True)
class Linear(Block):
    """A convolution with its normalisation behind an activation or before, so that a map ends in either."""

    activated: bool

    @property
    def output_shape(self):
        return (8, *self.input_shape[1:])

    def build(self):
        conv = nn.Conv2d(self.input_shape[0], 8, 3, padding=1)
        return nn.Sequential(nn.ReLU(), conv) if self.activated else nn.Sequential(conv, nn.BatchNorm2d(8))


@pytest.mark.parametrize("activations", ["asymmetric", "symmetric"])
def test_a_map_that_the_next_layer_cuts_off_is_read_before_it_is_cut(activations):
    maps = (8, *SHAPE[1:])
    head = head_of(maps, SIGNATURE.output)
    parts = [("stem", (Linear(SHAPE, False),)), ("stage1", (Linear(maps, True),)), ("head", (head,))]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student, x = StudentModule(Plan(tuple(parts))), torch.randn(32, *SHAPE)
    student(x)
    recipe = recipe_of(FAMILIES[0], how="qat", activations=activations)
    form = begin_training(recipe.compress, student.eval(), material(), ["stem", "stage1"])
    with Taps(student, {"stem": "stem", "stage1": "stage1"}) as taps, torch.no_grad():
        student(x)
    with torch.no_grad():
        found = form(x)[1]
    for stage, exact in taps.maps.items():
        assert float(exact.min()) < -0.5
        assert (found[stage] - exact).abs().mean() < 0.01 * exact.abs().max()
    check_training(recipe.compress, student, material(), ["stem", "stage1"])


def test_tables_of_vectors_are_trained_with_the_scale_that_they_ship_with(tmp_path):
    texts = Signature(Input("ids", (12,), TEXT_AXES, "int64", ids=40), Output("logits", 5, "categorical"))
    recipe = recipe_of({"family": "conv_text", "embedding": 8, "stages": [{"depth": 1, "channels": 8}]}, how="qat")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student, moved = build(recipe.student, texts), torch.randn(100)
    x = texts.input.noise(64, torch.Generator().manual_seed(0))
    x[:, 9:] = 0
    with torch.no_grad():
        student(x)
    form = begin_training(recipe.compress, student.eval(), material(texts), ())
    with torch.no_grad():
        form.ratios.copy_(0.1 * moved[: len(form.ratios)])
    outputs, _ = form(x)
    student.ranges = form.ranges()
    write(recipe.compress, student, material(texts), tmp_path / "student.onnx", opset=None)
    np.testing.assert_allclose(outputs.detach(), Session(tmp_path / "student.onnx").run(x.numpy()), atol=1e-6)
    outputs.square().sum().backward()
    table = next(module for module in student.modules() if isinstance(module, nn.Embedding))
    assert not table.weight.grad[table.padding_idx].any()
    assert table.weight.grad.any()


class ByBatch(nn.Module):
    """The exporter writes the size of the batch down."""

    def forward(self, x):
        return x * len(x)


class Standardised(nn.Conv2d):
    """Its weight is computed in every run."""

    def forward(self, x):
        return self._conv_forward(x, self.weight - self.weight.mean(), self.bias)


class Summed(nn.Module):
    def forward(self, x):
        return torch.cumsum(x, 1)


@dataclass(frozen=True)
class First(Block):
    layer: type

    @property
    def output_shape(self):
        return self.input_shape

    def build(self):
        return Standardised(3, 3, 1) if self.layer is Standardised else self.layer()


@pytest.mark.parametrize(
    ("layer", "how", "said"),
    [
        (ByBatch, "ptq", "compress quantise: the student's graph answers otherwise than the student, by "),
        (Standardised, "ptq", "cannot fold StudentModule into a graph: the weight of /stem/stem.0/Conv is computed"),
        (Summed, "qat", "compress quantise: how: qat cannot compute /stem/stem.0/CumSum"),
        (Summed, "ptq", None),
    ],
)
def test_what_has_no_file_is_refused_before_any_training(layer, how, said):
    recipe = recipe_of(FAMILIES[0], how=how)
    student = StudentModule(Plan((("stem", (First(SHAPE, layer),)), ("head", (head_of(SHAPE, SIGNATURE.output),)))))
    if said is None:
        check_training(recipe.compress, student, material(), ["stem"])
        return
    with pytest.raises(UserError) as raised:
        check_training(recipe.compress, student, material(), ["stem"])
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("ranges", ["min-max", "entropy", "percentile"])
def test_ranges_are_those_of_the_values_and_take_the_memory_of_a_few_examples(ranges, tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
    )
    takes = Input.of_images((3, 32, 32))
    onnx.save(fold(net.eval(), takes).model, tmp_path / "net.onnx")
    peaks = []
    for batches in (2, 16):
        examples = takes.noise(32 * batches, torch.Generator().manual_seed(1)).clamp(-3, 3)
        examples[0, 0, 0, 0] = 40.0
        tracemalloc.start()
        quantise(
            tmp_path / "net.onnx",
            tmp_path / "int8.onnx",
            (x.numpy() for x in examples.split(32)),
            Scheme(ranges=ranges),
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]
    step = float(stored(tmp_path / "int8.onnx")["input_scale"])
    if ranges == "percentile":
        assert step < 12 / 255, "one value in a hundred thousand lies far out"
    else:
        assert step <= 43 / 255 * 1.001
