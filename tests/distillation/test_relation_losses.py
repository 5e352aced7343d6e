"""Relations between the samples of a batch: closed forms and reference values."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import CLASSES, ES, ET, FS, FT, SMALL, Y, assert_agrees, before_a_run, det
from torch import Tensor, nn
from torch.nn.functional import normalize, smooth_l1_loss

from automl_kd.distillation.functional import (
    correlation_congruence,
    correlation_congruence_adjacent,
    pkt,
    rkd_angle,
    rkd_distance,
    similarity_preserving,
)
from automl_kd.distillation.losses import LOSS_SPECS, Pair, StepContext
from automl_kd.distillation.losses.correlation_congruence import correlations
from automl_kd.recipes import Losses


def as_in_torchdistill(of_samples, student: Tensor, teacher: Tensor) -> Tensor:
    """Its norm without the square, over B², of embeddings that are not normalised."""
    return (of_samples(student) - of_samples(teacher)).norm() / len(student) ** 2


def gaussian(embeddings: Tensor) -> Tensor:
    return correlations(embeddings, gamma=0.4, order=2)


def bilinear(embeddings: Tensor) -> Tensor:
    # The kernel of order 1 is the Gram matrix but for a factor and a constant.
    return correlations(embeddings, gamma=0.5, order=1) * math.e - 1


def manhattan_rows(features: Tensor) -> Tensor:
    """torchdistill normalises the rows of the Gram matrix to a sum of absolute values of 1."""
    rows = features.flatten(1)
    return normalize(rows @ rows.T, p=1)


# Name in the golden file, loss as a function of the student alone, the student's input.
REFERENCES = {
    "sp/RepDistiller": (lambda s: similarity_preserving(s, FT), FS),
    "sp/torchdistill batchmean": (lambda s: (manhattan_rows(s) - manhattan_rows(FT)).square().mean(), FS),
    "pkt/RepDistiller": (lambda s: pkt(s, ET), ES),
    "rkd/RepDistiller dist only": (lambda s: rkd_distance(s, ET), ES),
    "rkd/RepDistiller angle only": (lambda s: rkd_angle(s, ET), ES),
    "rkd/RepDistiller 25/50": (lambda s: 25 * rkd_distance(s, ET) + 50 * rkd_angle(s, ET), ES),
    "rkd/mmrazor DistanceWise w1 (L2-normalised)": (lambda s: rkd_distance(normalize(s), normalize(ET)), ES),
    "rkd/mmrazor AngleWise w1 (L2-normalised)": (lambda s: rkd_angle(normalize(s), normalize(ET)), ES),
    "cc/RepDistiller (adjacent product)": (lambda s: correlation_congruence_adjacent(s, ET), ES),
    "cc/torchdistill gaussian g0.4 p2 batchmean": (lambda s: as_in_torchdistill(gaussian, s, ET), ES),
    "cc/torchdistill bilinear batchmean": (lambda s: as_in_torchdistill(bilinear, s, ET), ES),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_agrees_with_the_reference_implementation(name):
    assert_agrees(name, *REFERENCES[name])


def smooth_l1(x: float) -> float:
    return x * x / 2 if abs(x) < 1 else abs(x) - 0.5


def test_rkd_closed_forms_on_triangles():
    # Sides 3, 4, 5 against an equilateral triangle.
    student = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]], dtype=torch.float64)
    teacher = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(3) / 2]], dtype=torch.float64)
    distances = 2 * (smooth_l1(3 / 4 - 1) + smooth_l1(4 / 4 - 1) + smooth_l1(5 / 4 - 1)) / 9
    assert rkd_distance(student, teacher).item() == pytest.approx(distances, rel=1e-12)
    # Cosines at the corners: 0, 3/5, 4/5 against 1/2. A side with itself has cosine 1 on both sides.
    angles = 2 * sum(smooth_l1(cosine - 0.5) for cosine in (0, 3 / 5, 4 / 5)) / 27
    assert rkd_angle(student, teacher).item() == pytest.approx(angles, rel=1e-12)


def from_differences(embeddings: Tensor) -> Tensor:
    """Cosines of the angles (B, B, B) as the reference has them."""
    unit = normalize(embeddings.unsqueeze(0) - embeddings.unsqueeze(1), dim=2)
    return unit @ unit.transpose(1, 2)


def triangle(apex: float) -> Tensor:
    return torch.tensor([[0.0, apex], [1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("student", "teacher"),
    [
        (det((9, 5), 0.41, 0.2), det((9, 7), 0.53, 0.6)),
        # 90 samples are more triples than are held at a time.
        (det((90, 5), 0.41, 0.2), det((90, 7), 0.53, 0.6)),
        # A sharp corner against a blunt one: cosines more than 1 apart, where smooth-L1 is linear.
        (triangle(9.0), triangle(0.1)),
    ],
    ids=["9", "90", "far apart"],
)
def test_angles_and_their_gradient_are_those_of_the_differences(student, teacher):
    s, same = student.clone().requires_grad_(), student.clone().requires_grad_()
    value = rkd_angle(s, teacher)
    expected = smooth_l1_loss(from_differences(same), from_differences(teacher))
    (3 * value).backward()
    (3 * expected).backward()
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(s.grad, same.grad, rtol=1e-8, atol=1e-14)


RKD = {"rkd_distance": rkd_distance, "rkd_angle": rkd_angle}


@pytest.mark.parametrize("function", RKD.values(), ids=RKD)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_embeddings_far_from_the_origin_give_small_gradients(function, dtype):
    student = ES[[0, 0, 1, 2]].to(dtype) + 100
    for embeddings in (student, student[[0, 0, 0, 0]], torch.zeros_like(student)):
        s = embeddings.clone().requires_grad_()
        function(s, ET.to(dtype)).backward()
        assert s.grad.isfinite().all()
        assert s.grad.abs().max() < 1e3


def test_rkd_of_float32_embeddings_far_from_the_origin():
    # At 1024 float32 resolves 1e-4 of these values; |e|² there, 16 million, resolves only 1, some percent of |e - e'|².
    near, far = ES.float(), ES.float() + 1024
    for function in RKD.values():
        torch.testing.assert_close(function(far, ET.float()), function(near, ET.float()), rtol=1e-2, atol=0)


@given(scale=st.floats(0.05, 20), shift=st.floats(-5, 5), angle=st.floats(0, 6.3))
@settings(deadline=None, max_examples=25)
def test_rkd_ignores_similarity_transforms(scale, shift, angle):
    rotation = torch.eye(16, dtype=torch.float64)
    rotation[:2, :2] = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    for function in RKD.values():
        torch.testing.assert_close(function(scale * ES @ rotation + shift, ET), function(ES, ET), rtol=1e-7, atol=0)


@given(scale=st.floats(0.05, 20))
@settings(deadline=None, max_examples=10)
def test_similarities_ignore_scale(scale):
    for function in (pkt, similarity_preserving, correlation_congruence):
        torch.testing.assert_close(function(scale * ES, ET / scale), function(ES, ET), rtol=1e-4, atol=0)


def test_similarities_closed_form():
    # Gram matrices diag(4, 9) and [[1, 1], [1, 1]]: rows (1, 0), (0, 1) against (1, 1) / √2.
    student = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    teacher = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    expected = 2 * ((1 - math.sqrt(0.5)) ** 2 + 0.5) / 4
    assert similarity_preserving(student, teacher).item() == pytest.approx(expected, rel=1e-6)


def test_gradient_of_similarities_of_maps_of_unequal_sizes():
    s = det((3, 2, 8, 8), 0.3, 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: similarity_preserving(s, SMALL[:3]), (s,))


def test_correlation_congruence_closed_form():
    # At right angles against parallel: off the diagonal exp(-2γ) against exp(-2γ) (1 + 2γ + 2γ²).
    student = torch.tensor([[2.0, 0.0], [0.0, 3.0]], dtype=torch.float64)
    teacher = torch.tensor([[1.0, 0.0, 0.0], [5.0, 0.0, 0.0]], dtype=torch.float64)
    expected = 2 * (math.exp(-0.6) * (0.6 + 0.18)) ** 2 / 4
    found = correlation_congruence(student, teacher, gamma=0.3, order=2)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_correlation_congruence_tends_to_the_gaussian_kernel():
    s, t = normalize(ES), normalize(ET)
    kernels = [(-0.7 * torch.cdist(e, e).square()).exp() for e in (s, t)]
    expected = (kernels[0] - kernels[1]).square().mean()
    found = correlation_congruence(ES, ET, gamma=0.7, order=10)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=0)
    torch.testing.assert_close(correlation_congruence(ES, ET, gamma=0.7, order=25), expected, rtol=1e-9, atol=0)


def test_adjacent_products_closed_form():
    student = torch.tensor([[1.0, -2.0], [3.0, 1.0], [0.0, 4.0]])
    # |differences| (1, 2), (3, 1), (0, 4): products 3 + 2 and 0 + 4.
    assert correlation_congruence_adjacent(student, torch.zeros(3, 2)).item() == pytest.approx((5 + 4) / 2)


@pytest.mark.parametrize("function", [pkt, similarity_preserving, correlation_congruence])
def test_an_embedding_of_zeros_is_lent_no_gradient(function):
    student = torch.cat([torch.zeros(1, 16, dtype=ES.dtype), ES[1:]])
    s = student.clone().requires_grad_()
    function(s, ET).backward()
    assert s.grad[1:].any()
    assert s.grad.abs().max() < 1
    if function is not similarity_preserving:  # whose other rows hold the products with it
        assert not s.grad[0].any()


def test_an_adapter_brings_embeddings_to_one_width():
    part = Losses.model_validate({"correlation_congruence_adjacent": {"weight": 1}}).correlation_congruence_adjacent
    loss_spec, before_the_run = (
        LOSS_SPECS["correlation_congruence_adjacent"],
        before_a_run(),
    )
    equal = (Pair("stage2", "stage3", (16, 4, 4), (16, 2, 2)),)
    assert loss_spec.adapter(part, equal, before_the_run) is None
    narrow = (Pair("stage2", "stage3", (6, 4, 4), (16, 2, 2)),)
    adapter = loss_spec.adapter(part, narrow, before_the_run)
    assert isinstance(adapter, nn.Linear)
    student = ES[:, :6].float().requires_grad_()
    at_a_step = StepContext(0.5, Y, torch.arange(4), CLASSES, adapter=adapter)
    value = loss_spec.compare(part, student, ET.float(), at_a_step)
    assert value == correlation_congruence_adjacent(adapter(student), ET.float())
    value.backward()
    assert student.grad.any()
    assert adapter.weight.grad.any()
