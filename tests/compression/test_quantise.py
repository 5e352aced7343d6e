"""Integers of 8 bits: what the file holds, what stays floats, and weights alone."""

import tracemalloc

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from test_stages import FAMILIES, SIGNATURE, material, trained
from torch import nn

from automl_kd.compression import begin_training, fallbacks, priced, write
from automl_kd.core import Input, Output, Signature
from automl_kd.onnxio import Scheme, Session, fold, quantise
from automl_kd.recipes import Recipe
from automl_kd.students import build, plan


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


@pytest.mark.parametrize("to", ["int8", "int8-weights"])
def test_layers_that_are_kept_have_weights_of_floats(to, tmp_path):
    recipe = recipe_of(FAMILIES[0], to=to, keep_float=["first", "stage2", "last"])
    student, path = trained(recipe), tmp_path / "student.onnx"
    write(recipe.compress, student, material(), path, opset=None)
    floats = {name for name, value in stored(path).items() if value.dtype == np.float32 and value.ndim > 1}
    assert {name.partition(".")[0] for name in floats} == {"stem", "stage2", "head"}


@pytest.mark.parametrize("how", ["ptq", "qat"])
def test_values_far_from_0_and_in_several_units_keep_their_digits(how, tmp_path):
    values = Output("values", 2, "real", mean=(1500.0, -2.0), std=(0.5, 30.0))
    signature = Signature(SIGNATURE.input, values)
    recipe = recipe_of(FAMILIES[1], how=how)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student = build(recipe.student, signature)
        for _ in range(3):
            student(torch.randn(16, *SIGNATURE.input.shape))
    given = material(signature)
    write(recipe.compress, student.eval(), given, tmp_path / "student.onnx", opset=None)
    x = signature.input.noise(64, torch.Generator().manual_seed(1))
    with torch.no_grad():
        exact = student(x).numpy()
        trained = begin_training(recipe.compress, student, given, ())(x)[0].numpy() if how == "qat" else exact
    found = Session(tmp_path / "student.onnx").run(x.numpy())
    for close in (exact, trained):
        assert (np.abs(found - close).mean(0) < 0.05 * np.ptp(exact, 0)).all()
    (left,) = {each.layers for each in fallbacks(priced(recipe.compress, student.plan), tmp_path / "student.onnx")}
    assert left == ("head.0",)


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
