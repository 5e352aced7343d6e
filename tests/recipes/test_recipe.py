"""One schema decides what a recipe may say; a mistake is one line with file, path, value and what is right."""

import pytest

from automl_kd.core import UserError
from automl_kd.recipes import Recipe, load_recipe

RECIPE = {
    "task": "digits",
    "student": {"family": "mobilenet", "width": 0.5, "stages": [{"depth": 2, "kernel": 3, "expand": 4}]},
    "distill": {"losses": {"kd": {"weight": 1.0, "temperature": {"schedule": "cosine", "start": 6, "end": 2}}}},
    "train": {"epochs": 3},
}


def test_equal_recipes_have_equal_digests_whatever_the_order_and_the_defaults():
    recipe = Recipe.model_validate(RECIPE)
    reordered = Recipe.model_validate(dict(reversed(list(RECIPE.items()))) | {"seed": 0, "threads": 1})
    assert recipe.digest() == reordered.digest()
    assert recipe.digest() == Recipe.model_validate(recipe.document()).digest()
    assert recipe.digest() != recipe.with_(seed=1).digest()


def test_custom_losses_are_read_under_their_key_of_0_1_and_keep_the_digest():
    mine = {"mine": {"file": "losses.py", "function": "cosine", "weight": 1.0}}
    old, new = (Recipe.model_validate(RECIPE | {"distill": {"losses": {key: mine}}}) for key in ("own", "custom"))
    assert old == new
    assert old.document()["distill"]["losses"]["custom"]["mine"]["function"] == "cosine"
    # The digest that version 0.1 gave: checkpoints and deliveries of that time are named by it.
    assert new.digest() == old.digest() == "68bbe961a144f678debddfa578c30b7c162bcffb06cbc3a7e06341a2a3437d64"
    with pytest.raises(ValueError, match="own is the old name of custom, and both are given"):
        Recipe.model_validate(RECIPE | {"distill": {"losses": {"own": mine, "custom": mine}}})


def test_answers_to_unmixed_images_are_mixed_only_where_the_recipe_says_so():
    mixing = RECIPE | {"train": {"epochs": 3, "augment": ["crop", "mixup"]}}
    Recipe.model_validate(mixing | {"distill": {"targets": "live"}})
    Recipe.model_validate(mixing | {"distill": {"targets": "cache-fp16", "mixed": "cached"}})
    with pytest.raises(ValueError, match=r"train\.augment has mixup: use live, or say mixed: cached"):
        Recipe.model_validate(mixing | {"distill": {"targets": "cache-fp16"}})


def test_a_projector_is_part_of_the_student_that_simkd_delivers():
    losses = {"distill": {"losses": {"task": {"weight": 0}, "simkd": {"weight": 1}}}}
    student = RECIPE["student"] | {"projector": {"channels": 64}}
    Recipe.model_validate(RECIPE | losses | {"student": student})
    with pytest.raises(ValueError, match="simkd delivers its projector, which is part of the student"):
        Recipe.model_validate(RECIPE | losses)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("student: {family: resnet, depht: 8}\ntrain: {epochs: 1}", ["student", "depht", "depth"]),
        ("student: {family: vgg}\ntrain: {epochs: 1}", ["student", "vgg", "resnet"]),
        ("student: {depth: 8}\ntrain: {epochs: 1}", ["student", "family", "missing"]),
        ("student: {family: resnet}\ntrain: {epochs: 1}", ["student", "depth", "stages"]),
        (
            "student: {family: resnet, stages: [{depth: 0, channels: 4}]}\ntrain: {epochs: 1}",
            ["student.stages.0.depth", "0"],
        ),
        (
            "student: {family: resnet, depth: 8}\ntrain: {epochs: 0}",
            ["train.epochs", "0", "greater than or equal to 1"],
        ),
        ("student: {family: resnet, depth: 8}\ntrain: {}", ["train.epochs", "missing"]),
        (
            "student: {family: resnet, depth: 8}\ntrain: {epochs: 1, augment: [flop]}",
            ["train.augment.0", "flop", "flip"],
        ),
        ("student: {family: resnet, depth: 8}\ntrain: {epochs: 1}\ntraim: {}", ["traim", "train"]),
        (
            "student: {family: resnet, depth: 8}\ntrain: {epochs: 1}\n"
            "distill: {losses: {kd: {weight: 1, temperature: 0}}}",
            ["distill.losses.kd.temperature", "0", "greater than 0"],
        ),
        (
            "student: {family: resnet, depth: 8}\ntrain: {epochs: 1, augment: [mixup]}\ndistill: {targets: cache-fp16}",
            ["targets", "live"],
        ),
        (
            "student: {family: resnet, depth: 8}\ntrain: {epochs: 1}\ndistill: {losses: {kd: {weight: 1, until: 1.5}}}",
            ["distill.losses.kd.until", "1.5", "less than or equal to 1"],
        ),
        (
            "student: {family: resnet, depth: 8}\ntrain: {epochs: 1}\n"
            "distill: {losses: {kd: {weight: {schedule: step, start: 1, end: 0, at: [0.5, 1.2]}}}}",
            ["distill.losses.kd.weight.at.1", "1.2", "less than 1"],
        ),
        (
            "student: {family: resnet, depth: 8}\ntrain: {epochs: 1}\n"
            "distill: {losses: {kd: {weight: 1, after: 0.6, until: 0.5}}}",
            ["distill.losses.kd", "after 0.6 must come before until 0.5"],
        ),
        (
            "student: {family: resnet, depth: 8}\ntrain: {epochs: 1}\ndistill: {handover: {source: hint}}",
            ["handover", "hint"],
        ),
        ("student: [", ["line"]),
        ("- a\n- b", ["a list", "mapping"]),
        ("", ["nothing", "mapping"]),
    ],
)
def test_a_malformed_recipe_is_one_line(tmp_path, text, words):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_recipe(path)
    message = str(caught.value)
    assert "\n" not in message
    for word in ("bad.yaml", *words):
        assert word in message


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_recipe(tmp_path / "absent.yaml")
