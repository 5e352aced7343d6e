"""A search goes without the starts that cannot be had, and names them."""

import random
from pathlib import Path

import pytest

from automl_kd.core import UserError, config_dir
from automl_kd.recipes import Recipe, Space
from automl_kd.students import build, pinned, save_weights
from automl_kd.studies.starts import startable, started
from automl_kd.tasks import open_task

OWN = {"family": "resnet", "stages": [{"depth": 1, "channels": 4}, {"depth": 1, "channels": 8}]}


@pytest.fixture(scope="module")
def task():
    return open_task("digits")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, no_hub):
    """A user with empty settings who works in an empty folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


def space(student):
    return Space({"search_epochs": 3, "student": student, "train": {"epochs": 3}}, "mine")


def brought(task, name, student):
    path = config_dir() / "weights" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(build(student, task.signature), path)


def test_a_start_is_a_hole_of_which_pinned_recipes_still_are(task):
    save_weights(build(OWN, task.signature), Path("own.safetensors"))
    both = space(OWN | {"start": {"one_of": ["scratch", {"weights": "own.safetensors"}]}})
    (hole,) = both.holes
    assert (hole.name, hole.options) == ("student.start", ("scratch", "own.safetensors"))
    from_scratch, begun = (both.from_params({"student.start": option}) for option in hole.options)
    assert from_scratch.student.start is None
    assert both.params(from_scratch) == {"student.start": "scratch"}
    fixed = begun.model_copy(update={"student": pinned(begun.student, task.signature)})
    assert fixed.student.start.sha256
    assert both.params(fixed) == both.params(begun) == {"student.start": "own.safetensors"}
    optional = space(OWN | {"start": {"optional": {"weights": "own.safetensors"}}})
    assert [optional.contains(each) for each in (from_scratch, begun, fixed)] == [True, True, True]

    found = startable(both, "mine", task)
    assert (found.space, found.told, [str(path) for path in found.files]) == (both, (), ["own.safetensors"])


def test_networks_whose_weights_are_not_here_are_left_out_and_named(task):
    brought(task, "resnet18.safetensors", {"family": "resnet", "depth": 18, "width": 0.5})
    student = {"family": "resnet", "depth": {"choice": [18, 34, 50]}, "width": {"choice": [0.125, 0.25, 0.5]}}
    found = startable(space(student | {"start": {"weights": "pretrained"}}), "mine", task)
    assert {recipe.student.depth for recipe in _drawn(found.space)} == {18}
    (line,) = found.told
    assert line.startswith("space mine goes without starts from ")
    assert "resnet34, resnet50: student.start.weights: weights of resnet34 are not here: bring model." in line
    assert [path.name for path in found.files] == ["resnet18.safetensors"]

    mixed = startable(space(student | {"start": {"optional": {"weights": "pretrained"}}}), "mine", task)
    assert {recipe.student.depth for recipe in _drawn(mixed.space)} == {18, 34, 50}, "from scratch they can all be"
    assert mixed.told == found.told
    pretrained = [recipe.student for recipe in _drawn(mixed.space) if recipe.student.start is not None]
    there, *_ = (each for each in pretrained if each.depth == 18)
    missing, *_ = (each for each in pretrained if each.depth == 34)
    assert started(there, task.signature).start.sha256 is not None
    with pytest.raises(UserError, match="the published weights of its network are not here"):
        started(missing, task.signature)
    begun = [each.student for each in _drawn(mixed.space) if each.student.start is not None]
    assert {each.depth for each in begun if mixed.admits(each)} == {18}, "what waits for weights is not proposed"
    assert all(mixed.admits(each.model_copy(update={"start": None})) for each in begun)


def test_a_study_keeps_its_space_where_weights_come_and_go(task):
    whole = space({"family": "resnet", "depth": {"choice": [18, 34]}, "start": {"weights": "pretrained"}})
    brought(task, "resnet18.safetensors", {"family": "resnet", "depth": 18})
    first = startable(whole, "mine", task)
    assert first.gone == {"student.depth": [34]}

    brought(task, "resnet34.safetensors", {"family": "resnet", "depth": 34})
    assert startable(whole, "mine", task).space.digest() == whole.digest(), "a new study has both"
    again = startable(whole, "mine", task, first.gone)
    assert (again.space.digest(), again.told) == (first.space.digest(), ())

    (config_dir() / "weights" / "resnet34.safetensors").unlink()
    without = startable(whole, "mine", task, {})
    assert without.space.digest() == whole.digest()
    assert {each.student.depth for each in _drawn(whole) if without.admits(each.student)} == {18}
    assert "goes without starts from resnet34" in without.told[0]


def test_a_space_in_which_nothing_can_start_is_refused(task):
    pretrained = {"family": "resnet", "depth": 18, "start": {"weights": "pretrained"}}
    with pytest.raises(UserError, match=r"space mine: no student can start as it says: .* weights of resnet18 are not"):
        startable(space(pretrained), "mine", task)
    with pytest.raises(UserError, match=r"student.start.weights: none.pth: no such file or folder"):
        startable(space(OWN | {"start": {"optional": {"weights": "none.pth"}}}), "mine", task)
    save_weights(build(OWN | {"width": 2.0}, task.signature), Path("own.safetensors"))
    other = OWN | {"block": "bottleneck", "start": {"weights": "own.safetensors"}}
    with pytest.raises(UserError, match=r"own.safetensors: lacks stage1.0.body.2.0.weight, which the student needs"):
        startable(space(other), "mine", task)
    own = startable(space({"one_of": [other | {"width": 0.5}, OWN | {"width": 0.75}]}), "mine", task)
    assert own.space.from_params({}).student.start is None


def _drawn(space: Space) -> list[Recipe]:
    rng = random.Random(0)
    return [space.sample(rng) for _ in range(64)]
