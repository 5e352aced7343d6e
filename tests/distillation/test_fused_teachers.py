from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from automl_kd.distillation import fusion

EVERY = [
    lambda z: fusion.mean(z, "categorical"),
    lambda z: fusion.by_entropy(z, "categorical"),
    fusion.dempster_shafer,
    lambda z: fusion.LearnedFusion(z.shape[1], "categorical")(z),
]


def logits(*probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).log().unsqueeze(0)


@pytest.mark.parametrize("fuse", EVERY)
def test_the_order_of_teachers_does_not_matter(fuse):
    given = torch.randn(5, 3, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fuse(given), fuse(given[:, [2, 0, 1]]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fuse", EVERY[:2] + EVERY[3:])
def test_teachers_that_agree_are_heard_as_one(fuse):
    one = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))
    fused = fuse(one.unsqueeze(1).repeat(1, 3, 1))
    torch.testing.assert_close(fused.softmax(1), one.softmax(1))


def test_mean_is_that_of_the_probabilities():
    fused = fusion.mean(logits((0.8, 0.2), (0.4, 0.6)), "categorical")
    torch.testing.assert_close(fused.softmax(1), torch.tensor([[0.6, 0.4]], dtype=torch.float64))


def test_a_sure_teacher_outweighs_an_unsure_one():
    fused = fusion.by_entropy(logits((0.5, 0.5), (0.999, 0.001)), "categorical").softmax(1)
    assert fused[0, 0] > 0.98


def test_dempsters_rule_for_two_teachers_in_closed_form():
    # Evidence (3, 1) and (0.5, 2): S = 6 and 4.5, beliefs (1/2, 1/6), (1/9, 4/9), doubts 1/3, 4/9.
    evidence = torch.tensor([[[3.0, 1.0], [0.5, 2.0]]], dtype=torch.float64)
    found = fusion.dempster_shafer(evidence.expm1().log()).exp()  # softplus of log(e^x - 1) is x
    agreed = 1 - (1 / 2 * 4 / 9 + 1 / 6 * 1 / 9)
    first = (1 / 2 * 1 / 9 + 1 / 2 * 4 / 9 + 1 / 9 * 1 / 3) / agreed
    second = (1 / 6 * 4 / 9 + 1 / 6 * 4 / 9 + 4 / 9 * 1 / 3) / agreed
    doubt = (1 / 3 * 4 / 9) / agreed
    expected = torch.tensor([[first + doubt / 2, second + doubt / 2]], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


@given(st.integers(1, 4), st.integers(2, 12), st.floats(0.1, 100))
def test_what_is_fused_is_a_distribution(members, classes, scale):
    given = scale * torch.randn(3, members, classes, dtype=torch.float64)
    for fuse in EVERY[:3]:
        torch.testing.assert_close(fuse(given).exp().sum(1), torch.ones(3, dtype=torch.float64))
