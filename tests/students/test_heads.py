"""Every family answers every meaning: what is built is what is priced and what the ONNX file says."""

import math

import numpy as np
import onnx
import pytest
import torch
from torch.nn import functional

from automl_kd import students
from automl_kd.core import TEXT_AXES, Input, Output, Signature
from automl_kd.hardware import load_profile
from automl_kd.onnxio import Session, difference, export

IMAGES = Input.of_images((3, 16, 12))
IDS = Input("ids", (24,), TEXT_AXES, "int64", ids=50)
FAMILIES = {
    "resnet": (IMAGES, {"family": "resnet", "stages": [{"depth": 1, "channels": 8}, {"depth": 1, "channels": 12}]}),
    "mobilenet": (
        IMAGES,
        {"family": "mobilenet", "stages": [{"depth": 1, "squeeze_excite": True}], "stem": {"channels": 8}, "head": 24},
    ),
    "conv_text": (IDS, {"family": "conv_text", "embedding": 8, "stages": [{"depth": 2, "channels": 12, "kernel": 5}]}),
}
OUTPUTS = {
    "categorical": Output("logits", 5),
    "bernoulli": Output("logits", 4, "bernoulli"),
    "real": Output("values", 2, "real", mean=(50.0, -3.0), std=(20.0, 0.01)),
}
EVERY = [(family, meaning) for family in FAMILIES for meaning in OUTPUTS]


def made(family, meaning):
    takes, spec = FAMILIES[family]
    torch.manual_seed(0)
    signature = Signature(takes, OUTPUTS[meaning])
    module = students.build(spec, signature)
    module(takes.noise(8))  # moves the statistics of the normalisations
    return module, signature


@pytest.mark.parametrize(("family", "meaning"), EVERY)
def test_the_file_says_what_the_module_says(tmp_path, family, meaning):
    module, signature = made(family, meaning)
    path = export(module, tmp_path / "student.onnx", signature, 13)
    graph = onnx.load(path).graph
    assert [graph.input[0].name, graph.output[0].name] == [signature.input.name, signature.output.name]
    assert "BatchNormalization" not in {node.op_type for node in graph.node}
    session = Session(path)
    assert (session.input_shape, session.output_shape) == (signature.input.shape, (signature.output.width,))
    assert session.dtype == np.dtype(signature.input.dtype)
    assert difference(module, path, signature.input.noise(7)) < 1e-4


@pytest.mark.parametrize(("family", "meaning"), EVERY)
def test_the_plan_costs_what_the_file_costs(tmp_path, family, meaning):
    module, signature = made(family, meaning)
    profile = load_profile("jetson-nano")
    path = export(module, tmp_path / "student.onnx", signature, profile.opset)
    planned, written = profile.predict(module.plan), profile.predict(path)
    assert planned.params == sum(each.numel() for each in module.parameters())
    assert planned.ms == pytest.approx(profile.predict(module, signature.input.shape).ms)
    assert planned.ms == pytest.approx(written.ms)
    assert (planned.coverage, planned.memory_bytes) == (1.0, written.memory_bytes)


def test_values_are_the_labels_mean_and_std_times_what_is_learned():
    module, signature = made("resnet", "real")
    head = module.head[0]
    maps = torch.randn(6, 12, 4, 3)
    learned = functional.linear(maps.mean((2, 3)), head.project.weight.flatten(1), head.project.bias)
    expected = torch.tensor([50.0, -3.0]) + torch.tensor([20.0, 0.01]) * learned
    torch.testing.assert_close(head(maps), expected)
    torch.nn.init.zeros_(head.project.weight)
    torch.nn.init.zeros_(head.project.bias)
    assert module(signature.input.noise(3)).tolist() == [pytest.approx([50.0, -3.0])] * 3


def test_training_moves_the_head_and_not_the_labels_unit():
    module, signature = made("resnet", "real")
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, weight_decay=0.1)
    before = {name: value.clone() for name, value in module.head.state_dict().items()}
    for _ in range(3):
        optimizer.zero_grad()
        module.train()(signature.input.noise(4)).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
    moved = {name for name, value in module.head.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"0.project.weight", "0.project.bias"}
    assert "head.0.unit.weight" in module.state_dict(), "a file of weights says the unit, too"


def test_real_heads_of_other_labels_are_other_blocks():
    spec = FAMILIES["resnet"][1]

    def head(output):
        return students.plan(spec, Signature(IMAGES, output)).blocks[-1]

    assert head(OUTPUTS["real"]) == head(OUTPUTS["real"])
    assert head(OUTPUTS["real"]) != head(Output("values", 2, "real", mean=(50.0, -3.0), std=(20.0, 0.02)))
    assert head(OUTPUTS["bernoulli"]) == head(Output("logits", 4))


def test_synflow_ranks_networks_of_ids_and_is_blind_to_the_labels_mean():
    def score(embedding, mean=0.0):
        torch.manual_seed(0)
        spec = FAMILIES["conv_text"][1] | {"embedding": embedding}
        signature = Signature(IDS, Output("values", 1, "real", mean=(mean,), std=(2.0,)))
        return students.synflow(students.build(spec, signature), IDS)

    assert -math.inf < score(4) < score(16)
    assert score(4, mean=1e6) == pytest.approx(score(4))
