"""Losses, temperatures and fusions of labels (Bernoulli) and of values (real), in closed form."""

from __future__ import annotations

import pytest
import torch
from inputs import ZS, ZT, det
from torch.distributions import Bernoulli, Normal, kl_divergence

from automl_kd.core import Output
from automl_kd.distillation import LOSS_SPECS, Diverged, StepContext, fusion, temperatures
from automl_kd.distillation.functional import ce_soft_bernoulli, kd, kd_bernoulli, kd_real, mutual, self_distillation
from automl_kd.distillation.health import Health
from automl_kd.distillation.losses.tensors import in_units_of_labels
from automl_kd.recipes import Losses
from automl_kd.tasks import Multiclass, Multilabel, Regression

LABELS = Multilabel(tuple("abcdefghij"))
VALUES = Regression(tuple("abcdefghij"), mean=(0.0,) * 10, std=tuple(0.5 + i for i in range(10)))
STD = torch.tensor(VALUES.std, dtype=torch.float64)
YES = (det((4, 10), 0.31, 0.2) > 0).double()


class TestLabels:
    @pytest.mark.parametrize("temperature", [0.2, 1.0, 4.0, 30.0])
    def test_kd_is_that_of_two_classes_whose_logits_differ_by_the_label_s(self, temperature):
        def as_two(z):
            return torch.stack((z, torch.zeros_like(z)), dim=-1).flatten(0, 1)

        found = kd_bernoulli(ZS, ZT, temperature=temperature)
        torch.testing.assert_close(found, kd(as_two(ZS), as_two(ZT), temperature=temperature))

    @pytest.mark.parametrize("temperature", [1.0, 3.0])
    def test_kd_is_the_mean_divergence_of_its_labels(self, temperature):
        each = kl_divergence(Bernoulli(logits=ZT / temperature), Bernoulli(logits=ZS / temperature))
        found = kd_bernoulli(ZS, ZT, temperature=temperature)
        torch.testing.assert_close(found, temperature**2 * each.mean())

    def test_each_sample_may_have_its_own_temperature(self):
        own = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
        rows = [kd_bernoulli(ZS[i : i + 1], ZT[i : i + 1], temperature=float(own[i])) for i in range(4)]
        torch.testing.assert_close(kd_bernoulli(ZS, ZT, temperature=own), torch.stack(rows).mean())

    @pytest.mark.parametrize("size", [200.0, 1e30])
    def test_a_label_that_both_are_sure_of_costs_nothing_and_one_they_differ_in_is_finite(self, size):
        sure = torch.full((2, 3), size, requires_grad=True)
        assert kd_bernoulli(sure, sure.detach(), temperature=1.0) == 0
        value = kd_bernoulli(sure, -sure.detach(), temperature=1.0)
        value.backward()
        assert value.item() == pytest.approx(size)
        assert sure.grad.isfinite().all()

    def test_the_gradient_of_soft_cross_entropy_is_that_of_kd_without_its_factor(self):
        ours, soft = ZS.clone().requires_grad_(), ZS.clone().requires_grad_()
        kd_bernoulli(ours, ZT, temperature=3.0).backward()
        ce_soft_bernoulli(soft, ZT, temperature=3.0).backward()
        torch.testing.assert_close(ours.grad, 9 * soft.grad)

    def test_soft_cross_entropy_of_sure_labels_is_the_task_s_loss(self):
        found = ce_soft_bernoulli(ZS, 1e4 * (2 * YES - 1))
        torch.testing.assert_close(found, LABELS.loss(ZS, YES))

    def test_a_temperature_by_entropy_reads_the_mean_entropy_of_the_labels(self):
        logits = torch.stack([torch.zeros(10), torch.full((10,), 1000.0), 1000.0 * torch.eye(10)[0]])
        found = temperatures.by_entropy(logits, "bernoulli", low=2, high=8)
        torch.testing.assert_close(found, torch.tensor([2.0, 8.0, 8 - 6 * 0.9]))

    def test_fused_teachers_have_the_mean_probability_of_each_label(self):
        both = torch.stack((ZS, ZT), dim=1)
        mean = (ZS.sigmoid() + ZT.sigmoid()) / 2
        torch.testing.assert_close(fusion.mean(both, "bernoulli").sigmoid(), mean)
        torch.testing.assert_close(fusion.LearnedFusion(2, "bernoulli")(both).sigmoid().float(), mean.float())
        torch.testing.assert_close(fusion.mean(both, "bernoulli"), LABELS.mean_of_members(both))

    def test_a_sure_teacher_outweighs_an_unsure_one(self):
        sure, unsure = torch.tensor([[9.0, -9.0]]), torch.zeros(1, 2)
        fused = fusion.by_entropy(torch.stack((sure, unsure), dim=1), "bernoulli").sigmoid()
        torch.testing.assert_close(fused, sure.sigmoid(), rtol=0, atol=0.01)

    def test_teachers_that_are_sure_of_a_label_stay_finite(self):
        sure = torch.full((1, 2, 3), 500.0)
        for fused in (fusion.mean(sure, "bernoulli"), fusion.by_entropy(sure, "bernoulli")):
            torch.testing.assert_close(fused, sure[:, 0])


class TestValues:
    @pytest.mark.parametrize("temperature", [0.2, 1.0, 4.0, 30.0])
    def test_kd_is_the_divergence_of_two_normal_distributions_whatever_their_width(self, temperature):
        wide = temperature * STD
        each = kl_divergence(Normal(ZT, wide), Normal(ZS, wide))
        torch.testing.assert_close(kd_real(ZS, ZT, std=VALUES.std), temperature**2 * each.mean())

    @pytest.mark.parametrize("unit", [1e-3, 1e3])
    def test_kd_does_not_depend_on_the_unit_of_the_labels(self, unit):
        found = kd_real(unit * ZS, unit * ZT, std=[unit * each for each in VALUES.std])
        torch.testing.assert_close(found, kd_real(ZS, ZT, std=VALUES.std))

    def test_a_teacher_that_is_right_pulls_half_as_the_task_s_loss_does(self):
        torch.testing.assert_close(2 * kd_real(ZS, ZT, std=VALUES.std), VALUES.loss(ZS, ZT))

    def test_fused_teachers_answer_their_mean(self):
        both = torch.stack((ZS, ZT), dim=1)
        for fused in (fusion.mean(both, "real"), fusion.LearnedFusion(2, "real")(both)):
            torch.testing.assert_close(fused.double(), (ZS + ZT) / 2, rtol=1e-6, atol=1e-6)

    def test_answers_that_differ_little_beside_their_mean_have_not_collapsed(self):
        years = Output("values", 1, "real", (2_000_000.0,), (10.0,))
        health, alike = Health(drop=True), torch.full((8, 1), 2_000_000.0)
        for step in range(9):
            health.examine_answers(step, in_units_of_labels(alike + torch.arange(8.0)[:, None], years))
        for step in range(2):
            health.examine_answers(step, in_units_of_labels(alike, years))
        with pytest.raises(Diverged, match="answers every example alike"):
            health.examine_answers(2, in_units_of_labels(alike, years))


@pytest.mark.parametrize("problem", [LABELS, VALUES], ids=lambda each: each.name)
class TestOfAnyMeaning:
    def test_a_peer_learns_by_the_task_s_loss_and_each_by_the_other(self, problem):
        context = StepContext(0.5, YES, torch.arange(4), problem, 2.0)
        of_student = compared("kd", context, ZS, ZT)
        both = mutual(ZS, ZT, labels=YES, problem=problem, temperature=2.0)
        torch.testing.assert_close(both.loss, of_student)
        torch.testing.assert_close(both.adapter_loss, problem.loss(ZT, YES) + compared("kd", context, ZT, ZS))

    def test_an_exit_learns_by_the_task_s_loss_and_from_the_end(self, problem):
        features = torch.zeros(4, 3, dtype=torch.float64)
        context = StepContext(0.5, YES, torch.arange(4), problem, 2.0)
        found = self_distillation(
            [(ZS, features)], (ZT, features), labels=YES, problem=problem, alpha=0.3, beta=1.0, temperature=2.0
        )
        torch.testing.assert_close(found, 0.7 * problem.loss(ZS, YES) + 0.3 * compared("kd", context, ZS, ZT))

    def test_the_task_s_loss_is_the_problem_s(self, problem):
        context = StepContext(0.5, YES, torch.arange(4), problem)
        assert compared("task", context, ZS, YES) == problem.loss(ZS, YES)


def compared(name, context, student, teacher):
    part = getattr(Losses.model_validate({name: {"weight": 1}}), name)
    return LOSS_SPECS[name].compare(part, student, teacher, context)


PER_POSITION = [name for name, spec in LOSS_SPECS.items() if spec.per_position]
PROBLEMS = [Multiclass(tuple("abcdefghij")), LABELS, VALUES]


@pytest.mark.parametrize("name", PER_POSITION)
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda each: each.name)
def test_a_position_counts_like_an_example(name, problem):
    if problem.meaning not in LOSS_SPECS[name].meanings:
        pytest.skip("refused before a run")
    student, teacher = det((2, 10, 3, 2), 0.3, 0.2), det((2, 10, 3, 2), 0.5, 0.1, 3)
    labels = torch.arange(12) % 10

    def rows(maps):
        return maps.movedim(1, -1).reshape(-1, 10)

    dense = StepContext(0.5, labels.view(2, 3, 2), torch.arange(2), problem, 2.0)
    flat = StepContext(0.5, labels, torch.arange(12), problem, 2.0)
    torch.testing.assert_close(
        compared(name, dense, student, teacher), compared(name, flat, rows(student), rows(teacher))
    )
    if name != "dkd":  # whose labels are one a row
        sequences = rows(student).view(2, 6, 10), rows(teacher).view(2, 6, 10)
        torch.testing.assert_close(compared(name, dense, *sequences), compared(name, dense, student, teacher))


def test_classes_still_are_what_a_loss_of_outputs_takes_where_it_says_nothing():
    taken = {name: spec.meanings for name, spec in LOSS_SPECS.items()}
    assert {name for name, meanings in taken.items() if meanings == {"categorical"}} == {
        "dkd",
        "dist",
        "logit_standardization",
        "gradient_matching",
    }
    assert {name for name, meanings in taken.items() if meanings == {"categorical", "bernoulli"}} == {
        "ce_soft",
        "simkd",
        "srrl",
    }
