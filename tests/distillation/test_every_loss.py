"""Every loss at work in a run: it trains, stops and resumes like any other."""

from __future__ import annotations

import math

import pytest
import torch

from automl_kd.core import Interrupted, UserError
from automl_kd.distillation import LOSS_SPECS, distill
from automl_kd.recipes import Recipe
from automl_kd.students import build

NEEDS = {
    "simkd": {"losses": {"task": {"weight": 0}}, "projector": {"channels": 64}},
    "fsp": {"losses": {}},
    "crd": {"losses": {}, "part": {"negatives": 64, "dimension": 16}},
    "mutual": {"losses": {}, "part": {"student": {"family": "resnet", "stages": [{"depth": 1, "channels": 8}]}}},
    "tinybert_attention": {"losses": {}, "part": {"at": [{"student": "stage1", "teacher": "stage2"}]}},
}
LOSSES = [name for name in LOSS_SPECS if name not in ("task", "tinybert_attention")]  # CNNs have no attention scores
STAGES = [{"depth": 1, "channels": 8}, {"depth": 1, "channels": 12}]


def recipe_of(name: str, **distill_fields) -> Recipe:
    needs = NEEDS.get(name, {})
    losses = {**needs.get("losses", {}), name: {"weight": 1.0} | needs.get("part", {})}
    student = {"family": "resnet", "stages": STAGES}
    if "projector" in needs:
        student["projector"] = needs["projector"]
    balance = "none" if name == "simkd" else "gradient"
    return Recipe.model_validate(
        {
            "student": student,
            "seed": 3,
            "distill": {"balance": balance, "losses": losses} | distill_fields,
            "train": {"epochs": 4, "batch_size": 32, "optimizer": {"name": "sgd", "lr": 0.05}},
        }
    )


def stop_after(steps):
    asked = iter(range(steps + 1))
    return lambda: next(asked) == steps


@pytest.mark.parametrize("name", LOSSES)
def test_it_learns_and_a_run_cut_in_two_is_the_same_run(name, few, teacher, tmp_path):
    recipe = recipe_of(name)
    first = distill(recipe, few, teacher, device="cpu", until=1)
    through = distill(recipe, few, teacher, device="cpu")
    assert all(math.isfinite(value) for value in through.losses.values())
    main = name if name == "simkd" else "task"
    assert through.losses[main] < first.losses[main]

    with pytest.raises(Interrupted):
        distill(recipe, few, teacher, device="cpu", checkpoint=tmp_path / "run.pt", should_stop=stop_after(7))
    resumed = distill(recipe, few, teacher, device="cpu", checkpoint=tmp_path / "run.pt")
    assert resumed.losses == through.losses
    expected, found = through.student.state_dict(), resumed.student.state_dict()
    assert all(torch.equal(expected[weight], found[weight]) for weight in expected)
    plain = build(recipe.student, few.signature)
    assert found.keys() == plain.state_dict().keys()


def test_simkd_delivers_the_teachers_own_classifier(few, teacher):
    student = distill(recipe_of("simkd"), few, teacher, device="cpu").student
    weight, bias = teacher.head()
    assert torch.equal(student.head[-1].linear.weight, weight)
    assert torch.equal(student.head[-1].linear.bias, bias)
    assert student.projector[0](torch.zeros(1, 12, 4, 4)).shape[1] == weight.shape[1]


def test_a_projector_of_other_channels_is_refused_before_training(few, teacher):
    recipe = recipe_of("simkd")
    document = recipe.document()
    document["student"]["projector"]["channels"] = 48
    with pytest.raises(UserError, match=r"projector\.channels is 48 and the teacher's last map has 64 channels"):
        distill(Recipe.model_validate(document), few, teacher, device="cpu")


def test_a_projector_is_priced_and_exported_with_its_student():
    spec = {"family": "resnet", "stages": STAGES}
    without = build(spec, input_shape=(1, 8, 8), classes=10)
    shipped = build(spec | {"projector": {"channels": 64}}, input_shape=(1, 8, 8), classes=10)
    assert len(shipped.plan.blocks) == len(without.plan.blocks) + 1
    assert shipped(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert shipped.stage_names() == without.stage_names()


@pytest.mark.parametrize("name", ["kd", "dkd", "mutual", "self_distillation", "hint"])
def test_a_curriculum_begins_with_the_easy_samples(name, few, teacher):
    recipe = recipe_of(name, curriculum={"start": 0.3, "until": 0.5})
    if not recipe.distill.needs_teacher():
        recipe = recipe_of(
            name, curriculum={"start": 0.3, "until": 0.5}, losses={"kd": {"weight": 1}, name: {"weight": 1}}
        )
    eased = distill(recipe, few, teacher, device="cpu", until=1)
    plain = distill(recipe_of(name), few, teacher, device="cpu", until=1)
    assert eased.losses["task"] != plain.losses["task"]


def test_two_stages_follow_each_other(few, teacher):
    stages = {
        "hint": {"weight": 1, "until": 0.5},
        "kd": {"weight": 1, "after": 0.5},
        "task": {"weight": 1, "after": 0.5},
    }
    recipe = recipe_of("kd", losses=stages, balance="none")
    assert distill(recipe, few, teacher, device="cpu", until=2).losses.keys() == {"hint"}
    assert distill(recipe, few, teacher, device="cpu").losses.keys() == {"kd", "task"}
