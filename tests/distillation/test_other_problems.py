"""Runs on images with several labels and with values: they train, resume, and refuse what does not fit."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from automl_kd.core import Interrupted, UserError
from automl_kd.distillation import LOSS_SPECS, distill, evaluate, evaluate_teacher, wire
from automl_kd.recipes import Recipe
from automl_kd.tasks import Multilabel, Regression, Split
from automl_kd.teachers import MultiTeacher, module_teacher

STAGES = [{"depth": 1, "channels": 8}, {"depth": 1, "channels": 12}]


def with_labels(task, problem, label_of):
    """A task of the same images, each labelled by what the digit in it is."""
    splits = {
        name: Split(split.inputs, label_of(split.labels))
        for name in ("train", "validation", "test")
        for split in [getattr(task, name)]
    }
    return dataclasses.replace(task, problem=problem, metrics=problem.metrics(), sha256=problem.name * 4, **splits)


@pytest.fixture(scope="module")
def tasks(few):
    """Whether a digit is even, above four, and round; and what it is, in units of a thousand and more."""

    def marks(digits):
        return torch.stack([digits % 2 == 0, digits > 4, (digits % 8 == 0) | (digits == 6)], dim=1).float()

    def values(digits):
        return torch.stack([1000.0 * digits, 5 + 0.1 * digits], dim=1)

    train = values(few.train.labels)
    mean, std = (tuple(of(train, dim=0).tolist()) for of in (torch.mean, torch.std))
    regression = Regression(("thousands", "near five"), mean=mean, std=std)
    multilabel = Multilabel(("even", "above four", "round"))
    return {
        "multilabel": with_labels(few, multilabel, marks),
        "regression": with_labels(few, regression, values),
    }


@pytest.fixture(scope="module")
def teachers(tasks):
    """A network of three stages for each, a little trained."""
    recipe = Recipe.model_validate({"student": {"family": "resnet", "depth": 8}, "train": {"epochs": 4}, "seed": 5})
    return {
        name: module_teacher(distill(recipe, task, None, device="cpu").student, task.signature)
        for name, task in tasks.items()
    }


def recipe_of(losses, *, augment=(), **fields):
    return Recipe.model_validate(
        {
            "student": {"family": "resnet", "stages": STAGES},
            "seed": 3,
            "distill": {"balance": "gradient", "losses": {name: {"weight": 1.0} for name in losses}} | fields,
            "train": {
                "epochs": 4,
                "batch_size": 32,
                "optimizer": {"name": "sgd", "lr": 0.05},
                "augment": list(augment),
            },
        }
    )


each_problem = pytest.mark.parametrize("name", ["multilabel", "regression"])
EVERY_FORM = ["kd", "hint", "self_distillation", "mutual"]


@each_problem
def test_a_student_learns_and_a_run_cut_in_two_is_the_same_run(name, tasks, teachers, tmp_path):
    task, teacher = tasks[name], teachers[name]
    recipe = recipe_of(EVERY_FORM, augment=["mixup"], curriculum={"start": 0.5, "until": 0.5})
    first = distill(recipe, task, teacher, device="cpu", until=1)
    through = distill(recipe, task, teacher, device="cpu")
    assert through.losses.keys() == {"task", *EVERY_FORM}
    assert through.losses["task"] < first.losses["task"]

    steps = iter(range(8))
    with pytest.raises(Interrupted):
        distill(
            recipe, task, teacher, device="cpu", checkpoint=tmp_path / "run.pt", should_stop=lambda: next(steps) == 7
        )
    resumed = distill(recipe, task, teacher, device="cpu", checkpoint=tmp_path / "run.pt")
    expected, found = through.student.state_dict(), resumed.student.state_dict()
    assert all(torch.equal(expected[weight], found[weight]) for weight in expected)
    assert resumed.losses == through.losses


@each_problem
@pytest.mark.parametrize("fuse", ["mean", "learned"])
def test_several_teachers_are_fused_and_judged_together(name, fuse, tasks, teachers):
    task = tasks[name]
    both = MultiTeacher([teachers[name], teachers[name]])
    alone = evaluate_teacher(teachers[name], task, task.validation).values
    assert evaluate_teacher(both, task, task.validation).values == pytest.approx(dict(alone), rel=1e-4)
    outcome = distill(recipe_of(["kd"], fuse=fuse), task, both, device="cpu", until=1)
    assert outcome.values == evaluate(outcome.student, task, task.validation, "cpu").values


@each_problem
@pytest.mark.parametrize("loss", [name for name in LOSS_SPECS if name != "tinybert_attention"])
def test_a_loss_is_computed_or_refused_in_one_line(name, loss, tasks, teachers):
    task = tasks[name]
    needs = {"simkd": {"task": {"weight": 0}}}.get(loss, {})
    student = {"family": "resnet", "stages": STAGES} | ({"projector": {"channels": 64}} if loss == "simkd" else {})
    recipe = recipe_of([]).with_(student=student, distill={"losses": needs | {loss: {"weight": 1}}})
    if LOSS_SPECS[loss].suits(task.signature):
        assert loss in [term.name for term in wire(recipe, task, teachers[name]).terms]
        return
    with pytest.raises(UserError) as caught:
        wire(recipe, task, teachers[name])
    message = str(caught.value)
    assert message.startswith(f"distill.losses.{loss} takes logits of classes (categorical)")
    assert (
        f"and task digits has {'logits of labels (bernoulli)' if name == 'multilabel' else 'values (real)'}" in message
    )
    assert "\n" not in message


def test_what_would_be_right_is_said(tasks, teachers):
    with pytest.raises(UserError) as caught:
        wire(recipe_of(["dkd"]), tasks["regression"], teachers["regression"])
    assert str(caught.value) == (
        "distill.losses.dkd takes logits of classes (categorical) and task digits has values (real): leave it out, or"
        " use kd"
    )


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        (
            "multilabel",
            {"fuse": "dempster-shafer"},
            r"^distill\.fuse: dempster-shafer takes logits of classes \(categorical\) and task digits has logits of"
            r" labels \(bernoulli\): use mean or learned or entropy$",
        ),
        (
            "regression",
            {"fuse": "entropy"},
            r"^distill\.fuse: entropy takes .* has values \(real\): use mean or learned$",
        ),
    ],
)
def test_a_fusion_that_needs_probabilities_or_classes_is_refused(name, fields, message, tasks, teachers):
    with pytest.raises(UserError, match=message):
        wire(recipe_of(["kd"], **fields), tasks[name], teachers[name])
    wire(recipe_of(["kd"], fuse="mean"), tasks[name], teachers[name])


def test_values_have_no_entropy_to_adapt_a_temperature_by(tasks, teachers):
    for adaptive in ("entropy", "learned"):
        losses = {"kd": {"weight": 1, "temperature": {"adaptive": adaptive}}}
        recipe = recipe_of([]).with_(distill={"losses": losses})
        wire(recipe, tasks["multilabel"], teachers["multilabel"])
        with pytest.raises(UserError, match=rf"^distill\.losses\.kd\.temperature: {adaptive} needs probabilities and"):
            wire(recipe, tasks["regression"], teachers["regression"])


def test_values_cannot_be_smoothed(tasks):
    recipe = recipe_of(["task"], balance="none")
    smooth = recipe.with_(train=recipe.train.model_dump() | {"label_smoothing": 0.1})
    with pytest.raises(UserError, match=r"^train\.label_smoothing: labels of a regression problem .*: leave it out$"):
        wire(smooth, tasks["regression"], None)
    wire(smooth, tasks["multilabel"], None)


def test_a_teacher_of_another_problem_is_refused(tasks, teachers):
    with pytest.raises(UserError) as caught:
        wire(recipe_of(["kd"]), tasks["multilabel"], teachers["regression"])
    assert str(caught.value) == (
        "the teacher answers values (real) and task digits has logits of labels (bernoulli): they should be the same"
    )


FILE = """
from automl_kd.distillation import loss

@loss("logits")
def for_classes(student, teacher):
    return (student.softmax(1) - teacher.softmax(1)).square().mean()

@loss("logits", takes=["bernoulli"])
def for_labels(student, teacher):
    return (student.sigmoid() - teacher.sigmoid()).square().mean()

@loss("embeddings")
def for_any(student, teacher):
    return (student.mean(1) - teacher.mean(1)).square().mean()
"""


def test_a_custom_loss_says_what_it_takes(tasks, teachers, tmp_path):
    path = tmp_path / "losses.py"
    path.write_text(FILE)

    def wired(function, name):
        part = {"file": str(path), "function": function, "weight": 1}
        recipe = recipe_of([]).with_(distill={"losses": {"custom": {"mine": part}}})
        wire(recipe, tasks[name], teachers[name], allow_code=True)

    wired("for_labels", "multilabel")
    wired("for_any", "regression")
    with pytest.raises(UserError) as caught:
        wired("for_classes", "multilabel")
    assert str(caught.value) == (
        "distill.losses.mine takes logits of classes (categorical) and task digits has logits of labels (bernoulli):"
        ' leave it out, or where it may take them say so, @loss("logits", takes=["bernoulli", …])'
    )
    with pytest.raises(UserError, match=r"takes logits of labels \(bernoulli\) and task digits has values \(real\)"):
        wired("for_labels", "regression")
