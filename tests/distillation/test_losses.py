"""What all losses have in common. What each of them computes stands in the tests beside this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from inputs import CLASSES, ES, ET, FS1, FT1, ZS, ZT, Y, det
from torch import Tensor

from automl_kd.distillation import functional
from automl_kd.distillation.losses import LOSS_SPECS, StepContext
from automl_kd.distillation.losses.inputs import ALL_STAGES, STAGE_PAIRS
from automl_kd.recipes import Losses

TEMPERATURE = 4.0


@dataclass(frozen=True)
class Case:
    """A loss on its standard inputs: a function of student, teacher and labels, the first two being tuples."""

    function: Callable[[tuple[Tensor, ...], tuple[Tensor, ...], Tensor], Tensor]
    student: tuple[Tensor, ...]
    teacher: tuple[Tensor, ...]


def plain(name: str, student: Tensor, teacher: Tensor, **parameters: float) -> Case:
    return Case(lambda s, t, y: getattr(functional, name)(*s, *t, **parameters), (student,), (teacher,))


def labelled(name: str) -> Case:
    return Case(lambda s, t, y: getattr(functional, name)(*s, *t, labels=y, temperature=TEMPERATURE), (ZS,), (ZT,))


def logits(name: str) -> Case:
    return plain(name, ZS, ZT, temperature=TEMPERATURE)


def maps(name: str, **parameters: float) -> Case:
    return plain(name, FS1[:, :3], FT1[:, :3], **parameters)


def embeddings(name: str, **parameters: float) -> Case:
    return plain(name, ES, ET, **parameters)


def like(tensor: Tensor, parameters: Tensor) -> Tensor:
    """Parameters of a loss, which are float32 where features come in half precision."""
    return parameters.to(tensor.device, torch.promote_types(tensor.dtype, torch.float32))


SCALES = det((3,), 0.7, 0.3)

CASES = {
    "task": Case(lambda s, t, y: CLASSES.loss(*s, y), (ZS,), (ZT,)),
    "kd": logits("kd"),
    "kd_bernoulli": logits("kd_bernoulli"),
    "kd_real": Case(
        lambda s, t, y: functional.kd_real(*s, *t, std=[0.5 + i for i in range(s[0].shape[1])]), (ZS,), (ZT,)
    ),
    "dkd": labelled("dkd"),
    "dist": logits("dist"),
    "logit_standardization": logits("logit_standardization"),
    "ce_soft": logits("ce_soft"),
    "ce_soft_bernoulli": logits("ce_soft_bernoulli"),
    "hint": maps("hint"),
    "attention_transfer": maps("attention_transfer"),
    "similarity_preserving": maps("similarity_preserving"),
    "correlation_congruence": embeddings("correlation_congruence"),
    "correlation_congruence_adjacent": embeddings("correlation_congruence_adjacent"),
    "vid": Case(lambda s, t, y: functional.vid(*s, like(s[0], SCALES), *t), (FS1[:, :3],), (FT1[:, :3],)),
    "rkd_distance": embeddings("rkd_distance"),
    "rkd_angle": embeddings("rkd_angle"),
    "pkt": embeddings("pkt"),
    "activation_boundary": maps("activation_boundary"),
    "factor_transfer": maps("factor_transfer"),
    "fsp": Case(
        lambda s, t, y: functional.fsp(*s, *t),
        (det((4, 2, 6, 6), 0.13, 0.2), FS1[:, :3]),
        (det((4, 2, 6, 6), 0.17, 0.9), FT1[:, :3]),
    ),
    "nst": maps("nst"),
    "crd_inbatch": embeddings("crd_inbatch"),
    "review_hcl": maps("review_hcl"),
    "simkd": maps("simkd"),
    "srrl": maps("srrl"),
    "channel_wise": maps("channel_wise", temperature=TEMPERATURE),
    "pkd": maps("pkd"),
    "ickd": maps("ickd"),
    "gram": maps("gram"),
    "gradient_matching": maps("gradient_matching"),
    "mmd": maps("mmd"),
    "tinybert_hidden": plain("tinybert_hidden", det((4, 5, 6), 0.13, 0.2), det((4, 5, 6), 0.17, 0.9)),
    "tinybert_attention": plain("tinybert_attention", det((4, 2, 5, 5), 0.13, 0.2), det((4, 2, 5, 5), 0.17, 0.9)),
}
FORMS = {"kd_bernoulli": "kd", "kd_real": "kd", "ce_soft_bernoulli": "ce_soft"}
"""Forms of a loss for outputs that are no classes."""
ELSEWHERE = {"crd", "mutual", "self_distillation"}
"""Losses that need a memory, a peer or exits."""

each_loss = pytest.mark.parametrize("name", CASES)


def contract_of(name: str):
    """The spec of the loss that a function is a form of."""
    return LOSS_SPECS[FORMS.get(name, name)]


AMONG_SAMPLES = (
    *("similarity_preserving", "correlation_congruence", "correlation_congruence_adjacent"),
    *("rkd_distance", "rkd_angle", "pkt", "crd_inbatch"),
)


def with_gradient(
    name: str, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], labels: Tensor = Y
) -> tuple[Tensor, tuple[Tensor, ...]]:
    students = tuple(tensor.clone().requires_grad_() for tensor in student)
    value = CASES[name].function(students, teacher, labels)
    return value.detach(), torch.autograd.grad(value, students)


@each_loss
def test_gradient(name):
    case = CASES[name]
    students = tuple(tensor.clone().requires_grad_() for tensor in case.student)
    assert torch.autograd.gradcheck(lambda *s: case.function(s, case.teacher, Y), students)


@each_loss
def test_the_contract_says_truly_whether_it_vanishes_at_identity(name):
    student = CASES[name].student
    value, gradients = with_gradient(name, student, student)
    # DIST adds its reference's 1e-8 to the products of norms of probabilities, which are small themselves; PKT adds
    # 1e-7 to probabilities.
    limit = {"dist": 1e-3, "pkt": 1e-6}.get(name, 1e-13)
    if contract_of(name).zero_at_identity:
        assert abs(value) < limit
        assert all(gradient.abs().max() < limit for gradient in gradients)
    else:
        assert abs(value) > 1e-3


@pytest.mark.parametrize("name", [name for name in CASES if name != "correlation_congruence_adjacent"])
def test_the_order_of_the_batch_does_not_matter(name):
    case = CASES[name]
    order = torch.tensor([2, 0, 3, 1])
    value, gradients = with_gradient(name, case.student, case.teacher)
    student, teacher = (tuple(tensor[order] for tensor in side) for side in (case.student, case.teacher))
    moved, moved_gradients = with_gradient(name, student, teacher, Y[order])
    torch.testing.assert_close(moved, value, rtol=1e-9, atol=0)
    for found, expected in zip(moved_gradients, gradients, strict=True):
        torch.testing.assert_close(found, expected[order], rtol=1e-7, atol=1e-12)


@each_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("batch", [4, 1])
def test_half_precision_is_computed_in_float32(name, dtype, batch):
    case = CASES[name]
    student, teacher = (tuple(tensor[:batch].to(dtype) for tensor in side) for side in (case.student, case.teacher))
    value, gradients = with_gradient(name, student, teacher, Y[:batch])
    single = tuple(tuple(tensor.float() for tensor in side) for side in (student, teacher))
    expected, expected_gradients = with_gradient(name, *single, Y[:batch])
    assert value.dtype == torch.float32
    assert value == expected
    for found, gradient in zip(gradients, expected_gradients, strict=True):
        assert found.dtype == dtype
        torch.testing.assert_close(found, gradient.to(dtype), rtol=torch.finfo(dtype).eps, atol=0)


def degenerate(case: Case) -> Iterator[tuple[str, tuple[Tensor, ...], tuple[Tensor, ...], Tensor]]:
    """What a batch may look like at its worst, by name."""
    changes: dict[str, Callable[[Tensor], Tensor]] = {
        "zeros": torch.zeros_like,
        "constants": lambda tensor: torch.full_like(tensor, 200.1),
        "equal samples": lambda tensor: tensor[[0, 0, 0, 0]],
        "a pair of equal samples": lambda tensor: tensor[[0, 0, 1, 2]],
        "a sample of zeros": lambda tensor: torch.cat([torch.zeros_like(tensor[:1]), tensor[1:]]),
        "a gap of 200": lambda tensor: 200 * (torch.arange(tensor.numel()) % 7 == 0).view_as(tensor).to(tensor),
    }
    for what, change in changes.items():
        student, teacher = (tuple(change(tensor) for tensor in side) for side in (case.student, case.teacher))
        yield f"{what} of the student", student, case.teacher, Y
        yield f"{what} of the teacher", case.student, teacher, Y
        yield f"{what} of both", student, teacher, Y
    yield "a batch of one", *(tuple(tensor[:1] for tensor in side) for side in (case.student, case.teacher)), Y[:1]
    if case.student[0] is ZS:
        yield "two classes", (ZS[:, :2],), (ZT[:, :2],), Y % 2
        yield "two classes at a gap of 200", (200 * torch.eye(4, 2),), (200 * torch.eye(4, 2).flip(1),), Y % 2


@each_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_degenerate_inputs_are_finite(name, dtype):
    for what, student, teacher, labels in degenerate(CASES[name]):
        sides = (tuple(tensor.to(dtype) for tensor in side) for side in (student, teacher))
        value, gradients = with_gradient(name, *sides, labels)
        assert value.isfinite(), what
        # A division by a guard such as 1e-12 would leave a finite gradient that is of no use.
        assert all(gradient.abs().max() < 1e6 for gradient in gradients), what


@pytest.mark.parametrize("name", AMONG_SAMPLES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_batch_of_one_has_no_relations(name, dtype):
    sides = (tuple(tensor[:1].to(dtype) for tensor in side) for side in (CASES[name].student, CASES[name].teacher))
    value, gradients = with_gradient(name, *sides, Y[:1])
    assert value == 0
    assert not any(gradient.any() for gradient in gradients)


@each_loss
@pytest.mark.parametrize("batch", [4, 1])
def test_shapes_alone_are_enough(name, batch):
    case = CASES[name]
    sides = (tuple(tensor[:batch].float().to("meta") for tensor in side) for side in (case.student, case.teacher))
    value, gradients = with_gradient(name, *sides, Y[:batch].to("meta"))
    assert value.is_meta
    assert value.ndim == 0
    assert [gradient.shape for gradient in gradients] == [(batch, *tensor.shape[1:]) for tensor in case.student]


@pytest.mark.parametrize("name", [name for name in CASES if name not in FORMS and contract_of(name).adapter is None])
def test_a_recipe_without_parameters_is_the_function_with_its_defaults(name):
    case = CASES[name]
    part = getattr(Losses.model_validate({name: {"weight": 1}}), name)
    context = StepContext(0.5, Y, torch.arange(4), CLASSES, TEMPERATURE)
    tuples = LOSS_SPECS[name].inputs in (STAGE_PAIRS, ALL_STAGES)
    teacher = (Y,) if name == "task" else case.teacher
    arguments = (case.student, teacher) if tuples else (*case.student, *teacher)
    found = LOSS_SPECS[name].compare(part, *arguments, context)
    torch.testing.assert_close(found, case.function(case.student, case.teacher, Y), rtol=1e-12, atol=0)


def test_no_loss_is_left_out_of_these_tests():
    assert set(functional.__all__) == set(CASES) - {"task"} | ELSEWHERE


def test_contracts():
    assert list(LOSS_SPECS) == [name for name in Losses.model_fields if name != "custom"]
    with pytest.raises(TypeError):
        LOSS_SPECS["kd"] = LOSS_SPECS["hint"]  # type: ignore[index]


@pytest.mark.parametrize("name", LOSS_SPECS)
def test_a_contract_says_how_it_scales_and_where_it_comes_from(name):
    spec = LOSS_SPECS[name]
    for text in (spec.scale, spec.paper, spec.reference):
        assert text.strip()
