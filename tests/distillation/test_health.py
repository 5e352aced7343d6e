from __future__ import annotations

import math

import pytest
import torch

from automl_kd.distillation import Diverged, distill
from automl_kd.distillation.health import Health
from automl_kd.distillation.probe import Pull

OWN = """
import torch
from automl_kd.distillation import loss

@loss("logits")
def dead(student, teacher):
    return (student * 0).sum() + 1

@loss("logits")
def against(student, teacher, *, labels):
    return -1000 * torch.nn.functional.cross_entropy(student, labels)

@loss("logits")
def broken(student, teacher):
    return (student - student).square().sum().sqrt() + student.mean()
"""


@pytest.fixture
def custom(tmp_path):
    path = tmp_path / "losses.py"
    path.write_text(OWN)
    return lambda function, weight=1.0: {
        "custom": {"mine": {"file": str(path), "function": function, "weight": weight}}
    }


def run(recipe, task, teacher):
    return distill(recipe, task, teacher, device="cpu", allow_code=True)


def test_a_dead_gradient_ends_the_run_in_its_first_steps(make, few, teacher, custom):
    with pytest.raises(Diverged, match="dead gradient: loss mine does not move the student, at step 2"):
        run(make(custom("dead")), few, teacher)


def test_a_gradient_that_is_not_a_number_is_named_at_the_first_step(make, few, teacher, custom):
    with pytest.raises(Diverged, match="non-finite gradient of loss mine at step 0"):
        run(make(custom("broken")), few, teacher)


def test_a_loss_that_opposes_the_tasks_is_named(make, digits, teacher, custom):
    recipe = make(custom("against", 1e-4), epochs=9, targets="live")
    with pytest.raises(Diverged, match=r"loss mine opposes the task's: cosine -1\.00 of their gradients at step \d+"):
        run(recipe, digits, teacher)


def test_what_the_recipe_says_may_be_dropped_is_dropped_and_told(make, few, teacher, custom):
    outcome = run(make(custom("dead"), unhealthy="drop"), few, teacher)
    assert outcome.finished
    assert outcome.dropped.keys() == {"mine"}
    assert outcome.losses.keys() == {"task"}


def test_a_student_that_answers_alike_has_collapsed():
    health, alike = Health(drop=True), torch.ones(4, 10) * torch.arange(10)
    for step in range(2):
        health.examine_answers(step, alike)
    health.examine_answers(2, alike + torch.randn(4, 10))  # not in a row
    for step in range(2):
        health.examine_answers(step, alike)
    with pytest.raises(Diverged, match="collapsed features: the student answers every example alike, at step 5"):
        health.examine_answers(5, alike)


def test_a_loss_meant_to_be_silent_is_not_dead():
    health = Health(drop=False)
    for step in range(9):
        health.examine(step, {"ft": 0.0}, {"ft": Pull(0.0, 1.0, math.nan)}, frozenset({"ft"}))


def test_health_is_remembered_in_a_checkpoint():
    health, alive = Health(drop=True), {"kd": Pull(0.0, 1.0, math.nan)}
    for step in range(2):
        health.examine(step, {"kd": 1.0}, alive, frozenset())
    again = Health(drop=True)
    again.load_state_dict(health.state_dict())
    again.examine(2, {"kd": 1.0}, alive, frozenset())
    assert again.dropped.keys() == {"kd"}
    assert not health.dropped
