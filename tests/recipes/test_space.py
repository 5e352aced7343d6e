"""A space draws, mutates, encodes and recognises recipes; every mistake in it is named with its path."""

import json
import math
import random
from itertools import permutations

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_kd.core import UserError, yaml_names
from automl_kd.recipes import Recipe, Space, load_recipe, load_space, save_recipe

SHIPPED = sorted(yaml_names("search_spaces"))
SPACES = {name: load_space(name) for name in SHIPPED}


def small_space(**parts):
    document = {
        "version": 1,
        "search_epochs": 4,
        "student": {"family": "resnet", "depth": {"choice": [8, 14]}},
        "train": {"epochs": 5},
    }
    return Space(document | parts)


@pytest.mark.parametrize("name", SHIPPED)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_samples_validate_encode_and_round_trip(name, seed):
    space = SPACES[name]
    recipe = space.sample(random.Random(seed))
    assert Recipe.model_validate(json.loads(json.dumps(recipe.document()))) == recipe
    assert space.contains(recipe)
    assert space.from_params(space.params(recipe)) == recipe
    encoding = space.encode(recipe)
    assert encoding.values.shape == encoding.active.shape == (len(space.holes),)
    assert np.isfinite(encoding.values).all()
    assert (encoding.values[~encoding.active] == 0).all()
    for hole, value in zip(space.holes, encoding.values, strict=True):
        if hole.kind == "ordered":
            assert 0 <= value <= 1


@pytest.mark.parametrize("name", SHIPPED)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_mutations_stay_in_the_space_and_differ(name, seed):
    space, rng = SPACES[name], random.Random(seed)
    recipe = space.sample(rng)
    for _ in range(5):
        mutant = space.mutate(recipe, rng)
        assert space.contains(mutant)
        assert mutant != recipe
        recipe = mutant


def test_mutation_keeps_what_the_space_does_not_decide():
    space, rng = small_space(), np.random.default_rng(0)
    recipe = space.sample(rng).with_(task="digits", seed=7)
    mutant = space.mutate(recipe, rng)
    assert (mutant.task, mutant.seed) == (recipe.task, 7)
    assert mutant.student != recipe.student


def test_the_encoding_tells_different_recipes_apart():
    space, rng = SPACES["tiny_cnn"], random.Random(3)
    recipes = {space.sample(rng).digest(): None for _ in range(200)}
    rows = {(*e.values, *e.active) for e in (space.encode(space.sample(random.Random(3))) for _ in range(1))}
    rng = random.Random(3)
    rows = {(*e.values, *e.active) for e in (space.encode(space.sample(rng)) for _ in range(200))}
    assert len(rows) == len(recipes)


def test_size_counts_what_can_be_told_apart():
    assert small_space().size() == 2
    branched = {
        "one_of": [
            {"family": "resnet", "depth": {"choice": [8, 14, 20]}},
            {"family": "mobilenet", "width": {"choice": [0.5, 1.0]}, "head": {"int": [1, 10]}},
        ]
    }
    space = small_space(student=branched)
    assert space.size("student") == 3 + 2 * 10
    assert space.size() == 23
    seen = {space.sample(random.Random(seed)).digest() for seed in range(600)}
    assert len(seen) == 23
    optional = small_space(distill={"losses": {"kd": {"optional": {"weight": {"choice": [1, 2, 3]}}}}})
    assert optional.size() == 2 * (1 + 3)
    assert math.isinf(small_space(train={"epochs": 3, "warmup": {"float": [0.0, 0.5]}}).size())


def test_optuna_draws_every_kind_of_hole_under_stable_names():
    space = SPACES["tiny_cnn"]
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.TPESampler(multivariate=True, group=True, seed=1)
    )
    names = set()
    for number in range(60):
        trial = study.ask()
        recipe = space.draw(trial)
        assert space.from_params(trial.params) == recipe
        assert space.params(recipe) == trial.params
        names |= set(trial.params)
        study.tell(trial, [number % 7, number % 5])
    assert names == {hole.name for hole in space.holes}
    assert {"student", "student.stages.0.kernel", "distill.losses.kd.temperature"} <= names


def test_names_are_paths_and_alternatives_tell_different_holes_apart():
    student = {
        "one_of": [
            {"family": "resnet", "width": {"choice": [0.5, 1.0]}, "depth": 8},
            {"family": "mobilenet", "width": {"choice": [0.5, 1.0, 1.4]}},
        ]
    }
    names = [hole.name for hole in small_space(student=student).holes]
    assert names == ["student", "student.width@resnet", "student.width@mobilenet"]
    student["one_of"][1]["width"] = {"choice": [0.5, 1.0]}
    assert [hole.name for hole in small_space(student=student).holes] == ["student", "student.width"]


def test_a_recipe_outside_is_not_contained():
    space = small_space()
    inside = space.sample(random.Random(0))
    assert space.contains(inside)
    assert not space.contains(inside.with_(train={"epochs": 6}))
    assert not space.contains(inside.with_(student={"family": "resnet", "depth": 20}))
    assert not space.contains(inside.with_(distill={"losses": {"kd": {"weight": 1}}}))
    with pytest.raises(ValueError, match="does not contain"):
        space.encode(inside.with_(train={"epochs": 6}))


@pytest.mark.parametrize("key", ["own", "custom"])
def test_a_space_with_custom_losses_contains_what_it_draws_under_either_key(key):
    mine = {"file": "losses.py", "function": "cosine", "weight": {"float": [0.5, 2.0]}}
    losses = {"task": {"weight": 1.0}, key: {"mine": {"optional": mine}}}
    space = Space(
        {
            "search_epochs": 3,
            "student": {"family": "resnet", "depth": 8},
            "distill": {"losses": losses},
            "train": {"epochs": 3},
        }
    )
    name = f"distill.losses.{key}.mine"
    assert [hole.name for hole in space.holes] == [name, f"{name}.weight"]
    for values in ({name: False}, {name: True, f"{name}.weight": 1.25}):
        recipe = space.from_params(values)
        assert space.params(Recipe.model_validate(recipe.document())) == values


def test_pins_fill_holes_choose_alternatives_and_remove_optional_parts():
    rng = random.Random(5)
    pinned = load_space("tiny_cnn", ["student.family=mobilenet", "distill.losses.hint=null", "train.epochs=3"])
    for _ in range(20):
        recipe = pinned.sample(rng)
        assert recipe.student.family == "mobilenet"
        assert recipe.distill.losses.hint is None
        assert recipe.train.epochs == 3
    assert load_space("tiny_cnn", ["distill.losses.kd.weight=1"]).sample(rng).distill.losses is not None
    assert load_space("tiny_cnn", ["search_epochs=2"]).search_epochs == 2
    replaced = load_space("tiny_cnn", ["train.optimizer={name: sgd, lr: 0.1}"])
    assert not any(hole.name.startswith("train.optimizer") for hole in replaced.holes), "no choice between two equals"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"student": {"family": "resnet", "depth": {"choice": [8, 9]}}}, ["student.depth", "9", "8, 14"]),
        ({"student": {"family": "resnt", "depth": 8}}, ["student", "resnt", "resnet"]),
        ({"train": {"epochs": {"int": [5, 1]}}}, ["train.epochs", "[5, 1]", "low"]),
        ({"train": {"epochs": 3, "warmup": {"float": [0, 1], "log": True}}}, ["train.warmup", "above 0"]),
        ({"train": {"epochs": {"choice": []}}}, ["train.epochs", "at least one"]),
        ({"train": {"epochs": {"choice": [1, 2], "int": [1, 2]}}}, ["train.epochs", "one of"]),
        ({"train": {"epochs": {"choice": [2, 2]}}}, ["train.epochs", "twice"]),
        (
            {"train": {"epochs": 3, "optimizer": {"name": "sgd", "lr": {"float": [-1, 1]}}}},
            ["train.optimizer.lr", "-1"],
        ),
        ({"search_epochs": 0}, ["search_epochs", "0"]),
        ({"seed": {"int": [0, 9]}}, ["seed", "hole"]),
        ({"distil": {}}, ["distil", "did you mean distill"]),
    ],
)
def test_a_malformed_space_is_one_line_with_path_value_and_what_is_right(parts, words):
    with pytest.raises(UserError) as caught:
        small_space(**parts)
    message = str(caught.value)
    assert "\n" not in message
    for word in ("space", *words):
        assert word in message


@pytest.mark.parametrize(
    ("pin", "word"),
    [
        ("student.width", "path=value"),
        ("studnt.width=1", "student"),
        ("student.family=vgg", "no alternative"),
        ("a.b=1", "--set"),
    ],
)
def test_a_pin_that_fits_nothing_says_so(pin, word):
    with pytest.raises(UserError, match=word):
        load_space("tiny_cnn", [pin])


def test_an_unknown_space_names_the_nearest():
    with pytest.raises(UserError, match="tiny_cnn"):
        load_space("tinycnn")


def test_recipes_survive_the_file_and_spaces_are_not_recipes(tmp_path):
    recipe = SPACES["tiny_cnn"].sample(random.Random(1)).with_(task="digits", seed=3)
    path = tmp_path / "recipe.yaml"
    save_recipe(recipe, path)
    assert load_recipe(path) == recipe
    path.write_text("# a comment\n" + path.read_text().replace("seed: 3", "seed: 4  # another"))
    assert load_recipe(path) == recipe.with_(seed=4)
    with pytest.raises(UserError, match="search space"):
        load_recipe(yaml_names("search_spaces")["tiny_cnn"])


def test_of_alternatives_that_hold_each_other_a_recipe_is_of_the_one_that_says_as_much():
    sets = [{"task": {"weight": 1.0}}, {"task": {"weight": 1.0}, "kd": {"weight": 1.0, "temperature": 4.0}}]
    sets.append({**sets[1], "dist": {"weight": 2.0}})
    document = {
        "search_epochs": 3,
        "student": {"family": "resnet", "depth": 8},
        "distill": {"losses": {"one_of": sets[:]}},
        "train": {"epochs": 3},
        "starts": [{"distill": {"losses": each}} for each in sets],
    }
    for alternatives in permutations(sets):
        space = Space(document | {"distill": {"losses": {"one_of": list(alternatives)}}})
        assert all(space.params(space.from_params(each)) == each for each in space.all_params())
        losses = [space.from_params(each).document()["distill"]["losses"] for each in space.starts]
        assert [each.keys() for each in losses] == [each.keys() for each in sets]


def test_starting_points_are_parts_of_recipes_that_the_space_can_become():
    document = {
        "search_epochs": 3,
        "student": {"family": "resnet", "depth": {"choice": [8, 14]}},
        "distill": {"losses": {"kd": {"optional": {"weight": {"float": [0.1, 10.0]}, "temperature": 4.0}}}},
        "train": {"epochs": 3, "optimizer": {"name": "sgd", "lr": {"float": [0.01, 0.5], "log": True}}},
        "starts": [{"distill": {"losses": {"kd": {"weight": 1.0}}}, "train": {"optimizer": {"lr": 0.1}}}],
    }
    kd, lr = "distill.losses.kd", "train.optimizer.lr"
    assert Space(document).starts == ({kd: True, f"{kd}.weight": 1.0, lr: 0.1},)
    assert Space(document | {"starts": [{"distill": {"losses": {"kd": None}}}]}).starts == ({kd: False},)
    with pytest.raises(UserError, match=r"space: starts\.0: .* is no part of a recipe of this space"):
        Space(document | {"starts": [{"train": {"optimizer": {"lr": 7.0}}}]})
    without = load_space("tiny_cnn", ["distill.losses.hint=null"]).starts
    assert len(without) == len(load_space("tiny_cnn").starts) - 1, "a point that uses what is pinned away is left out"
    assert Space(document | {"starts": [{"student": {"depth": 20}}]}, pinned=True).starts == ()
    with pytest.raises(UserError, match="halving"):
        Space(document | {"halving": {"reduction": 1}})


def test_every_recipe_of_a_finite_space_is_listed_once():
    space = Space(
        {
            "search_epochs": 3,
            "student": {"family": "resnet", "depth": {"choice": [8, 14]}, "width": {"choice": [0.25, 0.5]}},
            "distill": {"losses": {"kd": {"optional": {"weight": {"choice": [1.0, 2.0]}, "temperature": 4.0}}}},
            "train": {"epochs": 3},
        }
    )
    every = [tuple(sorted(params.items())) for params in space.all_params()]
    assert len(every) == len(set(every)) == space.size() == 12


class TestLossesThatAreSwitchedOff:
    def losses(self, space):
        return {
            frozenset(name for name, _ in space.sample(random.Random(seed)).distill.losses.active())
            for seed in range(40)
        }

    @pytest.mark.parametrize("name", SHIPPED)
    def test_nothing_else_changes(self, name):
        space = SPACES[name]
        without = space.without_losses({"dist", "crd"})
        assert without.losses == space.losses - {"dist"}
        assert [hole for hole in space.holes if not hole.name.startswith("distill.losses.dist")] == list(without.holes)
        asked = [start for start in space.starts if start["distill.losses.dist"]]
        assert len(without.starts) == len(space.starts) - len(asked) < len(space.starts)
        assert space.contains(without.sample(random.Random(0)))
        assert without.without_losses({"dist"}) is without

    def test_a_loss_that_every_recipe_has_stays(self):
        space = small_space(distill={"losses": {"kd": {"optional": {"weight": 1.0}}, "dist": {"weight": 1.0}}})
        assert space.without_losses({"dist"}) is space
        assert self.losses(space.without_losses({"kd"})) == {frozenset({"task", "dist"})}

    def test_alternatives_that_always_have_it_are_left_out(self):
        optional = {name: {"optional": {"weight": 1.0}} for name in ("kd", "dist")}
        space = small_space(
            distill={"losses": {"one_of": [optional, {"dist": {"weight": 1.0}}, {"task": {"weight": 2.0}}]}}
        )
        assert space.losses == {"kd", "dist", "task"}
        assert self.losses(space.without_losses({"dist"})) == {frozenset({"task"}), frozenset({"task", "kd"})}
        assert self.losses(space.without_losses({"dist", "kd"})) == {frozenset({"task"})}

    def test_one_of_several_forms_or_none(self):
        either = {"one_of": [None, {"weight": 1.0}, {"weight": 2.0, "until": 0.5}]}
        space = small_space(distill={"losses": {"dist": either}})
        assert self.losses(space) == {frozenset({"task"}), frozenset({"task", "dist"})}
        assert self.losses(space.without_losses({"dist"})) == {frozenset({"task"})}
