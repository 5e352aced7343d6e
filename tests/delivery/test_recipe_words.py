"""Any recipe is told in a few plain sentences that name its network, its losses, its training and what ships."""

import random

import pytest

from automl_kd.delivery import recipe_differences, recipe_sentences
from automl_kd.recipes import Recipe, load_space, space_names

STUDENT = {"family": "resnet", "stages": [{"depth": 2, "channels": 8}, {"depth": 1, "channels": 16}], "width": 0.25}


def recipe(losses=None, student=STUDENT, compress=(), distill=(), **train):
    document = {"student": student, "train": {"epochs": 9, **train}, "compress": list(compress)}
    document["distill"] = {"losses": {"task": {"weight": 1.0}, **(losses or {})}, **dict(distill)}
    return Recipe.model_validate(document)


@pytest.mark.parametrize("name", space_names())
def test_every_recipe_of_a_space_names_each_of_its_losses_once(name):
    space = load_space(name)
    for seed in range(30):
        drawn = space.sample(random.Random(seed))
        sentences = recipe_sentences(drawn)
        assert 5 <= len(sentences) <= 8
        assert all(each.endswith(".") and "\n" not in each and " None" not in each for each in sentences)
        (learned,) = [each for each in sentences if each.startswith("It learns from ")]
        for loss, part in drawn.distill.losses.active():
            assert learned.count(f"{loss} (") == 1
            assert f"weight {part.weight:.3g}" in learned
        assert f"{drawn.train.epochs} epochs in batches of {drawn.train.batch_size}" in " ".join(sentences)


def test_a_recipe_in_full():
    losses = {
        "kd": {"weight": 2.0, "temperature": {"schedule": "cosine", "start": 8.0, "end": 2.0}},
        "hint": {"weight": {"schedule": "linear", "start": 1.0, "end": 0.0}, "until": 0.3, "at": ["first"]},
    }
    train = {"augment": ["crop", "mixup"], "ema": 0.99}
    whole = recipe(losses, compress=[{"stage": "fp16"}], distill={"balance": "gradient"}, **train)
    assert recipe_sentences(whole) == (
        "The student is a network of family resnet: 2 stages with depth 2 and 1, channels 8 and 16, width 0.25.",
        "It starts from random weights.",
        "It learns from task (the task's own loss with the labels) with weight 1, kd (soft targets, Hinton et al. 2015)"
        " with weight 2 at temperature 8 to 2 (cosine) and hint (FitNets regression of the teacher's map, Romero et al."
        " 2015) with weight 1 to 0 (linear) at stage first in the first 30 % of the run.",
        "A weight of 1 pulls the student as strongly as the task's own loss.",
        "Training takes 9 epochs in batches of 64 with SGD at a learning rate of 0.1 on a cosine (momentum 0.9, weight"
        " decay 0.0005); weights averaged with a decay of 0.99.",
        "Examples are varied by crop and mixup.",
        "It ships compressed: fp16 (weights in half precision).",
    )


def test_without_a_teacher_it_says_so():
    assert "None of them hears a teacher: this is training without distillation." in recipe_sentences(recipe())


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (
            {"kd": {"weight": 1, "temperature": {"adaptive": "entropy", "low": 2, "high": 8}}},
            "a temperature by entr",
        ),
        ({"kd": {"weight": 0.0}}, "kd (soft targets, Hinton et al. 2015) with weight 0 (off)"),
        ({"hint": {"weight": 1, "after": 0.2}}, "after 20 % of the run"),
        ({"hint": {"weight": 1, "after": 0.2, "until": 0.5}}, "from 20 % to 50 % of the run"),
        (
            {"hint": {"weight": 1, "at": [{"student": "stage1", "teacher": "layer4"}]}},
            "at stage stage1 beside the teacher's layer4",
        ),
        (
            {"custom": {"mine": {"file": "mine.py", "function": "f", "weight": 2.0}}},
            "mine (custom, f in mine.py) with weight 2",
        ),
        ({"dist": {"weight": 1.0, "beta": 2.0}}, "with beta 2"),
    ],
)
def test_what_is_special_of_a_loss_is_told(loss, words):
    assert words in " ".join(recipe_sentences(recipe(loss)))


def test_a_start_and_a_published_network_are_told():
    student = {"family": "resnet", "depth": 18, "start": {"weights": "pretrained"}, "resolution": 96}
    network, start, *_ = recipe_sentences(recipe(student=student))
    assert network == "The student is a network of family resnet: depth 18, images of 96 x 96 pixels."
    assert start == "It starts from the published weights of that network."


def test_what_recipes_differ_in_is_told_where_it_was_decided():
    kd = {"kd": {"weight": 1.0, "temperature": 4.0}}
    ours, theirs = recipe(kd, batch_size=32), recipe({"kd": {"weight": 1.0, "temperature": 2.0}}, batch_size=64)
    assert [(each.title, each.values) for each in recipe_differences([ours, theirs])] == [
        ("kd temperature", ("4", "2")),
        ("batch size", ("32", "64")),
    ]
    without = recipe(student={**STUDENT, "stages": [{"depth": 2, "channels": 8}, {"depth": 3, "channels": 16}]})
    assert [(each.title, each.values) for each in recipe_differences([recipe(kd), without])] == [
        ("depth of stage 2", ("1", "3")),
        ("kd", ("weight 1, temperature 4", "off")),
    ]
    (network,) = recipe_differences([recipe(), recipe(student={"family": "mobilenet", "width": 0.5})])
    assert network.title == "student"
    assert network.values[1].startswith("network of family mobilenet: width 0.5")
    assert recipe_differences([ours, ours, ours]) == ()


def test_two_recipes_that_round_alike_are_told_apart():
    (rate,) = recipe_differences([recipe(optimizer={"name": "sgd", "lr": lr}) for lr in (0.10001, 0.10002)])
    assert rate.values == ("0.10001", "0.10002")
