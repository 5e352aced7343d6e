"""Soft targets, hints, attention, selectivity and labels: closed forms and reference values."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import CLASSES, FS, FT, SMALL, ZS, ZT, Y, assert_agrees, det

from automl_kd.distillation.functional import attention_transfer, dist, hint, kd, nst
from automl_kd.tasks.modalities.image_mix import ImageMix as Mix

# Name in the golden file, loss as a function of the student alone, the student's input.
REFERENCES = {
    "kd/RepDistiller T4": (lambda s: kd(s, ZT, temperature=4.0), ZS),
    "kd/mdistiller T4": (lambda s: kd(s, ZT, temperature=4.0), ZS),
    "kd/mmrazor KLDivergence tau4": (lambda s: kd(s, ZT, temperature=4.0), ZS),
    "kd/torchdistill T4 a0.5 (CE+KD)": (
        lambda s: 0.5 * CLASSES.loss(s, Y) + 0.5 * kd(s, ZT, temperature=4.0),
        ZS,
    ),
    "hint/RepDistiller MSE": (lambda s: hint(s, FT), FS),
    "at/RepDistiller p2 same-size": (lambda s: attention_transfer(s, FT), FS),
    "at/mdistiller": (lambda s: attention_transfer(s, FT), FS),
    "at/mmrazor": (lambda s: attention_transfer(s, FT), FS),
    "at/torchdistill mode=code": (lambda s: attention_transfer(s, FT), FS),
    "at/torchdistill mode=paper": (lambda s: attention_transfer(s, FT, squared=False), FS),
    "nst/RepDistiller": (lambda s: nst(s, FT), FS),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_agrees_with_the_reference_implementation(name):
    assert_agrees(name, *REFERENCES[name])


def test_kd_closed_form():
    # Two classes: softmax([0, 2 ln 3] / 2) = (1/4, 3/4); the student is uniform.
    student = torch.zeros(1, 2, dtype=torch.float64)
    teacher = torch.tensor([[0.0, 2 * math.log(3)]], dtype=torch.float64)
    expected = 4 * (0.25 * math.log(0.5) + 0.75 * math.log(1.5))
    assert kd(student, teacher, temperature=2.0).item() == pytest.approx(expected, rel=1e-12)


def test_kd_has_the_gradient_of_the_paper():
    s = ZS.clone().requires_grad_()
    kd(s, ZT, temperature=3.0).backward()
    torch.testing.assert_close(s.grad, 3 * ((ZS / 3).softmax(1) - (ZT / 3).softmax(1)) / len(ZS))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kd_is_exact_at_a_logit_gap_of_200(dtype, temperature):
    s = torch.tensor([[200.0, 0.0, 0.0]], dtype=dtype, requires_grad=True)
    value = kd(s, torch.tensor([[0.0, 200.0, 0.0]], dtype=dtype), temperature=temperature)
    value.backward()
    assert value.item() == pytest.approx(200 * temperature, rel=1e-3)
    assert s.grad.isfinite().all()


@given(shift=st.floats(-50, 50), temperature=st.floats(0.5, 20))
@settings(deadline=None, max_examples=25)
def test_kd_ignores_a_shift_of_the_logits(shift, temperature):
    moved = kd(ZS + shift, ZT - shift, temperature=temperature)
    torch.testing.assert_close(moved, kd(ZS, ZT, temperature=temperature), rtol=1e-9, atol=1e-12)


def test_dist_is_pearsons_correlation_of_rows_and_columns():
    p, q = ((z / 4).softmax(1) for z in (ZS, ZT))
    rows = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(p, q, strict=True)])
    columns = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(p.T, q.T, strict=True)])
    expected = 16 * (2 * (1 - rows.mean()) + 3 * (1 - columns.mean()))
    found = dist(ZS, ZT, beta=2.0, gamma=3.0, temperature=4.0)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)  # the reference adds 1e-8 to products of norms


def test_hint_closed_form():
    student, teacher = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert hint(student, teacher).item() == pytest.approx((1 + 4 + 9 + 16) / 4)


def test_attention_closed_form():
    # Energies (9, 0, 0, 0) and (0, 16, 0, 0): unit vectors at right angles, ‖Qs - Qt‖² = 2 over four places.
    student, teacher = torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, 2)
    student[0, 0, 0, 0], teacher[0, 1, 0, 1] = 3.0, 4.0
    assert attention_transfer(student, teacher).item() == pytest.approx(2 / 4)
    assert attention_transfer(student, teacher, squared=False).item() == pytest.approx(math.sqrt(2))


def test_the_papers_attention_has_no_gradient_where_both_agree():
    # One sample agrees, one is a map of zeros on both sides, two differ.
    teacher = torch.cat([FS[:1], torch.zeros(1, 6, 8, 8, dtype=FS.dtype), FT[2:]])
    s = (FS * torch.tensor([1.0, 0.0, 1.0, 1.0]).view(4, 1, 1, 1)).requires_grad_()
    attention_transfer(s, teacher, squared=False).backward()
    assert not s.grad[:2].any()
    assert s.grad[2:].isfinite().all()
    assert s.grad[2:].any()
    assert torch.autograd.gradcheck(
        lambda s: attention_transfer(s, SMALL[:2], squared=False), (det((2, 3, 8, 8), 0.3, 0.1).requires_grad_(),)
    )


@pytest.mark.parametrize("zero", ["student", "teacher", "both"])
def test_a_map_of_zeros_is_finite_and_its_gradient_exactly_zero(zero):
    s = (FS * (zero == "teacher")).float().requires_grad_()
    value = attention_transfer(s, (FT * (zero == "student")).float())
    value.backward()
    assert value.isfinite()
    assert s.grad.isfinite().all()
    if zero != "teacher":
        assert not s.grad.any()


@given(scale=st.floats(0.05, 20), sign=st.sampled_from([-1, 1]))
@settings(deadline=None, max_examples=25)
def test_attention_ignores_scale_sign_and_order_of_channels(scale, sign):
    moved = attention_transfer(sign * scale * FS.flip(1), FT)
    torch.testing.assert_close(moved, attention_transfer(FS, FT), rtol=1e-9, atol=0)


def test_nst_closed_form():
    # Two unit vectors at an angle of 60 degrees: 1 + 1 - 2 cos².
    student, teacher = torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 2)
    student[0, 0, 0, 0], teacher[0, 0, 0] = 3.0, torch.tensor([0.5, math.sqrt(0.75)])
    assert nst(student, teacher).item() == pytest.approx(1 + 1 - 2 * 0.25)


def test_the_larger_map_is_pooled_before_anything_else():
    pooled = torch.nn.functional.avg_pool2d(FS, 2)
    assert attention_transfer(FS, SMALL) == attention_transfer(pooled, SMALL)
    assert hint(FS, SMALL[:, :6]) == hint(pooled, SMALL[:, :6])
    assert attention_transfer(SMALL, FS) == attention_transfer(SMALL, pooled)


@pytest.mark.parametrize("loss", [lambda s: hint(s, SMALL[:2, :3]), lambda s: attention_transfer(s, SMALL[:2])])
def test_gradient_through_the_pooling(loss):
    assert torch.autograd.gradcheck(loss, (det((2, 3, 8, 8), 0.3, 0.1).requires_grad_(),))


def test_gradient_of_nst_with_unequal_channels_and_sizes():
    assert torch.autograd.gradcheck(lambda s: nst(s, SMALL[:2]), (det((2, 3, 8, 8), 0.3, 0.1).requires_grad_(),))


def test_mixed_labels_equal_the_weighted_sum_of_both():
    permutation, share = torch.tensor([2, 0, 3, 1]), 0.3
    both = share * CLASSES.loss(ZS, Y) + (1 - share) * CLASSES.loss(ZS, Y[permutation])
    mixed = CLASSES.loss(ZS, Mix(permutation, share).blend(torch.nn.functional.one_hot(Y, 10).double()))
    torch.testing.assert_close(mixed, both, rtol=1e-6, atol=0)
