"""The family of texts: shapes and sizes worked out by hand, padding, and what it does not take."""

import pytest
import torch

from automl_kd import students
from automl_kd.core import TEXT_AXES, Input, Output, Signature, UserError

IDS = Input("ids", (20,), TEXT_AXES, "int64", ids=30)
SIGNATURE = Signature(IDS, Output("logits", 3))
SPEC = {
    "family": "conv_text",
    "embedding": 6,
    "stages": [{"depth": 2, "channels": 8, "kernel": 5}, {"depth": 1, "channels": 10}],
}


def test_maps_and_sizes_are_those_worked_out_by_hand():
    plan = students.plan(SPEC, SIGNATURE)
    assert plan.maps() == {"stage1": (8, 1, 20), "stage2": (10, 1, 10)}
    module = students.build(SPEC, SIGNATURE)
    separable = [  # a filter a channel, one across the channels, and two numbers a channel for each normalisation
        6 * 5 + 2 * 6 + 6 * 8 + 2 * 8,
        8 * 5 + 2 * 8 + 8 * 8 + 2 * 8,
        8 * 3 + 2 * 8 + 8 * 10 + 2 * 10,
    ]
    assert sum(each.numel() for each in module.parameters()) == 30 * 6 + sum(separable) + 10 * 3 + 3
    with students.Taps(module, {"last": "stage2"}) as taps:
        assert module(IDS.noise(4)).shape == (4, 3)
    assert taps.maps["last"].shape == (4, 10, 1, 10)


def test_padding_is_zero_and_learns_nothing():
    module = students.build(SPEC, SIGNATURE)
    ids = torch.tensor([[5, 7, 7, *[0] * 17]])
    vectors = module.stem(ids)
    assert vectors.shape == (1, 6, 1, 20)
    assert not vectors[..., 3:].any()
    assert torch.equal(vectors[0, :, 0, 1], vectors[0, :, 0, 2])
    module(ids.repeat(2, 1)).sum().backward()
    table = module.stem[0].table
    assert sorted(table.weight.grad.any(1).nonzero().flatten().tolist()) == [5, 7]


def test_a_family_that_does_not_take_the_modality_is_one_line():
    with pytest.raises(
        UserError, match=r"resnet takes \(channel, height, width\) and the task gives \(position\): use conv_text"
    ):
        students.plan({"family": "resnet", "depth": 8}, SIGNATURE)
    with pytest.raises(
        UserError, match=r"conv_text takes \(position\) and the task gives \(channel, height, width\): use"
    ):
        students.plan(SPEC, input_shape=(1, 8, 8), classes=3)
    series = Signature(Input("series", (20,), TEXT_AXES), Output("logits", 3))
    with pytest.raises(UserError, match="conv_text takes ids of tokens, and the task gives values"):
        students.plan(SPEC, series)


@pytest.mark.parametrize("stages", [[], [{"depth": 1, "channels": 8, "kernel": 4}], [{"depth": 0, "channels": 8}]])
def test_what_is_no_such_network_is_refused(stages):
    with pytest.raises(ValueError, match="stages"):
        students.plan(SPEC | {"stages": stages}, SIGNATURE)
