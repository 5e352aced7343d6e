"""Students of another resolution than the task's: they see the same part of each image, their teacher sees it large."""

import dataclasses

import pytest
import torch

from automl_kd.core import TEXT_AXES, Input, UserError
from automl_kd.distillation import distill
from automl_kd.recipes import Recipe
from automl_kd.students import build, plan
from automl_kd.tasks import Images, Resolution, open_task
from automl_kd.teachers import module_teacher

STUDENT = {"family": "resnet", "stages": [{"depth": 1, "channels": 4}, {"depth": 1, "channels": 8}], "resolution": 4}


@pytest.fixture(scope="module")
def task():
    return open_task("digits")


@pytest.fixture(scope="module")
def teacher(task):
    torch.manual_seed(0)
    return module_teacher(build({"family": "resnet", "depth": 8, "width": 0.5}, task.signature), task.signature)


def _recipe(**changes):
    losses = {"task": {"weight": 1.0}, "kd": {"weight": 1.0}, "hint": {"weight": 1.0}}
    document = {
        "student": STUDENT,
        "distill": {"losses": losses, "targets": "live"},
        "train": {"epochs": 1, "batch_size": 64, "augment": ["crop", "flip"]},
    }
    return Recipe.model_validate(document | changes)


def test_its_network_and_price_are_those_of_its_resolution(task):
    assert plan(STUDENT, task.signature).input_shape == (1, 4, 4)
    assert task.at(_recipe().student).signature.input.shape == (1, 4, 4)
    assert task.at(_recipe().student).sha256 == task.sha256


def test_kept_outputs_of_the_teacher_are_those_of_a_teacher_that_is_asked(task, teacher, tmp_path):
    live = distill(_recipe(), task, teacher)
    kept = _recipe(distill=_recipe().distill.model_dump() | {"targets": "cache-fp32"})
    stored = distill(kept, task, teacher, cache=tmp_path)
    for name, weight in live.student.state_dict().items():
        torch.testing.assert_close(stored.student.state_dict()[name], weight, rtol=1e-3, atol=1e-4)


def test_views_of_two_resolutions_show_the_same_part_of_each_image():
    large = Images((1, 32, 32), (0.0,), (1.0,))
    small = large.at(Resolution(size=16))
    # A picture of wide smooth waves: what is cut out of it can be told at any resolution.
    across = torch.linspace(0, 3, 32)
    stored = (across.sin()[None, :] + across.cos()[:, None]).expand(8, 1, 32, 32).contiguous()
    index = torch.arange(8)
    for number in range(4):
        seen = (images.views(8, ("flip",), 3).of(stored, index, number) for images in (large, small))
        first, second = seen
        halved = torch.nn.functional.interpolate(first, (16, 16), mode="bilinear", antialias=True)
        torch.testing.assert_close(second, halved, rtol=0, atol=0.05)


def test_a_box_of_cutmix_is_the_same_part_of_an_image_at_another_resolution():
    images = Images((1, 32, 32), (0.0,), (1.0,))
    batch = torch.randn(16, 1, 32, 32)
    mix = images.draw_mix(("cutmix",), batch.shape, torch.Generator().manual_seed(1))
    large = mix.mixed(batch.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(large[:, :, ::2, ::2], mix.mixed(batch))


def test_a_loss_of_gradients_by_the_input_is_refused(task, teacher):
    losses = {"task": {"weight": 1.0}, "gradient_matching": {"weight": 1.0}}
    with pytest.raises(UserError, match=r"the teacher has at 8 x 8: leave it out, or student\.resolution"):
        distill(_recipe(distill={"losses": losses}), task, teacher)


def test_texts_have_no_resolution(task):
    texts = dataclasses.replace(task.signature, input=Input("ids", (8,), TEXT_AXES, "int64", ids=5))
    student = {"family": "conv_text", "stages": [{"depth": 1, "channels": 4}], "resolution": 8}
    with pytest.raises(UserError, match=r"student\.resolution"):
        plan(student, texts)


def test_scratch_is_the_same_recipe_as_one_that_says_nothing_of_a_start():
    said = Recipe.model_validate({"student": STUDENT | {"start": "scratch"}, "train": {"epochs": 1}})
    assert said.digest() == Recipe.model_validate({"student": STUDENT, "train": {"epochs": 1}}).digest()
