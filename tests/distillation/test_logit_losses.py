"""Losses of logits, contrast with a memory, peers and exits."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import CLASSES, ES, ET, FS, SMALL, STUDENT, ZS, ZT, Y, assert_agrees, before_a_run, det
from torch import Tensor, nn
from torch.nn import functional

from automl_kd.core import UserError
from automl_kd.distillation.functional import (
    ce_soft,
    crd,
    crd_inbatch,
    dist,
    dkd,
    hint,
    kd,
    logit_standardization,
    mutual,
    self_distillation,
)
from automl_kd.distillation.losses import LOSS_SPECS, LossOutput, Pair, StepContext
from automl_kd.recipes import Losses
from automl_kd.students import build
from automl_kd.tasks.modalities.image_mix import ImageMix as Mix

TINY = {"family": "resnet", "stages": [{"depth": 1, "channels": 4}, {"depth": 1, "channels": 8}]}


def with_gradient(loss, student: Tensor) -> tuple[Tensor, Tensor]:
    s = student.clone().requires_grad_()
    value = loss(s)
    (gradient,) = torch.autograd.grad(value, s)
    return value.detach(), gradient


def descend(module: nn.Module, loss: Tensor, rate: float) -> None:
    """One step of plain gradient descent."""
    parameters = list(module.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.data.sub_(rate * gradient)


# Name in the golden file and the loss as a function of the student's logits alone.
REFERENCES = {
    "kd/RepDistiller T4": lambda s: kd(s, ZT, temperature=4.0),
    "kd/TextBrewer kd_mse_loss T4": lambda s: hint((s / 4).view(4, 10, 1, 1), (ZT / 4).view(4, 10, 1, 1)),
    "kd/AlphaNet KLLossSoft T4 (soft-CE, no T^2 w/o target)": lambda s: ce_soft(s, ZT, temperature=4.0),
    "dkd/mdistiller a1 b8 T4": lambda s: dkd(s, ZT, labels=Y, alpha=1.0, beta=8.0, temperature=4.0),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_agrees_with_the_reference_implementation(name):
    assert_agrees(name, REFERENCES[name], ZS)


# Losses of logits, called with student, teacher, labels and temperature.
LOGITS = {
    "kd": lambda s, t, y, temperature: kd(s, t, temperature=temperature),
    "dkd": lambda s, t, y, temperature: dkd(s, t, labels=y, temperature=temperature),
    "dist": lambda s, t, y, temperature: dist(s, t, beta=2.0, gamma=0.5, temperature=temperature),
    "standardised kd": lambda s, t, y, temperature: logit_standardization(s, t, temperature=temperature),
    "standardised dkd": lambda s, t, y, temperature: logit_standardization(
        s, t, loss=dkd, temperature=temperature, labels=y, beta=2.0
    ),
    "ce_soft": lambda s, t, y, temperature: ce_soft(s, t, temperature=temperature),
}
all_logits = pytest.mark.parametrize("loss", LOGITS.values(), ids=LOGITS)


@all_logits
def test_gradient(loss):
    assert torch.autograd.gradcheck(lambda s: loss(s, ZT, Y, 2.5), (ZS.clone().requires_grad_(),))


@all_logits
def test_gradient_of_temperatures_and_teacher(loss):
    def value(teacher: Tensor, temperature: Tensor) -> Tensor:
        return loss(ZS, teacher, Y, temperature)

    for temperature in (
        torch.tensor(3.0, dtype=torch.float64),
        torch.tensor([1.5, 2.0, 3.0, 4.0], dtype=torch.float64),
    ):
        assert torch.autograd.gradcheck(value, (ZT.clone().requires_grad_(), temperature.requires_grad_()))


@all_logits
def test_a_scalar_tensor_is_a_number(loss):
    expected = loss(ZS, ZT, Y, 3.0)
    torch.testing.assert_close(loss(ZS, ZT, Y, torch.tensor(3.0)), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(loss(ZS, ZT, Y, torch.full((4,), 3.0)), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", [name for name in LOGITS if name != "dist"])
def test_a_temperature_for_each_sample_is_the_mean_over_samples(name):
    temperatures = torch.tensor([1.0, 2.5, 4.0, 8.0], dtype=torch.float64)
    alone = [
        LOGITS[name](ZS[i : i + 1], ZT[i : i + 1], Y[i : i + 1], temperature.item())
        for i, temperature in enumerate(temperatures)
    ]
    torch.testing.assert_close(LOGITS[name](ZS, ZT, Y, temperatures), torch.stack(alone).mean(), rtol=1e-12, atol=0)


def test_dist_with_a_temperature_for_each_sample():
    temperatures = torch.tensor([1.0, 2.5, 4.0, 8.0], dtype=torch.float64)
    alone = [
        dist(ZS[i : i + 1], ZT[i : i + 1], temperature=temperature.item()) for i, temperature in enumerate(temperatures)
    ]
    found = dist(ZS, ZT, gamma=0.0, temperature=temperatures)
    torch.testing.assert_close(found, torch.stack(alone).mean(), rtol=1e-12, atol=0)
    # Classes meet the samples together: softened one by one, scaled by the mean of T².
    softened = [z / temperatures.unsqueeze(1) for z in (ZS, ZT)]
    expected = temperatures.square().mean() * dist(*softened, beta=0.0, temperature=1.0)
    torch.testing.assert_close(dist(ZS, ZT, beta=0.0, temperature=temperatures), expected, rtol=1e-12, atol=0)


@all_logits
@pytest.mark.parametrize("temperature", ["one", "each"])
def test_positions_are_rows(loss, temperature):
    # Two samples of six positions, of five classes.
    s, t, y = det((12, 5), 0.7, 0.1), det((12, 5), 0.9, 0.5, 3), torch.arange(12) % 5
    samples = torch.tensor([2.0, 5.0], dtype=torch.float64)
    flat, given = (samples.repeat_interleave(6), samples) if temperature == "each" else (3.0, 3.0)
    expected, gradient = with_gradient(lambda s: loss(s, t, y, flat), s)
    sequences, of_sequences = with_gradient(lambda s: loss(s, t.view(2, 6, 5), y.view(2, 6), given), s.view(2, 6, 5))
    torch.testing.assert_close(sequences, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(of_sequences.view(12, 5), gradient, rtol=1e-9, atol=1e-15)
    dense = partial(torch.movedim, source=3, destination=1)
    value, of_maps = with_gradient(
        lambda s: loss(s, dense(t.view(2, 2, 3, 5)), y.view(2, 2, 3), given), dense(s.view(2, 2, 3, 5))
    )
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(of_maps.movedim(1, 3).reshape(12, 5), gradient, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", [name for name in LOGITS if name not in ("ce_soft", "dist")])
def test_zero_at_identity(name):
    value, gradient = with_gradient(lambda s: LOGITS[name](s, ZS, Y, 4.0), ZS)
    assert abs(value.item()) < 1e-13
    assert gradient.abs().max() < 1e-14


def test_the_gradient_of_soft_cross_entropy_is_that_of_kd():
    value, gradient = with_gradient(lambda s: ce_soft(s, ZT, temperature=3.0), ZS)
    divergence, expected = with_gradient(lambda s: kd(s, ZT, temperature=3.0), ZS)
    torch.testing.assert_close(9 * gradient, expected, rtol=1e-9, atol=1e-15)
    log_q = (ZT / 3).log_softmax(1)
    torch.testing.assert_close(value, divergence / 9 - (log_q.exp() * log_q).sum(1).mean(), rtol=1e-12, atol=0)


GAP = 200 * torch.eye(4, 10)
DEGENERATE = {
    "constant": (torch.full((4, 10), 0.1), ZT),
    "constant teacher": (ZS, torch.full((4, 10), 200.1)),
    "constant both": (torch.full((4, 10), 200.1), torch.zeros(4, 10)),
    "gap of 200": (GAP, GAP.flip(1)),
    "gap of 200 at the others": (GAP.roll(5, 1), ZT),
    "one sample": (ZS[:1], ZT[:1]),
    "two classes": (ZS[:, :2], ZT[:, :2]),
    "two classes at a gap of 200": (GAP[:, :2], GAP[:, :2].flip(1)),
}


@all_logits
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_logits_are_finite(loss, dtype, case):
    student, teacher = (each.to(dtype) for each in DEGENERATE[case])
    labels = Y[: len(student)] % student.shape[1]
    for temperature in (1.0, 4.0):
        value, gradient = with_gradient(lambda s, t=temperature: loss(s, teacher, labels, t), student)
        assert value.isfinite()
        assert value.dtype == torch.float32
        assert gradient.isfinite().all()
        assert gradient.abs().max() < 1e4


def test_dkd_in_log_space_at_a_gap_of_200():
    # The teacher is sure of class 1 and the student of class 0, the target: KL(target) = KL(rest) up to e^-200.
    student = torch.tensor([[200.0, 0.0, -200.0]])
    teacher = torch.tensor([[0.0, 200.0, 0.0]])
    labels = torch.tensor([0])
    assert dkd(student, teacher, labels=labels, beta=0.0, temperature=1.0).item() == pytest.approx(200)
    # Among the rest the teacher has (1, e^-200) and the student (1, e^-200): nothing to learn.
    assert dkd(student, teacher, labels=labels, alpha=0.0, temperature=1.0).item() == 0


def test_dkd_of_two_classes_has_only_the_target():
    s, t, y = ZS[:, :2], ZT[:, :2], Y % 2
    value, gradient = with_gradient(lambda s: dkd(s, t, labels=y, alpha=0.0, temperature=2.0), s)
    assert value == 0
    assert not gradient.any()
    expected = kd(s, t, temperature=2.0)
    torch.testing.assert_close(dkd(s, t, labels=y, temperature=2.0), expected, rtol=1e-12, atol=0)


def test_dkd_splits_kd():
    # KL = KL(target) + (1 - q_target) KL(rest); equation 5 of the paper.
    weights = 1 - (ZT / 3).softmax(1).gather(1, Y.unsqueeze(1)).squeeze(1)
    parts = [
        dkd(ZS[i : i + 1], ZT[i : i + 1], labels=Y[i : i + 1], beta=weights[i].item(), temperature=3.0)
        for i in range(4)
    ]
    torch.testing.assert_close(torch.stack(parts).mean(), kd(ZS, ZT, temperature=3.0), rtol=1e-12, atol=0)


def test_standardised_logits_have_mean_0_and_unbiased_deviation_1():
    seen = []

    def watch(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
        seen.extend([student, teacher])
        return student.sum() * temperature

    logit_standardization(ZS, ZT, loss=watch)
    for z, raw in zip(seen, (ZS, ZT), strict=True):
        torch.testing.assert_close(z, (raw - raw.mean(1, keepdim=True)) / (1e-7 + raw.std(1, keepdim=True)))


def test_standardising_does_not_divide_rounding_by_itself():
    constant = torch.full((2, 7), 200.1)
    value, gradient = with_gradient(lambda s: logit_standardization(s, ZT[:2, :7].float()), constant)
    uniform = logit_standardization(torch.zeros(2, 7), ZT[:2, :7].float())
    torch.testing.assert_close(value, uniform, rtol=1e-4, atol=0)
    assert 0 < gradient.abs().max() < 10


@given(shift=st.floats(-50, 50), temperature=st.floats(0.5, 20))
@settings(deadline=None, max_examples=15)
def test_no_loss_of_logits_sees_a_shift(shift, temperature):
    for name, loss in LOGITS.items():
        moved, still = loss(ZS + shift, ZT - shift, Y, temperature), loss(ZS, ZT, Y, temperature)
        torch.testing.assert_close(moved, still, rtol=1e-8, atol=1e-12, msg=name)


@given(scale=st.floats(0.05, 20))
@settings(deadline=None, max_examples=15)
def test_standardised_logits_have_no_scale(scale):
    for name in ("standardised kd", "standardised dkd"):
        loss = LOGITS[name]
        torch.testing.assert_close(loss(scale * ZS, ZT / scale, Y, 2.0), loss(ZS, ZT, Y, 2.0), rtol=1e-4, atol=0)


@given(order=st.permutations(range(4)), classes=st.permutations(range(10)))
@settings(deadline=None, max_examples=15)
def test_no_loss_of_logits_sees_the_order_of_samples_or_classes(order, classes):
    places = torch.tensor(classes).argsort()
    for name, loss in LOGITS.items():
        moved = loss(ZS[order][:, classes], ZT[order][:, classes], places[Y[order]], 3.0)
        torch.testing.assert_close(moved, loss(ZS, ZT, Y, 3.0), rtol=1e-9, atol=0, msg=name)


def test_inbatch_contrast_is_the_cross_entropy_of_finding_the_partner():
    s, t = functional.normalize(ES), functional.normalize(ET)
    scores, places = s @ t.T / 0.2, torch.arange(4)
    expected = (functional.cross_entropy(scores, places) + functional.cross_entropy(scores.T, places)) / 2
    torch.testing.assert_close(crd_inbatch(ES, ET, temperature=0.2), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(crd_inbatch(3 * ES, ET / 5), crd_inbatch(ES, ET), rtol=1e-12, atol=0)
    assert torch.autograd.gradcheck(crd_inbatch, (ES.clone().requires_grad_(), ET.clone().requires_grad_()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_inbatch_contrast_of_degenerate_embeddings(dtype):
    for student, teacher, expected in [
        (torch.zeros(4, 16), ET, math.log(4)),
        (ES[:1].expand(4, 16), ET[:1].expand(4, 16), math.log(4)),
        (ES[:1], ET[:1], 0.0),
        (200 * torch.eye(4, 16), ET, None),
    ]:
        value, gradient = with_gradient(lambda s, t=teacher: crd_inbatch(s, t.to(dtype)), student.to(dtype))
        assert gradient.isfinite().all()
        assert value.isfinite()
        if expected is not None:
            assert value.item() == pytest.approx(expected, rel=1e-6)
        if len(student) == 1:
            assert not gradient.any()


N, D, K = 11, 6, 5
MEMORY = functional.normalize(det((2, N, D), 0.43, 0.7), dim=2)
UNIT_S, UNIT_T = functional.normalize(det((3, D), 0.53, 0.2)), functional.normalize(det((3, D), 0.61, 0.4))
COLUMNS = torch.tensor([[0, 3, 5, 7, 9, 3], [4, 1, 2, 3, 10, 9], [8, 0, 1, 2, 3, 4]])


def written_out(s: Tensor, t: Tensor, temperature: float) -> Tensor:
    """The reference's sums, term by term."""
    total = torch.zeros((), dtype=s.dtype)
    for embedding, memory in ((s, MEMORY[1]), (t, MEMORY[0])):
        scores = torch.stack([memory[columns] @ e for columns, e in zip(COLUMNS, embedding, strict=True)])
        scores = (scores / temperature).exp()
        p, noise = scores / (scores.detach().mean() * N), K / N
        own = (p[:, 0] / (p[:, 0] + noise + 1e-7)).log().sum()
        others = (noise / (p[:, 1:] + noise + 1e-7)).log().sum()
        total = total - (own + others) / len(s)
    return total


def test_crd_is_the_reference_written_out():
    value, gradient = with_gradient(lambda s: crd(s, UNIT_T, memory=MEMORY, columns=COLUMNS), UNIT_S)
    expected, expected_gradient = with_gradient(lambda s: written_out(s, UNIT_T, 0.07), UNIT_S)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-9, atol=1e-15)
    constants = torch.tensor([1.0, 2.0], dtype=torch.float64)
    fixed = partial(crd, memory=MEMORY, columns=COLUMNS, log_z=constants)
    assert torch.autograd.gradcheck(fixed, (UNIT_S.clone().requires_grad_(), UNIT_T.clone().requires_grad_()))


@pytest.mark.parametrize("examples", [64, 65], ids=["all cosines", "gathered cosines"])
def test_crd_of_two_columns_is_logistic_regression(examples):
    memory = functional.normalize(det((2, examples, D), 0.3, 0.1), dim=2)
    columns, noise = COLUMNS[:, :2], 1 / examples
    cosines = [memory[1 - side][columns] @ e.unsqueeze(2) for side, e in enumerate((UNIT_S, UNIT_T))]
    odds = torch.stack(cosines).squeeze(3) / 0.07 - 3 - math.log(noise + 1e-7)
    decisions = functional.logsigmoid(odds[..., 0]) + functional.logsigmoid(-odds[..., 1]) - math.log1p(1e-7 / noise)
    constants = torch.tensor([3.0, 3.0], dtype=torch.float64)
    found = crd(UNIT_S, UNIT_T, memory=memory, columns=columns, log_z=constants)
    torch.testing.assert_close(found, -decisions.sum(0).mean(), rtol=1e-12, atol=0)


def test_crd_stays_finite_where_exp_would_overflow():
    value, gradient = with_gradient(
        lambda s: crd(s, UNIT_T.float(), memory=MEMORY.float(), columns=COLUMNS, temperature=1e-3), UNIT_S.float()
    )
    assert value.isfinite()
    assert gradient.isfinite().all()


def adapter(name: str, student: tuple[int, int, int], teacher: tuple[int, int, int], examples: int = 40, **part):
    spec = Losses.model_validate({name: {"weight": 1, **part}})
    pairs = (Pair("stage3", "layer4", student, teacher),)
    before_the_run = before_a_run((3, 32, 32), examples=examples)
    module = LOSS_SPECS[name].adapter(getattr(spec, name), pairs, before_the_run)
    return module, lambda s, t, index: LOSS_SPECS[name].compare(
        getattr(spec, name),
        s,
        t,
        StepContext(0.5, torch.zeros(len(s), dtype=torch.int64), index, CLASSES, adapter=module),
    )


def test_the_memory_moves_towards_the_batch():
    torch.manual_seed(0)
    module, loss = adapter("crd", (16, 1, 1), (12, 1, 1), dimension=8, momentum=0.25, negatives=16)
    before, index = module.memory.clone(), torch.tensor([3, 17, 0])
    student, teacher = torch.randn(3, 16), torch.randn(3, 12)
    loss(student, teacher, index)
    ours, theirs = module.heads(student, teacher)
    for side, embeddings in enumerate((ours, theirs)):
        moved = functional.normalize(0.25 * before[side, index] + 0.75 * embeddings.detach())
        torch.testing.assert_close(module.memory[side, index], moved)
    others = [i for i in range(40) if i not in index.tolist()]
    assert torch.equal(module.memory[:, others], before[:, others])
    torch.testing.assert_close(module.memory.norm(dim=2), torch.ones(2, 40))
    assert not module.memory.requires_grad


def test_the_constants_are_those_of_the_first_batch():
    torch.manual_seed(0)
    module, loss = adapter("crd", (16, 1, 1), (12, 1, 1), dimension=8, negatives=16)
    index = torch.tensor([3, 17, 0])
    loss(torch.randn(3, 16), torch.randn(3, 12), index)
    first = module.log_z.clone()
    assert first.abs().min() > 0
    loss(torch.randn(3, 16), torch.randn(3, 12), index)
    assert torch.equal(module.log_z, first)


def test_negatives_are_other_images_and_at_most_all_of_them():
    module, loss = adapter("crd", (4, 1, 1), (4, 1, 1), examples=5, dimension=4, negatives=4096)
    with torch.no_grad():
        module.memory.zero_()
        module.memory[:, 2, 0] = 1.0
        module.heads.student.weight.copy_(torch.eye(4)), module.heads.teacher.weight.copy_(torch.eye(4))
        module.heads.student.bias.zero_(), module.heads.teacher.bias.zero_()
    embeddings = torch.eye(4)[:1]
    # The cosine is 1 with the own memory, which is never among the negatives, and 0 with the four others.
    value = loss(embeddings, embeddings, torch.tensor([2]))
    scores = torch.tensor([math.exp(1 / 0.07), 1.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    p, noise = scores / (scores.mean() * 5), 4 / 5
    one_way = -(p[0] / (p[0] + noise + 1e-7)).log() - (noise / (p[1:] + noise + 1e-7)).log().sum()
    assert value.item() == pytest.approx(2 * one_way.item(), rel=1e-4)


def test_crd_goes_on_from_a_checkpoint_bit_for_bit(tmp_path):
    def train(module: nn.Module, loss, steps: range) -> None:
        for step in steps:
            student, teacher = det((4, 16), 0.1 + step, 0.3).float(), det((4, 12), 0.2 + step, 0.1).float()
            descend(module, loss(student, teacher, (torch.arange(4) * 7 + step) % 40), 0.1)

    torch.manual_seed(0)
    module, loss = adapter("crd", (16, 1, 1), (12, 1, 1), dimension=8, negatives=16)
    train(module, loss, range(3))
    torch.save({"module": module.state_dict(), "rng": torch.get_rng_state()}, tmp_path / "state.pt")
    train(module, loss, range(3, 6))

    torch.manual_seed(1)
    resumed, again = adapter("crd", (16, 1, 1), (12, 1, 1), dimension=8, negatives=16)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed.load_state_dict(state["module"])
    torch.set_rng_state(state["rng"])
    train(resumed, again, range(3, 6))
    for name, tensor in module.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name


@pytest.mark.parametrize(("name", "rate", "part"), [("crd", 0.02, {"negatives": 40}), ("crd_inbatch", 0.5, {})])
def test_contrast_falls_for_pairs_and_not_for_strangers(name, rate, part):
    def trained(paired: bool) -> float:
        torch.manual_seed(0)
        module, loss = adapter(name, (12, 1, 1), (12, 1, 1), examples=400, dimension=8, **part)
        teacher, stranger = torch.randn(400, 12), torch.randn(400, 12)
        student = teacher @ torch.randn(12, 12) if paired else stranger
        values = []
        for _ in range(60):
            index = torch.randperm(400)[:40]
            values.append(loss(student[index], teacher[index], index))
            descend(module, values[-1], rate)
        return sum(values[-10:]).item() / sum(values[:10]).item()

    assert trained(paired=True) < 0.5 * trained(paired=False)


def test_mutual_is_cross_entropy_and_divergence_each_way():
    s, p = ZS.clone().requires_grad_(), ZT.clone().requires_grad_()
    both = mutual(s, p, labels=Y, problem=CLASSES, temperature=2.0)
    torch.testing.assert_close(both.loss, kd(ZS, ZT, temperature=2.0))
    torch.testing.assert_close(both.adapter_loss, CLASSES.loss(ZT, Y) + kd(ZT, ZS, temperature=2.0))
    assert torch.autograd.grad(both.loss, (s, p), allow_unused=True, retain_graph=True)[1] is None
    assert torch.autograd.grad(both.adapter_loss, (s, p), allow_unused=True)[0] is None


def test_mutual_learns_its_temperature_from_the_student_alone():
    temperature = torch.tensor(2.0, requires_grad=True)
    both = mutual(
        ZS.requires_grad_(False), ZT.clone().requires_grad_(), labels=Y, problem=CLASSES, temperature=temperature
    )
    assert torch.autograd.grad(both.loss, temperature, allow_unused=True)[0] is not None
    assert torch.autograd.grad(both.adapter_loss, temperature, allow_unused=True)[0] is None


def test_a_peer_learns_from_labels_plain_and_mixed():
    torch.manual_seed(0)
    spec = Losses.model_validate({"mutual": {"weight": 1, "student": TINY}}).mutual
    peer = LOSS_SPECS["mutual"].adapter(spec, (), before_a_run())
    student, images = torch.randn(4, 10), torch.randn(4, 3, 8, 8)
    for labels in (Y, MIXED):
        falls = []
        for _ in range(8):
            at_a_step = StepContext(0.5, labels, torch.arange(4), CLASSES, temperature=1.0, adapter=peer)
            both = LOSS_SPECS["mutual"].compare(
                spec, student, images.contiguous(memory_format=torch.channels_last), at_a_step
            )
            descend(peer, both.adapter_loss, 0.1)
            falls.append(both.adapter_loss.item())
        assert falls[-1] < falls[0]


def test_a_peer_is_by_default_the_same_as_the_student():
    spec = Losses.model_validate({"mutual": {"weight": 1}}).mutual
    peer = LOSS_SPECS["mutual"].adapter(spec, (), before_a_run())
    assert peer.plan == build(STUDENT, input_shape=(3, 8, 8), classes=10).plan


MIXED = Mix(torch.tensor([1, 0, 3, 2]), 0.3).blend(functional.one_hot(Y, 10).float())
EXITS = [(det((4, 10), 0.3, 0.4), det((4, 8), 0.2, 0.1)), (det((4, 10), 0.5, 0.2), det((4, 8), 0.6, 0.3))]
END = (ZT, det((4, 8), 0.8, 0.9))


def test_self_distillation_closed_form():
    each = [
        0.7 * CLASSES.loss(logits, Y)
        + 0.3 * kd(logits, ZT, temperature=2.0)
        + 0.5 * functional.mse_loss(features, END[1])
        for logits, features in EXITS
    ]
    found = self_distillation(EXITS, END, labels=Y, problem=CLASSES, alpha=0.3, beta=0.5, temperature=2.0)
    torch.testing.assert_close(found, sum(each) / 2, rtol=1e-12, atol=0)
    end = tuple(tensor.clone().requires_grad_() for tensor in END)
    assert not self_distillation(EXITS, end, labels=Y, problem=CLASSES).requires_grad

    def of_an_exit(logits: Tensor, features: Tensor) -> Tensor:
        return self_distillation([(logits, features), EXITS[1]], END, labels=Y, problem=CLASSES, alpha=0.3)

    assert torch.autograd.gradcheck(of_an_exit, tuple(tensor.clone().requires_grad_() for tensor in EXITS[0]))


def exits(*shapes: tuple[int, int, int]):
    spec = Losses.model_validate({"self_distillation": {"weight": 1}}).self_distillation
    pairs = tuple(Pair(f"stage{i}", f"stage{i}", shape, shape) for i, shape in enumerate(shapes, 1))
    return spec, LOSS_SPECS["self_distillation"].adapter(spec, pairs, before_a_run((3, 32, 32)))


@pytest.mark.parametrize("labels", [Y, MIXED], ids=["plain", "mixed"])
def test_earlier_stages_learn_from_the_end(labels):
    torch.manual_seed(0)
    spec, heads = exits((4, 8, 8), (8, 4, 4), (16, 4, 4))
    assert len(heads) == 2
    maps = [torch.randn(4, *shape, requires_grad=True) for shape in ((4, 8, 8), (8, 4, 4), (16, 4, 4))]
    logits = torch.randn(4, 10, requires_grad=True)
    at_a_step = StepContext(0.5, labels, torch.arange(4), CLASSES, temperature=3.0, adapter=heads)
    value = LOSS_SPECS["self_distillation"].compare(spec, (*maps, logits), labels, at_a_step)
    value.backward()
    assert all(features.grad.any() for features in maps[:2])
    assert maps[2].grad is None
    assert logits.grad is None
    assert all(parameter.grad.isfinite().all() for parameter in heads.parameters())


def test_one_stage_has_no_exit():
    with pytest.raises(UserError, match=r"^distill\.losses\.self_distillation\.at: .*use all"):
        exits((4, 8, 8))


@pytest.mark.parametrize("name", ["crd", "crd_inbatch", "self_distillation"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_degenerate_features_are_finite(name, dtype):
    torch.manual_seed(0)
    labels, index = Y, torch.arange(4)
    for scale in (0.0, 1.0, 200.0):
        if name == "self_distillation":
            spec, module = exits((6, 8, 8), (10, 4, 4))
            at_a_step = StepContext(0.5, labels, index, CLASSES, 3.0, module)
            inputs = [scale * FS.to(dtype), scale * SMALL.to(dtype), scale * ZS.to(dtype)]
            for tensor in inputs:
                tensor.requires_grad_()
            value = LOSS_SPECS[name].compare(spec, tuple(inputs), labels, at_a_step)
        else:
            module, loss = adapter(name, (16, 1, 1), (16, 1, 1), dimension=8)
            inputs = [scale * ES.to(dtype).requires_grad_()]
            value = loss(inputs[0], ET.to(dtype), index)
        gradients = torch.autograd.grad(value, (inputs[0], *module.parameters()), allow_unused=True)
        assert value.isfinite()
        assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)


CASES = ["kd", "dkd", "dist", "logit_standardization", "ce_soft", "crd", "crd_inbatch", "mutual", "self_distillation"]


@pytest.mark.parametrize("name", CASES)
def test_every_loss_runs_on_shapes_alone(name):
    spec = getattr(Losses.model_validate({name: {"weight": 1} | ({"student": TINY} if name == "mutual" else {})}), name)
    loss_spec = LOSS_SPECS[name]
    shapes = [(6, 8, 8), (10, 4, 4)]
    pairs = tuple(Pair(f"stage{i}", f"stage{i}", shape, shape) for i, shape in enumerate(shapes, 1))
    with torch.device("meta"):
        if name in ("crd", "crd_inbatch"):
            pairs = pairs[-1:]
        module = None if loss_spec.adapter is None else loss_spec.adapter(spec, pairs, before_a_run((3, 16, 16)))
        logits = torch.empty(4, 10, requires_grad=True)
        labels, images = torch.zeros(4, dtype=torch.int64), torch.empty(4, 3, 16, 16)
        embeddings = torch.empty(4, 10), torch.empty(4, 10)
        arguments = {
            "logits": (logits, torch.empty(4, 10)),
            "embeddings": embeddings,
            "peer": (logits, images),
            "exits": ((*(torch.empty(4, *shape) for shape in shapes), logits), labels),
        }[loss_spec.inputs.name]
        temperatures = [2.0, torch.tensor(2.0), torch.empty(4)]
        for temperature in temperatures:
            value = loss_spec.compare(spec, *arguments, StepContext(0.5, labels, labels, CLASSES, temperature, module))
            value = value.loss if isinstance(value, LossOutput) else value
            assert value.is_meta
            assert value.ndim == 0


def test_what_vanishes_at_identity_and_needs_unmixed_images():
    part = Losses.model_validate({name: {"weight": 1} for name in CASES})
    for name in ("kd", "dkd", "dist", "logit_standardization", "ce_soft"):
        value = LOSS_SPECS[name].compare(getattr(part, name), ZS, ZS, StepContext(0.5, Y, Y, CLASSES, 4.0)).item()
        # DIST adds its reference's 1e-8 to the products of norms of probabilities, which are small themselves.
        assert (abs(value) < (1e-3 if name == "dist" else 1e-13)) == LOSS_SPECS[name].zero_at_identity, name
    unmixed = {name for name in CASES if LOSS_SPECS[name].unmixed(getattr(part, name))}
    assert unmixed == {"dkd", "crd"}
    decoupled = Losses.model_validate({"logit_standardization": {"weight": 1, "loss": "dkd", "beta": 2.0}})
    loss_spec, spec = LOSS_SPECS["logit_standardization"], decoupled.logit_standardization
    assert loss_spec.unmixed(spec)
    found = loss_spec.compare(spec, ZS, ZT, StepContext(0.5, Y, Y, CLASSES, 2.0))
    assert found == LOGITS["standardised dkd"](ZS, ZT, Y, 2.0)
