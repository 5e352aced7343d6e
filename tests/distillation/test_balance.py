from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from automl_kd.distillation import distill
from automl_kd.distillation.balance import GradientBalance, UncertaintyBalance
from automl_kd.distillation.probe import FIRST, Pull, is_due, pulls

OWN = """
import torch
from automl_kd.distillation import loss

@loss("logits")
def squares(student, teacher, *, factor):
    return factor * (student - teacher).square().mean()
"""


def pull(norm: float, task: float) -> Pull:
    return Pull(norm, task, 0.0)


def test_pulls_are_norms_and_angles_on_the_weights_that_both_reach():
    shared, late = nn.Parameter(torch.tensor([3.0, 4.0])), nn.Parameter(torch.tensor([1.0]))
    losses = {
        "task": shared.square().sum() / 2 + 7 * late.sum(),  # gradients (3, 4) and 7
        "early": 2 * shared[0],  # (2, 0); does not reach the late weight
        "none": torch.tensor(1.0),
    }
    found = pulls(losses, [shared, late])
    assert found["task"].norm == pytest.approx(math.sqrt(9 + 16 + 49))
    assert (found["early"].norm, found["early"].task) == pytest.approx((2, 5))
    assert found["early"].cosine == pytest.approx(3 / 5)
    assert found["none"].norm == 0
    losses["task"].backward()  # the graph is still there


def test_without_a_task_loss_there_is_nothing_to_compare_with():
    weight = nn.Parameter(torch.ones(2))
    found = pulls({"kd": weight.sum()}, [weight])["kd"]
    assert found.norm == pytest.approx(math.sqrt(2))
    assert math.isnan(found.task)
    assert math.isnan(found.cosine)


def test_the_scale_is_the_geometric_mean_of_the_first_ratios():
    balance = GradientBalance()
    for norm in (1.0, 4.0):
        assert balance.wants(["kd"])
        balance.learn({"task": pull(2, 2), "kd": pull(norm, 2)})
    assert balance.scale("kd") == pytest.approx(math.sqrt(2 * 0.5))
    assert balance.scale("task") == 1
    balance.learn({"kd": pull(0.0, 2)})  # says nothing of the unit
    balance.learn({"kd": pull(math.nan, 2)})
    assert balance.scale("kd") == pytest.approx(1)
    assert balance.wants(["kd"])
    for _ in range(2):
        balance.learn({"kd": pull(2.0, 2)})
    assert not balance.wants(["kd"])


def test_a_loss_that_never_tells_its_ratio_is_not_asked_for_ever():
    balance = GradientBalance()
    for _ in range(100):
        balance.learn({"dead": pull(0.0, 1)})
    assert not balance.wants(["dead"])
    assert balance.scale("dead") == 1


def test_later_measurements_count_by_half_and_move_the_scale_fourfold_at_most():
    balance = GradientBalance()
    for _ in range(FIRST):
        balance.learn({"kd": pull(1, 1)})
    balance.learn({"kd": pull(1, 4)})
    assert balance.scale("kd") == pytest.approx(2)
    balance.learn({"kd": pull(1e-12, 1)})
    assert balance.scale("kd") == pytest.approx(8)
    again = GradientBalance()
    again.load_state_dict(balance.state_dict())
    assert again.scale("kd") == balance.scale("kd")
    assert not again.wants(["kd"])


def test_measuring_stays_rare():
    for total in (40, 1_000, 100_000):
        due = sum(is_due(step, total) for step in range(total))
        assert due <= max(17, 1 + total // 50)


def test_the_unit_of_a_loss_does_not_matter(make, few, teacher, tmp_path):
    (tmp_path / "own.py").write_text(OWN)

    def run(factor, balance):
        own = {"file": str(tmp_path / "own.py"), "function": "squares", "weight": 0.5}
        recipe = make({"custom": {"mine": own | {"parameters": {"factor": factor}}}}, balance=balance)
        outcome = distill(recipe, few, teacher, device="cpu", allow_code=True)
        return torch.cat([weight.flatten() for weight in outcome.student.parameters()])

    torch.testing.assert_close(run(1.0, "gradient"), run(1024.0, "gradient"), rtol=1e-3, atol=1e-4)
    assert (run(1 / 64, "none") - run(1 / 16, "none")).abs().max() > 5e-3


def test_at_weight_one_a_loss_pulls_like_the_task(make, few, teacher):
    def first(**distill_fields):
        recipe = make(optimizer={"name": "sgd", "lr": 1e-30}, **distill_fields)
        return distill(recipe, few, teacher, device="cpu", until=1)

    # With frozen weights only the losses' own values can tell, and balancing leaves these as they are.
    plain = first(losses={"nst": {"weight": 1}}, balance="none").losses
    assert first(losses={"nst": {"weight": 1}}, balance="gradient").losses == pytest.approx(plain, rel=1e-6)


def test_uncertainty_weighting_has_its_optimum_where_the_paper_has_it():
    balance = UncertaintyBalance(["kd"])
    value = torch.tensor(8.0)
    optimizer = torch.optim.SGD(balance.parameters(), lr=0.1)
    for _ in range(500):
        optimizer.zero_grad()
        balance("kd", value).backward()
        optimizer.step()
    # d/ds [exp(-s) L + s / 2] = 0 at exp(s) = 2 L
    assert balance.log_variance("kd").item() == pytest.approx(math.log(16), rel=1e-3)


@pytest.mark.parametrize("value", [0.0, -1.0, 1e6])
def test_uncertainty_weights_stay_bounded_whatever_a_loss_does(value):
    balance = UncertaintyBalance(["vid"])
    optimizer = torch.optim.SGD(balance.parameters(), lr=1.0, momentum=0.9)
    for _ in range(100):
        optimizer.zero_grad()
        balance("vid", torch.tensor(value)).backward()
        optimizer.step()
    assert math.exp(-5) <= math.exp(-balance.log_variance("vid").item()) <= math.exp(5) * (1 + 1e-6)
    assert balance.log_variances.isfinite().all()


def test_uncertainty_weights_are_learned_in_a_run(make, few, teacher, tmp_path):
    recipe = make({"kd": {"weight": 1}}, balance="uncertainty")
    distill(recipe, few, teacher, device="cpu", checkpoint=tmp_path / "run.pt")
    learned = torch.load(tmp_path / "run.pt", weights_only=True)["adapters"]
    assert learned["balance.log_variances"].abs().min() > 0


@pytest.mark.parametrize("balance", ["none", "gradient", "uncertainty"])
def test_a_step_at_which_no_loss_counts_moves_nothing(make, few, teacher, balance):
    losses = {"task": {"weight": 1, "after": 0.2}, "kd": {"weight": 1, "after": 0.5}}
    assert distill(make(losses, balance=balance), few, teacher, device="cpu").losses.keys() == {"task", "kd"}


def test_a_teacher_alone_pulls_as_strongly_as_the_task_would(make, few, teacher, tmp_path):
    scales = {}
    for name, weight in (("alone", 0), ("beside", 1)):
        recipe = make({"task": {"weight": weight}, "kd": {"weight": 1}}, balance="gradient")
        outcome = distill(recipe, few, teacher, device="cpu", checkpoint=tmp_path / f"{name}.pt")
        assert ("task" in outcome.losses) == (weight > 0)
        logs = torch.load(tmp_path / f"{name}.pt", weights_only=True)["objective"]["balance"]["logs"]
        scales[name] = math.exp(logs["kd"])
    assert scales["alone"] == pytest.approx(scales["beside"], rel=0.5)
    assert abs(scales["alone"] - 1) > 0.05, "it was measured"
