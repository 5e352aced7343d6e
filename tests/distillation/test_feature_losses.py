from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import CLASSES, FS, FS1, FT, FT1, assert_agrees, before_a_run, det
from torch import Tensor, nn
from torch.nn import functional

from automl_kd.core import UserError
from automl_kd.distillation.adapters import Connector, Projection, ReviewFusion, VariationalRegressor
from automl_kd.distillation.functional import (
    activation_boundary,
    channel_wise,
    factor_transfer,
    fsp,
    gradient_matching,
    gram,
    hint,
    ickd,
    mmd,
    pkd,
    review_hcl,
    simkd,
    srrl,
    tinybert_attention,
    tinybert_hidden,
    vid,
)
from automl_kd.distillation.losses import LOSS_SPECS, BuildContext, LossOutput, Pair, StepContext
from automl_kd.distillation.losses.fsp import flow
from automl_kd.distillation.losses.inputs import ALL_STAGES, STAGE_PAIRS
from automl_kd.recipes import Losses

NARROW = det((4, 3, 8, 8), 0.3, 0.1)
SCORES_S, SCORES_T = det((2, 3, 5, 5), 0.21, 0.4), det((2, 3, 5, 5), 0.27, 0.7)
RHO = math.log(math.expm1(5 - 1e-5))


def regressor() -> VariationalRegressor:
    module = VariationalRegressor(6, 6).double()
    for i, weight in enumerate(module.mean.parameters()):
        weight.data = det(tuple(weight.shape), 0.41 + 0.01 * i, 0.2, 0.5)
    return module


def torchdistill_fsp(s: Tensor) -> Tensor:
    return (flow(s, FS1) - flow(FT, FT1)).norm(dim=1).sum() / len(s)


# Name in the golden file, loss as a function of the student alone. TextBrewer was shown channels as its tokens.
REFERENCES = [
    ("ab/RepDistiller 1 layer", lambda s: activation_boundary(s, FT)),
    ("ft/RepDistiller p1=2 p2=1", lambda s: factor_transfer(s, FT)),
    ("fsp/torchdistill (maxpool, norm(dim=1) sum / B)", torchdistill_fsp),
    ("vid/RepDistiller det-weights", lambda s: vid(regressor()(s), torch.full((6,), RHO, dtype=torch.float64), FT)),
    ("mmd-nst/TextBrewer", lambda s: mmd(s, FT)),
    ("mmd-nst/TextBrewer", lambda s: mmd(s.flatten(2), FT.flatten(2))),
    ("mmd-nst/TextBrewer", lambda s: ickd(s, FT)),
    ("gram-fsp/TextBrewer", lambda s: gram(s.flatten(2), FT.flatten(2))),
]


@pytest.mark.parametrize(("name", "loss"), REFERENCES)
def test_agrees_with_the_reference_implementation(name, loss):
    assert_agrees(name, loss, FS)


def same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-15)


def test_vid_starts_at_a_variance_of_5_and_has_the_likelihood_of_a_gaussian():
    adapter = VariationalRegressor(3, 6).double()
    expected = 0.5 * ((FS - FT).square().mean() / 5 + math.log(5))
    torch.testing.assert_close(vid(FS, adapter.log_scale, FT), expected, rtol=1e-6, atol=0)
    rho = det((6,), 0.5, 0.2)
    variance = (rho.exp().log1p() + 1e-5).reshape(1, 6, 1, 1)
    density = (-((FS - FT) ** 2) / (2 * variance)).exp() / variance.sqrt()
    same(vid(FS, rho, FT), -density.log().mean())
    same(vid(FS, rho.reshape(1, 6, 1, 1), FT), vid(FS, rho, FT))


def test_activation_boundary_closed_form():
    # Silent neurons: inside the margin (0.5 + 1)², outside of it 0. Active ones: below it (-2 - 1)², above it 0.
    student = torch.tensor([[0.5, -1.5], [-2.0, 3.0]], dtype=torch.float64).reshape(1, 1, 2, 2)
    teacher = torch.tensor([[-1.0, 0.0], [2.0, 0.1]], dtype=torch.float64).reshape(1, 1, 2, 2)
    assert activation_boundary(student, teacher).item() == pytest.approx((2.25 + 9) * 3 / 1000)
    assert activation_boundary(student, teacher, margin=2.0).item() == pytest.approx((6.25 + 0.25 + 16) * 3 / 1000)
    assert activation_boundary(student, teacher.relu()) == activation_boundary(student, teacher)


def test_factor_transfer_closed_form():
    # Energies (9, 0, 0, 0) and (0, 16, 0, 0): unit vectors at right angles, 2 over four places.
    student, teacher = torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, 2)
    student[0, 0, 0, 0], teacher[0, 1, 0, 1] = 3.0, 4.0
    assert factor_transfer(student, teacher).item() == pytest.approx(2 / 4)


def test_fsp_is_the_mean_square_between_flows_of_max_pooled_maps():
    def matrix(first: Tensor, second: Tensor) -> Tensor:
        return torch.einsum("bchw,bdhw->bcd", functional.max_pool2d(first, 2), second) / 16

    same(fsp(FS, FS1, FT, FT1), (matrix(FS, FS1) - matrix(FT, FT1)).square().mean())
    same(flow(FS1, FS), matrix(FS, FS1).transpose(1, 2))


@pytest.mark.parametrize(
    ("size", "levels"), [(8, {4: 1 / 2, 2: 1 / 4, 1: 1 / 8}), (4, {2: 1 / 2, 1: 1 / 4}), (2, {1: 1 / 2}), (1, {})]
)
def test_hcl_weighs_the_levels_below_the_size(size, levels):
    s, t = FS[:, :, :size, :size], FT[:, :, :size, :size]
    expected = functional.mse_loss(s, t)
    for level, weight in levels.items():
        pooled = (functional.adaptive_avg_pool2d(each, level) for each in (s, t))
        expected = expected + weight * functional.mse_loss(*pooled)
    same(review_hcl(s, t), expected / (1 + sum(levels.values())))


def test_srrl_is_the_mean_square_between_spatial_means():
    same(srrl(FS, FT), functional.mse_loss(FS.mean((2, 3)), FT.mean((2, 3))))
    same(srrl(FS, FT1), functional.mse_loss(FS.mean((2, 3)), FT1.mean((2, 3))))


def test_channel_wise_is_the_divergence_of_each_channel():
    q, p = (torch.softmax(each.reshape(24, 64) / 3, dim=1) for each in (FT, FS))
    same(channel_wise(FS, FT, temperature=3.0), 9 * (q * (q / p).log()).sum() / 24)


def test_pkd_is_half_the_mean_square_of_standardised_channels():
    def standard(features: Tensor) -> Tensor:
        rows = features.transpose(0, 1).reshape(6, -1)
        return (rows - rows.mean(1, keepdim=True)) / (rows.std(1, keepdim=True) + 1e-6)

    same(pkd(FS, FT), functional.mse_loss(standard(FS), standard(FT)) / 2)
    correlations = [torch.corrcoef(torch.stack((FS[:, c].flatten(), FT[:, c].flatten())))[0, 1] for c in range(6)]
    expected = (1 - torch.stack(correlations).mean()) * 255 / 256
    torch.testing.assert_close(pkd(FS, FT), expected, rtol=1e-5, atol=0)


def test_correlations_of_channels():
    g = [torch.einsum("bchw,bdhw->bcd", each, each) / 64 for each in (FS, FT)]
    same(ickd(FS, FT), functional.mse_loss(*g))
    same(gram(FS, FT), functional.mse_loss(*g))
    tokens = [each.flatten(2).transpose(1, 2) for each in (FS, FT)]
    same(gram(*tokens), functional.mse_loss(*g))
    # What sets them apart: only ICKD brings the maps to one size.
    g[1] = torch.einsum("bchw,bdhw->bcd", FT1, FT1) / 16
    same(gram(FS, FT1), functional.mse_loss(*g))
    same(ickd(FS, FT1), ickd(functional.avg_pool2d(FS, 2), FT1))


def test_mmd_is_the_discrepancy_under_its_kernel():
    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x.flatten(2).transpose(1, 2) @ y.flatten(2) / 6).square().mean()

    for t in (FT, FT1):
        torch.testing.assert_close(mmd(FS, t), kernel(FS, FS) + kernel(t, t) - 2 * kernel(FS, t), rtol=1e-11, atol=0)


def test_gradient_matching_is_twice_one_minus_the_cosine():
    cosines = functional.cosine_similarity(FS.flatten(1), FT.flatten(1))
    same(gradient_matching(FS, FT), (2 - 2 * cosines).mean())


def test_gradient_matching_teaches_through_the_gradient_by_the_image():
    weight = torch.tensor([[1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    images = torch.tensor([[0.3, -0.2]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad((images @ weight.T).sum(), images, create_graph=True)
    value = gradient_matching(gradient, torch.tensor([[0.0, 5.0]], dtype=torch.float64))
    value.backward()
    # g = w: orthogonal to the teacher's, and turned towards it by a step against the derivative.
    assert value.item() == pytest.approx(2)
    torch.testing.assert_close(weight.grad, torch.tensor([[0.0, -2.0]], dtype=torch.float64))


def test_masked_scores_count_as_zero_and_unequal_heads_are_averaged():
    masked = SCORES_S.clone()
    masked[..., -1] = -10_000.0
    zero = SCORES_S.clone()
    zero[..., -1] = 0.0
    same(tinybert_attention(masked, SCORES_T), functional.mse_loss(zero, SCORES_T))
    same(tinybert_attention(SCORES_T, masked), functional.mse_loss(SCORES_T, zero))
    expected = functional.mse_loss(zero.mean(1), SCORES_T[:, :2].mean(1))
    same(tinybert_attention(masked, SCORES_T[:, :2]), expected)
    infinite = masked.masked_fill(masked < -100, -math.inf).requires_grad_()
    tinybert_attention(infinite, SCORES_T).backward()
    assert not infinite.grad[..., -1].any()


def test_hidden_states_are_compared_as_tokens_and_as_maps():
    tokens = [each.flatten(2).transpose(1, 2) for each in (FS, FT)]
    same(tinybert_hidden(*tokens), functional.mse_loss(FS, FT))
    same(tinybert_hidden(FS, FT), functional.mse_loss(FS, FT))


@pytest.mark.parametrize(
    "function",
    [
        *(hint, simkd, review_hcl, channel_wise, pkd, ickd, activation_boundary, factor_transfer, tinybert_hidden),
        lambda s, t: vid(s, torch.zeros(6).double(), t),
    ],
)
def test_the_larger_map_is_average_pooled_before_anything_else(function):
    same(function(FS, FT1), function(functional.avg_pool2d(FS, 2), FT1))
    same(function(FS1, FT), function(FS1, functional.avg_pool2d(FT, 2)))


SIMPLE = {
    "activation_boundary": activation_boundary,
    "factor_transfer": factor_transfer,
    "review_hcl": review_hcl,
    "simkd": simkd,
    "srrl": srrl,
    "channel_wise": channel_wise,
    "pkd": pkd,
    "ickd": ickd,
    "gram": gram,
    "mmd": mmd,
    "gradient_matching": gradient_matching,
    "tinybert_hidden": tinybert_hidden,
    "tinybert_attention": tinybert_attention,
    "vid": lambda s, t: vid(s, torch.full((s.shape[1],), RHO, dtype=s.dtype), t),
    "fsp": lambda s, t: fsp(s, s[..., ::2, ::2], t, t[..., ::2, ::2]),
}


@pytest.mark.parametrize("name", SIMPLE)
def test_gradient(name):
    s, t = FS[:2, :3, :4, :4].clone(), FT[:2, :3, :4, :4]
    assert torch.autograd.gradcheck(lambda s: SIMPLE[name](s, t), (s.requires_grad_(),))


def test_gradient_of_the_scale_and_of_unequal_sizes():
    rho = det((6,), 0.5, 0.2).requires_grad_()
    assert torch.autograd.gradcheck(lambda rho: vid(FS, rho, FT), (rho,))
    for function in (factor_transfer, review_hcl, channel_wise, pkd, ickd, mmd):
        s = FS1[:1].clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda s, function=function: function(s, FT[:1]), (s,))
    maps = tuple(each[:1, :2].clone().requires_grad_() for each in (FS, FS1))
    assert torch.autograd.gradcheck(lambda first, second: fsp(first, second, FT[:1, :2], FT1[:1, :2]), maps)


@pytest.mark.parametrize("name", SIMPLE)
def test_identity_is_what_the_contract_says(name):
    s = FS.clone().requires_grad_()
    value = SIMPLE[name](s, FS)
    value.backward()
    assert (abs(value.item()) < 1e-15) == LOSS_SPECS[name].zero_at_identity
    if LOSS_SPECS[name].zero_at_identity:
        assert s.grad.abs().max() < 1e-15


CASES = {
    "zeros": (torch.zeros(4, 6, 8, 8), FT),
    "a teacher of zeros": (FS, torch.zeros(4, 6, 8, 8)),
    "both zero": (torch.zeros(4, 6, 8, 8), torch.zeros(4, 6, 8, 8)),
    "constant channels": (det((1, 6, 1, 1), 0.7, 0.3).expand(4, 6, 8, 8), FT),
    "large constant channels": (torch.full((4, 6, 8, 8), 1003.3), FT),
    "a gap of 200": (200 * torch.eye(8).expand(4, 6, 8, 8), -200 * torch.eye(8).expand(4, 6, 8, 8)),
    "one sample": (FS[:1], FT[:1]),
    "one position": (FS[:1, :, :1, :1], FT[:1, :, :1, :1]),
    "equal samples": (FS[[0, 0, 0, 0]], FT),
    "equal": (FS, FS),
    "tiny": (1e-20 * FS, FT),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", SIMPLE)
def test_degenerate_inputs_are_finite(name, case, dtype):
    student, teacher = (each.to(dtype) for each in CASES[case])
    s = student.clone().requires_grad_()
    value = SIMPLE[name](s, teacher)
    value.backward()
    assert value.isfinite()
    assert value.dtype == torch.float32
    assert s.grad.isfinite().all()


@pytest.mark.parametrize("constant", [0.0, 0.1, 1003.3])
def test_a_constant_channel_is_zero_after_standardising_and_has_no_gradient(constant):
    s = FS.float().clone()
    s[:, 2] = constant
    s.requires_grad_()
    value = pkd(s, FT.float())
    value.backward()
    rest = [0, 1, 3, 4, 5]
    without = pkd(FS[:, rest], FT[:, rest]) * 5 / 6 + 0.5 / 6 * 255 / 256
    assert value.item() == pytest.approx(without.item(), rel=1e-4)
    assert not s.grad[:, 2].any()


def test_a_map_without_contrast_is_zero_after_standardising_at_any_size():
    for shape in ((128, 3, 32, 32), (16, 2, 7, 7), (3, 5, 1, 5)):
        s = torch.full(shape, 0.1, requires_grad=True)
        value = pkd(s, det(shape, 0.3, 0.2).float())
        value.backward()
        count = math.prod(shape) / shape[1]
        assert value.item() == pytest.approx(0.5 * (count - 1) / count, rel=1e-4)
        assert not s.grad.any()


def test_a_gradient_of_zeros_is_left_alone():
    s = FS.clone()
    s[1] = 0
    s.requires_grad_()
    value = gradient_matching(s, FT)
    value.backward()
    same(value, (gradient_matching(FS[[0, 2, 3]], FT[[0, 2, 3]]) * 3 + 1) / 4)
    assert not s.grad[1].any()


scales = st.lists(st.floats(0.05, 20), min_size=6, max_size=6)
shifts = st.lists(st.floats(-20, 20), min_size=6, max_size=6)


def channels(numbers: list[float]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64).reshape(1, 6, 1, 1)


@given(scale=scales, shift=shifts)
@settings(deadline=None, max_examples=25)
def test_pkd_ignores_scale_and_shift_of_every_channel_of_either_side(scale, shift):
    expected = pkd(FS, FT)
    torch.testing.assert_close(pkd(channels(scale) * FS + channels(shift), FT), expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(pkd(FS, channels(scale) * FT + channels(shift)), expected, rtol=1e-4, atol=0)


@given(shift=shifts, temperature=st.floats(0.5, 20))
@settings(deadline=None, max_examples=25)
def test_channel_wise_ignores_a_shift_of_every_channel(shift, temperature):
    moved = channel_wise(FS + channels(shift), FT - channels(shift), temperature=temperature)
    torch.testing.assert_close(moved, channel_wise(FS, FT, temperature=temperature), rtol=1e-9, atol=1e-12)


@given(scale=st.floats(-300, 30))
@settings(deadline=None, max_examples=25)
def test_gradient_matching_and_factor_transfer_ignore_scale(scale):
    torch.testing.assert_close(gradient_matching(10**scale * FS, FT), gradient_matching(FS, FT), rtol=1e-9, atol=0)
    moderate = 10 ** (scale / 100)
    torch.testing.assert_close(factor_transfer(-moderate * FS.flip(1), FT), factor_transfer(FS, FT), rtol=1e-9, atol=0)


@given(order=st.permutations(range(64)))
@settings(deadline=None, max_examples=10)
def test_relations_of_channels_ignore_where_in_the_map_they_are(order):
    moved = FS.flatten(2)[..., order].reshape(FS.shape)
    for function in (ickd, gram, mmd, srrl, pkd):
        teacher = FT if function is not pkd else FT.flatten(2)[..., order].reshape(FT.shape)
        torch.testing.assert_close(function(moved, teacher), function(FS, FT), rtol=1e-9, atol=0)


@given(order=st.permutations(range(4)))
@settings(deadline=None, max_examples=10)
def test_no_loss_depends_on_the_order_of_the_batch(order):
    for function in SIMPLE.values():
        torch.testing.assert_close(function(FS[order], FT[order]), function(FS, FT), rtol=1e-9, atol=0)


# Contracts, with their adapters


HEAD = (det((5, 16), 0.3, 0.2, 0.5), det((5,), 0.4, 0.1, 0.5))
SHAPES = (8, 16, 16), (12, 8, 8), (20, 4, 4)
TEACHER_SHAPES = (10, 16, 16), (14, 8, 8), (16, 4, 4)
NEVER = ("simkd", "tinybert_attention", "gradient_matching")
ALWAYS = ("vid", "factor_transfer", "review_hcl", "srrl")


def before_the_run(head: tuple[Tensor, Tensor] | None = HEAD) -> BuildContext:
    return before_a_run((3, 16, 16), examples=100, head=head)


def part(name: str, **fields: object) -> object:
    return getattr(Losses.model_validate({name: {"weight": 1, **fields}}), name)


def pairs_of(name: str, student, teacher) -> tuple[Pair, ...]:
    found = tuple(Pair(f"s{i}", f"t{i}", *shapes) for i, shapes in enumerate(zip(student, teacher, strict=True)))
    return found[{STAGE_PAIRS: slice(1, 3), ALL_STAGES: slice(0, 3)}.get(LOSS_SPECS[name].inputs, slice(2, 3))]


def adapter_of(name: str, pairs: tuple[Pair, ...]) -> nn.Module | None:
    build = LOSS_SPECS[name].adapter
    return build(part(name), pairs, before_the_run()) if build is not None else None


def at_a_step(adapter: nn.Module | None, progress: float = 0.5) -> StepContext:
    nothing = torch.zeros(4, dtype=torch.int64)
    return StepContext(progress, labels=nothing, index=nothing, problem=CLASSES, adapter=adapter)


def compared(name: str, pairs: tuple[Pair, ...], adapter: nn.Module | None, students: list[Tensor], **fields: object):
    teachers = [torch.ones(4, *pair.teacher_shape, device=students[0].device) for pair in pairs]
    several = LOSS_SPECS[name].inputs in (STAGE_PAIRS, ALL_STAGES)
    inputs = (tuple(students), tuple(teachers)) if several else (students[0], teachers[0])
    return LOSS_SPECS[name].compare(part(name, **fields), *inputs, at_a_step(adapter))


@pytest.mark.parametrize("name", SIMPLE)
def test_adapters_stand_where_channels_differ_and_only_there(name):
    equal = pairs_of(name, TEACHER_SHAPES, TEACHER_SHAPES)
    assert (adapter_of(name, equal) is not None) == (name in ALWAYS)
    assert (adapter_of(name, pairs_of(name, SHAPES, TEACHER_SHAPES)) is not None) == (name not in NEVER)


@pytest.mark.parametrize("name", [name for name in SIMPLE if name not in NEVER])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_student_of_other_channels_learns_through_its_adapter(name, device):
    pairs = pairs_of(name, SHAPES, TEACHER_SHAPES)
    with torch.device(device):
        adapter = adapter_of(name, pairs)
        students = [torch.rand(4, *pair.student_shape).requires_grad_() for pair in pairs]
        value = compared(name, pairs, adapter, students)
    loss = value.loss if isinstance(value, LossOutput) else value
    assert loss.shape == ()
    loss.backward()
    learned = [p for key, p in adapter.named_parameters() if not key.startswith("paraphraser")]
    assert all(each.grad is not None and each.grad.device.type == device for each in (*students, *learned))
    if device == "cpu":
        assert all(each.grad.any() for each in students)


@pytest.mark.parametrize("name", NEVER)
def test_losses_without_adapters_run_on_the_meta_device(name):
    maps = torch.empty(4, 16, 4, 4, device="meta", requires_grad=True)
    value = LOSS_SPECS[name].compare(part(name), maps, torch.empty(4, 16, 4, 4, device="meta"), at_a_step(None))
    value.backward()
    assert maps.grad.shape == maps.shape


def test_the_contract_of_vid_is_its_function_behind_the_regressor():
    adapter = regressor()
    expected = vid(adapter(functional.avg_pool2d(FS, 2)), adapter.log_scale, FT1)
    same(LOSS_SPECS["vid"].compare(part("vid"), FS, FT1, at_a_step(adapter)), expected)
    assert {"log_scale"} < set(dict(adapter.named_parameters()))
    assert "log_scale" in adapter.state_dict()


def test_earlier_activation_boundaries_weigh_half_of_the_next():
    margin = part("activation_boundary", margin=0.7)
    found = LOSS_SPECS["activation_boundary"].compare(margin, (FS, FS1, FS), (FT, FT1, FS1), at_a_step(None))
    losses = [activation_boundary(s, t, margin=0.7) for s, t in ((FS, FT), (FS1, FT1), (FS, FS1))]
    same(found, losses[0] / 4 + losses[1] / 2 + losses[2])


def test_the_paraphraser_learns_first_and_is_frozen_after():
    pairs = pairs_of("factor_transfer", SHAPES, TEACHER_SHAPES)
    halves = part("factor_transfer", pretrain=0.4, rate=0.5)
    adapter = LOSS_SPECS["factor_transfer"].adapter(halves, pairs, before_the_run())
    student, teacher = det((4, 20, 4, 4), 0.3, 0.1).float().requires_grad_(), det((4, 16, 4, 4), 0.2, 0.4).float()

    def step(progress: float) -> Tensor | LossOutput:
        adapter.zero_grad()
        student.grad = None
        found = LOSS_SPECS["factor_transfer"].compare(halves, student, teacher, at_a_step(adapter, progress))
        (found.loss + found.adapter_loss if isinstance(found, LossOutput) else found).backward()
        return found

    def touched(module: nn.Module) -> list[bool]:
        return [p.grad is not None and bool(p.grad.any()) for p in module.parameters()]

    before = step(0.39)
    assert before.warming_up
    assert before.loss.item() == 0
    assert before.adapter_loss.item() == pytest.approx(
        functional.mse_loss(adapter.paraphraser(teacher), teacher).item()
    )
    assert not student.grad.any()
    assert all(touched(adapter.paraphraser))
    assert not any(touched(adapter.translator))
    after = step(0.4)
    assert isinstance(after, Tensor)
    assert after.item() > 0
    assert student.grad.any()
    assert all(p.grad is None for p in adapter.paraphraser.parameters())
    assert any(touched(adapter.translator))
    assert adapter.paraphraser.encoder(teacher).shape == (4, 8, 4, 4) == adapter.translator(student).shape


def test_the_review_begins_with_the_last_map_and_halves_where_attention_is_even():
    fusion = ReviewFusion((8, 12, 20), (10, 14, 16)).eval()
    maps = tuple(torch.rand(2, *shape) for shape in SHAPES)
    last = fusion.narrow[2](maps[2])
    middle = fusion.narrow[1](maps[1])
    for attend in fusion.attend:
        nn.init.zeros_(attend[0].weight)
        nn.init.zeros_(attend[0].bias)
    found = fusion(maps)
    assert [tuple(each.shape[1:]) for each in found] == [(10, 16, 16), (14, 8, 8), (16, 4, 4)]
    enlarged = last.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(found[2], fusion.widen[2](last))
    torch.testing.assert_close(found[1], fusion.widen[1]((middle + enlarged) / 2))
    teachers = tuple(torch.rand(2, *shape) for shape in TEACHER_SHAPES)
    total = sum(review_hcl(s, t) for s, t in zip(found, teachers, strict=True))
    torch.testing.assert_close(
        LOSS_SPECS["review_hcl"].compare(part("review_hcl"), maps, teachers, at_a_step(fusion)), total
    )


def test_srrl_adds_the_teachers_classifier_which_never_learns():
    weight, bias = HEAD[0][:, :6].float(), HEAD[1].float()
    (pair,) = (Pair("s", "t", (6, 8, 8), (6, 8, 8)),)
    adapter = LOSS_SPECS["srrl"].adapter(part("srrl"), (pair,), before_the_run((weight, bias)))
    s, t = FS.float(), FT.float()
    logits = [functional.linear(each.mean((2, 3)), weight, bias) for each in (s, t)]
    expected = srrl(s, t) + functional.mse_loss(*logits)
    torch.testing.assert_close(LOSS_SPECS["srrl"].compare(part("srrl"), s, t, at_a_step(adapter)), expected)
    assert list(adapter.parameters()) == []
    assert adapter.weight.data_ptr() != weight.data_ptr()


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (None, r"^distill\.losses\.srrl: needs a teacher whose outputs are one linear layer.*use another loss$"),
        ((HEAD[0][:, :9], HEAD[1]), r"^distill\.losses\.srrl\.at: .* reads 9 channels and its t2 has 16: use last$"),
    ],
)
def test_srrl_needs_the_classifier_of_the_last_map(head, message):
    pairs = pairs_of("srrl", SHAPES, TEACHER_SHAPES)
    with pytest.raises(UserError, match=message):
        LOSS_SPECS["srrl"].adapter(part("srrl"), pairs, before_the_run(head))


def test_channel_wise_reads_its_temperature_from_the_recipe():
    found = LOSS_SPECS["channel_wise"].compare(part("channel_wise", temperature=2.0), FS, FT, at_a_step(None))
    same(found, channel_wise(FS, FT, temperature=2.0))


def test_projections_and_connectors_change_channels_only():
    for build in (Projection, Connector):
        assert build(3, 6).double()(NARROW).shape == (4, 6, 8, 8)
