"""Students at standard sizes are the published networks; plans say exactly what is built."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_kd import students
from automl_kd.core import TEXT_AXES, Input, Output, Signature
from automl_kd.recipes import load_space


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({"family": "resnet", "depth": 18}, 11_689_512),
        ({"family": "resnet", "depth": 34}, 21_797_672),
        ({"family": "resnet", "depth": 50}, 25_557_032),
        ({"family": "mobilenet"}, 3_504_872),
    ],
)
def test_published_networks_have_their_published_size(spec, count):
    with torch.device("meta"):
        assert parameters(students.build(spec, input_shape=(3, 224, 224), classes=1000)) == count


def multiply_accumulates(module, shape):
    total = 0

    def count(layer, inputs, output):
        nonlocal total
        per_output = layer.weight.numel() // layer.weight.shape[0]
        total += output.numel() * per_output

    for layer in module.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(count)
    with torch.device("meta"):
        module(torch.empty(1, *shape))
    return total


def test_resnet18_costs_what_the_paper_says():
    with torch.device("meta"):
        module = students.build({"family": "resnet", "depth": 18}, input_shape=(3, 224, 224), classes=1000)
    module.eval()
    assert multiply_accumulates(module, (3, 224, 224)) / 1e9 == pytest.approx(1.814, abs=5e-4)


IMAGES = {
    "tiny_resnet": [(1, 8, 8), (1, 16, 16), (3, 32, 32)],
    "tiny_cnn": [(1, 8, 8), (3, 32, 32), (1, 28, 28)],
    "mobile_cnn": [(3, 128, 128)],
}
SPACES = {name: [Input.of_images(shape) for shape in shapes] for name, shapes in IMAGES.items()} | {
    "tiny_text": [Input("ids", (length,), TEXT_AXES, "int64", ids=300) for length in (16, 33, 256)],
}
OUTPUTS = [
    Output("logits", 7),
    Output("logits", 7, "bernoulli"),
    Output("values", 7, "real", mean=(1.0,) * 7, std=(2.0,) * 7),
]


@pytest.mark.parametrize("name", sorted(SPACES))
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_block_makes_the_shape_that_its_plan_says(name, seed):
    recipe = load_space(name).sample(random.Random(seed))
    takes = SPACES[name][seed % len(SPACES[name])]
    with torch.device("meta"):
        module = students.build(recipe.student, Signature(takes, OUTPUTS[seed % len(OUTPUTS)])).eval()
        features = takes.zeros(2)
        for name_, blocks in module.plan.stages:
            for block, layer in zip(blocks, module.get_submodule(name_), strict=True):
                assert tuple(features.shape[1:]) == block.input_shape
                features = layer(features)
                assert features.numel() == 2 * torch.Size(block.output_shape).numel()
    assert features.shape == (2, 7)


def test_equal_blocks_are_equal_and_hashable():
    spec = {"family": "resnet", "stages": [{"depth": 3, "channels": 8}]}
    blocks = students.plan(spec, input_shape=(1, 8, 8), classes=10).blocks
    assert len(blocks) == 5
    assert len(set(blocks)) == 3


def test_taps_record_and_leave_no_hook():
    torch.manual_seed(0)
    module = students.build({"family": "resnet", "depth": 8}, input_shape=(1, 8, 8), classes=10)
    with students.Taps(module, {"a": "stage2", "b": "stage2"}) as taps:
        module(torch.zeros(3, 1, 8, 8))
    assert taps.maps["a"].shape == (3, 32, 4, 4)
    assert taps.maps["a"] is taps.maps["b"]
    assert not any(layer._forward_hooks for layer in module.modules())
    with pytest.raises(AttributeError):
        students.Taps(module, {"a": "stage9"})
