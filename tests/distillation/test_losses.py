from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from automl_kd.distillation import CONTRACTS
from automl_kd.distillation.functional import (
    attention_transfer,
    cross_entropy,
    dist,
    hint,
    kd,
    mix_labels,
    nst,
    pkt,
    rkd_angle,
    rkd_distance,
    similarity_preserving,
)
from automl_kd.recipes import Losses

GOLDENS = Path(__file__).resolve().parents[3] / "shared" / "data" / "loss_goldens.json"


def det(shape: tuple[int, ...], a: float, b: float, scale: float = 2.0) -> Tensor:
    i = torch.arange(math.prod(shape), dtype=torch.float64)
    return (scale * torch.sin(a * i + b) + 0.3 * torch.cos(0.37 * a * i * i.sqrt())).reshape(shape)


ZS, ZT, Y = det((4, 10), 0.7, 0.1), det((4, 10), 0.9, 0.5, 3), torch.tensor([1, 3, 0, 7])
FS, FT, SMALL = det((4, 6, 8, 8), 0.13, 0.2), det((4, 6, 8, 8), 0.17, 0.9), det((4, 10, 4, 4), 0.19, 0.4)
ES, ET = det((4, 16), 0.23, 0.3), det((4, 16), 0.29, 0.8)


def kd4(s: Tensor, t: Tensor) -> Tensor:
    return kd(s, t, temperature=4.0)


# Name in the golden file, loss as a function of the student alone, the student's input.
REFERENCES: list[tuple[str, Callable[[Tensor], Tensor], Tensor]] = [
    ("kd/RepDistiller T4", lambda s: kd4(s, ZT), ZS),
    ("kd/mdistiller T4", lambda s: kd4(s, ZT), ZS),
    ("kd/mmrazor KLDivergence tau4", lambda s: kd4(s, ZT), ZS),
    ("kd/torchdistill T4 a0.5 (CE+KD)", lambda s: 0.5 * cross_entropy(s, Y) + 0.5 * kd4(s, ZT), ZS),
    ("hint/RepDistiller MSE", lambda s: hint(s, FT), FS),
    ("at/RepDistiller p2 same-size", lambda s: attention_transfer(s, FT), FS),
    ("at/mdistiller", lambda s: attention_transfer(s, FT), FS),
    ("at/mmrazor", lambda s: attention_transfer(s, FT), FS),
    ("at/torchdistill mode=code", lambda s: attention_transfer(s, FT), FS),
    ("sp/RepDistiller", lambda s: similarity_preserving(s, FT), FS),
    ("pkt/RepDistiller", lambda s: pkt(s, ET), ES),
    ("nst/RepDistiller", lambda s: nst(s, FT), FS),
    ("rkd/RepDistiller dist only", lambda s: rkd_distance(s, ET), ES),
    ("rkd/RepDistiller angle only", lambda s: rkd_angle(s, ET), ES),
    ("rkd/RepDistiller 25/50", lambda s: 25 * rkd_distance(s, ET) + 50 * rkd_angle(s, ET), ES),
]


@pytest.mark.parametrize(("name", "loss", "student"), REFERENCES, ids=[name for name, _, _ in REFERENCES])
def test_agrees_with_the_reference_implementation(name, loss, student):
    if not GOLDENS.is_file():
        pytest.skip("the reference values ../shared/data/loss_goldens.json are not beside this checkout")
    golden = json.loads(GOLDENS.read_text())[name]
    s = student.clone().requires_grad_()
    value = loss(s)
    value.backward()
    assert value.item() == pytest.approx(golden["value"], rel=1e-9)
    assert s.grad.norm().item() == pytest.approx(golden["grad_l2"], rel=1e-7)


def smooth_l1(x: float) -> float:
    return x * x / 2 if abs(x) < 1 else abs(x) - 0.5


def test_kd_closed_form():
    # Two classes: softmax([0, 2 ln 3] / 2) = (1/4, 3/4); the student is uniform.
    student, teacher = (
        torch.zeros(1, 2, dtype=torch.float64),
        torch.tensor([[0.0, 2 * math.log(3)]], dtype=torch.float64),
    )
    expected = 4 * (0.25 * math.log(0.5) + 0.75 * math.log(1.5))
    assert kd(student, teacher, temperature=2.0).item() == pytest.approx(expected, rel=1e-12)


def test_kd_has_the_gradient_of_the_paper():
    s = ZS.clone().requires_grad_()
    kd(s, ZT, temperature=3.0).backward()
    torch.testing.assert_close(s.grad, 3 * ((ZS / 3).softmax(1) - (ZT / 3).softmax(1)) / len(ZS))


def test_hint_closed_form():
    student, teacher = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert hint(student, teacher).item() == pytest.approx((1 + 4 + 9 + 16) / 4)


def test_attention_closed_form():
    # Energies (9, 0, 0, 0) and (0, 16, 0, 0): unit vectors at right angles, ‖Qs - Qt‖² = 2 over four places.
    student, teacher = torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, 2)
    student[0, 0, 0, 0], teacher[0, 1, 0, 1] = 3.0, 4.0
    assert attention_transfer(student, teacher).item() == pytest.approx(2 / 4)


def test_rkd_closed_forms_on_triangles():
    # Sides 3, 4, 5 against an equilateral triangle.
    student = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]], dtype=torch.float64)
    teacher = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(3) / 2]], dtype=torch.float64)
    distances = 2 * (smooth_l1(3 / 4 - 1) + smooth_l1(4 / 4 - 1) + smooth_l1(5 / 4 - 1)) / 9
    assert rkd_distance(student, teacher).item() == pytest.approx(distances, rel=1e-12)
    # Cosines at the corners: 0, 3/5, 4/5 against 1/2. A side with itself has cosine 1 on both sides.
    angles = 2 * sum(smooth_l1(cosine - 0.5) for cosine in (0, 3 / 5, 4 / 5)) / 27
    assert rkd_angle(student, teacher).item() == pytest.approx(angles, rel=1e-12)


def test_gram_form_of_the_angle_is_exact():
    def differences(e: Tensor) -> Tensor:
        unit = torch.nn.functional.normalize(e.unsqueeze(0) - e.unsqueeze(1), dim=2)
        return unit @ unit.transpose(1, 2)

    s, t = det((9, 5), 0.41, 0.2), det((9, 7), 0.53, 0.6)
    expected = torch.nn.functional.smooth_l1_loss(differences(s), differences(t))
    torch.testing.assert_close(rkd_angle(s, t), expected, rtol=1e-12, atol=0)


def test_the_larger_map_is_pooled_before_anything_else():
    pooled = torch.nn.functional.avg_pool2d(FS, 2)
    assert attention_transfer(FS, SMALL) == attention_transfer(pooled, SMALL)
    assert hint(FS, SMALL[:, :6]) == hint(pooled, SMALL[:, :6])
    assert attention_transfer(SMALL, FS) == attention_transfer(SMALL, pooled)


def test_mixed_labels_equal_the_weighted_sum_of_both():
    permutation, share = torch.tensor([2, 0, 3, 1]), 0.3
    both = share * cross_entropy(ZS, Y) + (1 - share) * cross_entropy(ZS, Y[permutation])
    mixed = cross_entropy(ZS, mix_labels(Y, permutation, share, 10).double())
    torch.testing.assert_close(mixed, both, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("loss", "student"),
    [
        (lambda s: cross_entropy(s, Y), ZS),
        (lambda s: kd(s, ZT, temperature=2.5), ZS),
        (lambda s: hint(s, SMALL[:, :3]), det((4, 3, 8, 8), 0.3, 0.1)),
        (lambda s: attention_transfer(s, SMALL), det((4, 3, 8, 8), 0.3, 0.1)),
        (lambda s: rkd_distance(s, ET), ES),
        (lambda s: rkd_angle(s, ET), ES),
        (lambda s: dist(s, ZT, temperature=2.5), ZS),
        (lambda s: similarity_preserving(s, SMALL), det((4, 3, 8, 8), 0.3, 0.1)),
        (lambda s: pkt(s, ET), ES),
        (lambda s: nst(s, SMALL), det((4, 3, 8, 8), 0.3, 0.1)),
    ],
    ids=[
        *("cross_entropy", "kd", "hint", "attention_transfer", "rkd_distance", "rkd_angle"),
        *("dist", "similarity_preserving", "pkt", "nst"),
    ],
)
def test_gradient(loss, student):
    assert torch.autograd.gradcheck(loss, (student.clone().requires_grad_(),))


FUNCTIONS = {"kd": (kd4, ZS), "hint": (hint, FS), "attention_transfer": (attention_transfer, FS)}
RELATIONS = {"rkd_distance": rkd_distance, "rkd_angle": rkd_angle}


@pytest.mark.parametrize("name", [*FUNCTIONS, *RELATIONS])
def test_zero_at_identity(name):
    function, student = FUNCTIONS[name] if name in FUNCTIONS else (RELATIONS[name], ES)
    s = student.clone().requires_grad_()
    value = function(s, student)
    value.backward()
    assert abs(value.item()) < 1e-15
    assert s.grad.abs().max() < 1e-15


@pytest.mark.parametrize("function", RELATIONS.values(), ids=RELATIONS)
def test_a_batch_of_one_has_no_relations(function):
    s = ES[:1].clone().requires_grad_()
    value = function(s, ET[:1])
    value.backward()
    assert value.item() == 0
    assert not s.grad.any()


@pytest.mark.parametrize("function", RELATIONS.values(), ids=RELATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_embeddings_give_finite_gradients(function, dtype):
    student = ES[[0, 0, 1, 2]].to(dtype) + 100
    for embeddings in (student, student[[0, 0, 0, 0]], torch.zeros_like(student)):
        s = embeddings.clone().requires_grad_()
        function(s, ET.to(dtype)).backward()
        assert s.grad.isfinite().all()
        assert s.grad.abs().max() < 1e3


def test_relations_of_float32_embeddings_far_from_the_origin():
    # At 1024 float32 resolves 1e-4 of these values; |e|² there, 16 million, resolves only 1, some percent of |e - e'|².
    near, far = ES.float(), ES.float() + 1024
    for function in RELATIONS.values():
        torch.testing.assert_close(function(far, ET.float()), function(near, ET.float()), rtol=1e-2, atol=0)


def test_dist_is_pearsons_correlation_of_rows_and_columns():
    p, q = ((z / 4).softmax(1) for z in (ZS, ZT))
    rows = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(p, q, strict=True)])
    columns = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(p.T, q.T, strict=True)])
    expected = 16 * (2 * (1 - rows.mean()) + 3 * (1 - columns.mean()))
    found = dist(ZS, ZT, beta=2.0, gamma=3.0, temperature=4.0)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)  # the reference adds 1e-8 to products of norms


def test_nst_closed_form():
    # Two unit vectors at an angle of 60 degrees: 1 + 1 - 2 cos².
    student, teacher = torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 2)
    student[0, 0, 0, 0], teacher[0, 0, 0] = 3.0, torch.tensor([0.5, math.sqrt(0.75)])
    assert nst(student, teacher).item() == pytest.approx(1 + 1 - 2 * 0.25)


DEGENERATE = {
    "dist of constant logits": (lambda s: dist(s, ZT.float(), temperature=4.0), torch.zeros(4, 10)),
    "dist at a gap of 200": (lambda s: dist(s, ZT.float(), temperature=1.0), 200 * torch.eye(4, 10)),
    "dist of one sample": (lambda s: dist(s, ZT[:1].float(), temperature=1.0), ZS[:1].float()),
    "dist of two classes": (lambda s: dist(s, ZT[:, :2].float(), temperature=1.0), ZS[:, :2].float()),
    "similarities of zeros": (lambda s: similarity_preserving(s, FT.float()), torch.zeros(4, 6, 8, 8)),
    "similarities of one sample": (lambda s: similarity_preserving(s, FT[:1].float()), FS[:1].float()),
    "pkt of zeros": (lambda s: pkt(s, ET.float()), torch.zeros(4, 16)),
    "pkt of one sample": (lambda s: pkt(s, ET[:1].float()), ES[:1].float()),
    "nst of zeros": (lambda s: nst(s, FT.float()), torch.zeros(4, 6, 8, 8)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_inputs_are_finite(name, dtype):
    loss, student = DEGENERATE[name]
    s = student.clone().to(dtype).requires_grad_()
    value = loss(s)
    value.backward()
    assert value.isfinite()
    assert s.grad.isfinite().all()
    if name.endswith("one sample") and not name.startswith("dist"):
        assert value == 0
        assert not s.grad.any()


@pytest.mark.parametrize("zero", ["student", "teacher", "both"])
def test_a_map_of_zeros_is_finite_and_its_gradient_exactly_zero(zero):
    s = (FS * (zero == "teacher")).float().requires_grad_()
    value = attention_transfer(s, (FT * (zero == "student")).float())
    value.backward()
    assert value.isfinite()
    assert s.grad.isfinite().all()
    if zero != "teacher":
        assert not s.grad.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kd_stays_finite_at_a_logit_gap_of_200(dtype, temperature):
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


@given(scale=st.floats(0.05, 20), sign=st.sampled_from([-1, 1]))
@settings(deadline=None, max_examples=25)
def test_attention_ignores_scale_sign_and_order_of_channels(scale, sign):
    moved = attention_transfer(sign * scale * FS.flip(1), FT)
    torch.testing.assert_close(moved, attention_transfer(FS, FT), rtol=1e-9, atol=0)


@given(scale=st.floats(0.05, 20), shift=st.floats(-5, 5), angle=st.floats(0, 6.3))
@settings(deadline=None, max_examples=25)
def test_relations_ignore_similarity_transforms(scale, shift, angle):
    rotation = torch.eye(16, dtype=torch.float64)
    rotation[:2, :2] = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    for function in RELATIONS.values():
        torch.testing.assert_close(function(scale * ES @ rotation + shift, ET), function(ES, ET), rtol=1e-7, atol=0)


@given(order=st.permutations(range(4)))
@settings(deadline=None, max_examples=24)
def test_no_loss_depends_on_the_order_of_the_batch(order):
    for function, s, t in [
        (kd4, ZS, ZT),
        (hint, FS, FT),
        (attention_transfer, FS, FT),
        (rkd_distance, ES, ET),
        (rkd_angle, ES, ET),
    ]:
        torch.testing.assert_close(function(s[order], t[order]), function(s, t), rtol=1e-9, atol=0)


def test_every_loss_of_a_recipe_has_a_contract():
    assert set(CONTRACTS) == set(Losses.model_fields)
    with pytest.raises(TypeError):
        CONTRACTS["kd"] = CONTRACTS["hint"]  # type: ignore[index]


def test_contracts_say_truly_what_vanishes_at_identity():
    part = Losses.model_validate({name: {"weight": 1} for name in CONTRACTS})
    inputs = {"labels": (ZS, Y), "logits": (ZS, ZS), "maps": (FS, FS), "embeddings": (ES, ES)}
    for name, contract in CONTRACTS.items():
        value = contract.compare(getattr(part, name), *inputs[contract.inputs], 0.5).item()
        # DIST adds its reference's 1e-8 to the products of norms of probabilities, which are small themselves.
        assert (abs(value) < (1e-3 if name == "dist" else 1e-14)) == contract.zero_at_identity, name
