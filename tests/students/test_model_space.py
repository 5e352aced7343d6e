"""Model spaces of NNI: mutables become holes, choices make the network, and it is priced, trained and exported."""

import math
import random
from pathlib import Path

import pytest

from automl_kd import search, students
from automl_kd.core import UserError
from automl_kd.distillation import distill
from automl_kd.hardware import load_profile
from automl_kd.onnxio import difference, export
from automl_kd.recipes import Recipe, load_space
from automl_kd.tasks import open_task
from automl_kd.teachers import module_teacher

pytest.importorskip("nni", reason="the extra nni is not installed")

SPACE = """
import nni
from nni.nas.nn.pytorch import InputChoice, LayerChoice, ModelSpace, MutableConv2d, MutableLinear, Repeat
from torch import nn


def conv(inputs, outputs, kernel):
    return nn.Sequential(
        MutableConv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(16), nn.ReLU()
    )


class Small(ModelSpace):
    def __init__(self, num_classes=10, in_channels=1):
        super().__init__()
        self.stem = conv(in_channels, 16, nni.choice("stem", [3, 5]))
        self.body = LayerChoice(
            {"conv": conv(16, 16, nni.choice("kernel", [1, 3])), "skip": nn.Identity()}, label="body"
        )
        self.tail = Repeat(lambda index: conv(16, 16, nni.choice(f"tail{index}", [1, 3])), (1, 2), label="depth")
        self.join = InputChoice(2, n_chosen=1, label="join")
        width = nni.choice("width", [8, 16])
        self.wide = MutableConv2d(16, width * 2, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = MutableLinear(width * 2, num_classes)

    def forward(self, images):
        stem = self.stem(images)
        features = self.join([stem, self.tail(self.body(stem))])
        return self.head(self.pool(self.wide(features)).flatten(1))


class FiveClasses(Small):
    def __init__(self):
        super().__init__(num_classes=5)


class Normal(ModelSpace):
    def __init__(self):
        super().__init__()
        self.drop = self.add_mutable(nni.normal("drop", 0, 1))


class Plain(nn.Module):
    pass
"""
DOCUMENT = """
version: 1
description: A model space for 8x8 digits.
search_epochs: 2
student: {family: nni, model: "spaces.py:CLASS"}
distill: {losses: {task: {weight: 1}}}
train: {epochs: 2, optimizer: {name: adamw, lr: 0.01}}
"""
DIGITS = {"input_shape": (1, 8, 8), "classes": 10, "allow_code": True}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("spaces.py").write_text(SPACE)
    return tmp_path


def write(name="Small", document=DOCUMENT):
    Path("space.yaml").write_text(document.replace("CLASS", name))
    return "space.yaml"


def test_mutables_become_holes_and_what_hangs_on_a_choice_is_one_only_there():
    space = load_space(write(), allow_code=True)
    names = {hole.name.removeprefix("student.choices.") for hole in space.holes}
    assert names == {"stem", "body", "body.kernel", "depth", "depth.tail1", "tail0", "join", "width"}
    # stem 2, body conv with 2 kernels or skip, depth 1 or 2 with 2 second kernels, first kernel 2, join 2, width 2
    assert space.size("student") == 2 * (2 + 1) * (1 + 2) * 2 * 2 * 2


def test_samples_are_read_back_and_mutants_are_of_the_space():
    space, rng = load_space(write(), allow_code=True), random.Random(0)
    for _ in range(7):
        recipe = space.sample(rng)
        assert space.from_params(space.params(recipe)) == recipe
        mutant = space.mutate(recipe, rng)
        assert space.contains(mutant)
        assert mutant != recipe
        assert math.isfinite(load_profile("jetson-nano").price([students.plan(mutant.student, **DIGITS)])[0].ms)


def test_a_pinned_choice_and_a_narrowed_one():
    narrowed = DOCUMENT.replace('CLASS"', 'Small", choices: {stem: {choice: [3]}, body: skip}')
    space = load_space(write(document=narrowed), ["student.choices.tail1=3"], allow_code=True)
    assert space.size("student") == 2 * 2 * 2 * 2
    with pytest.raises(UserError, match="did you mean depth"):
        load_space("space.yaml", ["student.choices.dpth=1"], allow_code=True)
    with pytest.raises(UserError, match=r"student.choices.stem: 7 is not allowed: use 3, 5"):
        load_space("space.yaml", ["student.choices.stem=7"], allow_code=True)


def test_the_choices_decide_the_network():
    choices = {"stem": 5, "body": {"body": "conv", "kernel": 3}, "depth": {"depth": 2, "tail1": 1}, "tail0": 3}
    spec = {"family": "nni", "model": "spaces.py:Small", "choices": choices | {"join": [1], "width": 8}}
    plan = students.plan(spec, **DIGITS)
    weights = students.StudentModule(plan).state_dict()
    assert [tuple(weight.shape) for weight in weights.values() if weight.ndim == 4] == [
        (16, 1, 5, 5),
        (16, 16, 3, 3),
        (16, 16, 3, 3),
        (16, 16, 1, 1),
        (16, 16, 1, 1),
    ]
    assert plan.maps()["model.0.tail"] == (16, 8, 8)


def test_distilled_with_a_feature_loss_and_exported(own_cache):
    task = open_task("digits")
    resnet = {"family": "resnet", "depth": 8}
    network = students.build(resnet, task.signature)
    teacher = module_teacher(network, task.signature)
    document = load_space(write(), allow_code=True).sample(random.Random(1)).document()
    document["distill"]["losses"] = {"task": {"weight": 1}, "attention_transfer": {"weight": 1, "at": ["last"]}}
    recipe = Recipe.model_validate(document)
    outcome = distill(recipe, task, teacher, total_epochs=6, allow_code=True, device="cpu")
    assert outcome.losses["attention_transfer"] > 0
    assert outcome.score > 0.2
    written = export(outcome.student, "student.onnx", task.signature, 13)
    images = task.modality.prepare(task.test.inputs[:9])
    assert difference(outcome.student, written, images) < 1e-5


@pytest.mark.long
def test_a_search_ends_with_a_pick_whose_recipe_makes_it_again(command, inside, digits_teacher, folder):
    pins = ("stem=3", "body=skip", "depth=2", "tail0=3", "tail1=1", "join=[1]")
    pinned = [word for pin in pins for word in ("--set", f"student.choices.{pin}")]
    space = write()
    common = ("--task", "digits", "--hw", "jetson-nano", "--device", "cpu", "--workers", "1", "--budget", "10m")
    with pytest.raises(UserError, match="--allow-code"):
        search("jetson-nano", "10m", space=space, storage="refused.db")
    ended = command("search", *common, "--space", space, *pinned, "--allow-code", "--json", cwd=folder)
    assert ended.code == 0, ended.err
    exported = inside("export", "--allow-code", "--json", cwd=folder)
    assert exported.code == 0, exported.err
    again = inside("distill", "winner/recipe.yaml", "--out", "again", "--allow-code", "--json", cwd=folder)
    assert again.code == 0, again.err
    assert again.document["files"]["student.safetensors"] == exported.document["files"]["student.safetensors"]


def test_a_space_of_the_hub_needs_no_permission_and_is_priced():
    hub = "{family: nni, model: 'nni.nas.hub.pytorch:ShuffleNetSpace', arguments: {channel_search: true}}"
    space = load_space(write(document=DOCUMENT.replace('{family: nni, model: "spaces.py:CLASS"}', hub)))
    recipe = space.sample(random.Random(0))
    plan = students.plan(recipe.student, input_shape=(3, 224, 224), classes=7)
    (prediction,) = load_profile("jetson-nano").price([plan])
    assert prediction.params == sum(weight.numel() for weight in students.StudentModule(plan).parameters())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Smal", "did you mean Small"),
        ("Plain", "is no nni.nas.nn.pytorch.ModelSpace"),
        ("Normal", "student.choices.drop: .* cannot be a hole"),
    ],
)
def test_what_is_no_space_is_told_in_one_line(name, told):
    with pytest.raises(UserError, match=told) as raised:
        load_space(write(name), allow_code=True)
    assert "\n" not in str(raised.value)


def test_a_network_that_does_not_fit_the_task_is_told_in_one_line():
    recipe = load_space(write("FiveClasses"), allow_code=True).sample(random.Random(0))
    with pytest.raises(UserError, match=r"returns \(2, 5\) for 2 images; the task needs \(2, 10\)"):
        students.plan(recipe.student, **DIGITS)


def test_a_changed_file_is_not_run():
    recipe = load_space(write(), allow_code=True).sample(random.Random(0))
    Path("spaces.py").write_text(SPACE + "\n")
    with pytest.raises(UserError, match="changed since the recipe was made"):
        students.plan(recipe.student, **DIGITS)
