import dataclasses
import time

import pytest
import torch
from teacher_cases import CLASSES, SHAPE, SIGNATURE, small_task, trained_module
from torch import nn

from automl_kd.recipes import Recipe
from automl_kd.tasks import Split
from automl_kd.teachers import TeacherCost, decide_targets, measure_cost, module_teacher
from automl_kd.teachers.targets import OutputCost

IMAGES = 1000
# A millisecond to ask, a tenth of it to read the logits (40 bytes), half of it to read the map (4,000 bytes).
COST = TeacherCost(1e-3, OutputCost(40, 1e-4), {"last": OutputCost(4000, 5e-4)})


def _recipe(augment=(), losses=None, epochs=10, views=None):
    return Recipe.model_validate(
        {
            "student": {"family": "resnet", "depth": 8},
            "distill": {"losses": losses if losses is not None else {"kd": {"weight": 1}}, "views": views},
            "train": {"epochs": epochs, "augment": list(augment)},
        }
    )


def _decided(augment=(), *, runs=1, epochs=10, views=None, stages=(), limit_bytes=10**9, cost=COST, losses=None):
    return decide_targets(
        _recipe(augment, losses, epochs, views),
        cost,
        runs=runs,
        examples=IMAGES,
        stages=stages,
        limit_bytes=limit_bytes,
    )


@pytest.mark.parametrize("augment", [["mixup"], ["cutmix"], ["crop", "mixup"], ["crop", "flip", "cutmix", "mixup"]])
def test_mixed_images_are_shown_to_the_teacher(augment):
    assert _decided(augment, runs=100, views=2) == "live"


def test_answers_that_are_mixed_are_those_to_one_view_where_nothing_else_varies_images():
    def decided(augment):
        recipe = _recipe(augment, epochs=10)
        recipe = recipe.model_copy(update={"distill": recipe.distill.model_copy(update={"mixed": "cached"})})
        return decide_targets(recipe, COST, runs=1, examples=IMAGES, stages=(), limit_bytes=10**9)

    assert decided(["mixup", "cutmix"]) == "cache-fp32"
    assert decided(["flip", "mixup"]) == "live"  # ten views, each of which is seen once


def test_without_augmentation_one_view_serves_all_epochs():
    assert _decided() == "cache-fp32"
    assert _decided(epochs=1) == "live"  # computed once either way, and reading comes on top
    assert _decided(epochs=1, runs=2) == "cache-fp32"


def test_with_augmentation_views_have_to_be_shared_by_epochs_or_runs():
    assert _decided(["crop"]) == "live"
    assert _decided(["crop"], views=5) == "cache-fp32"
    assert _decided(["crop"], runs=2) == "cache-fp32"
    # Reading in ten epochs costs as much as computing one view.
    assert _decided(["flip"], views=8) == "cache-fp32"
    assert _decided(["flip"], views=10) == "live"
    assert _decided(["crop"], views=50) == "live"  # only ten of them are seen


def test_maps_that_take_longer_to_read_than_to_compute_are_asked_for():
    assert _decided(stages=["last"], epochs=2) == "live"  # 1 + 2 · 0.6 ms an image against 2 ms
    assert _decided(stages=["last"], epochs=3) == "cache-fp32"  # 1 + 3 · 0.6 against 3
    slow = dataclasses.replace(COST, maps={"last": OutputCost(4000, 2e-3)})
    assert _decided(stages=["last"], epochs=1000, cost=slow) == "live"
    assert _decided(epochs=1000, cost=slow) == "cache-fp32"


def test_what_fits_is_kept_exactly_then_in_half_precision():
    needed = 5 * IMAGES * 4040
    arguments = {"views": 5, "stages": ["last"], "runs": 4}
    assert _decided(["crop"], limit_bytes=needed, **arguments) == "cache-fp32"
    assert _decided(["crop"], limit_bytes=needed - 1, **arguments) == "cache-fp16"
    assert _decided(["crop"], limit_bytes=needed // 2, **arguments) == "cache-fp16"
    assert _decided(["crop"], limit_bytes=needed // 2 - 1, **arguments) == "live"


def test_a_recipe_that_does_not_listen_asks_nobody():
    assert _decided(losses={}, runs=100) == "live"


class _Slow(nn.Module):
    """Waits before each batch, so that it is slower than any load of the machine makes the quick one."""

    def __init__(self):
        super().__init__()
        self.inner = trained_module()

    def forward(self, images):
        time.sleep(0.1)
        return self.inner(images)


def test_cost_is_measured_and_leaves_nothing_behind(tmp_path):
    task = small_task()
    split = Split(torch.rand(300, *SHAPE), torch.arange(300) % CLASSES)
    task = dataclasses.replace(task, train=split)
    quick = module_teacher(trained_module(), SIGNATURE)
    cost = measure_cost(quick, task, ("stage1", "stage3"), tmp_path / "outputs")
    assert cost.logits.bytes == 4 * CLASSES
    assert {stage: output.bytes for stage, output in cost.maps.items()} == {"stage1": 4 * 256, "stage3": 4 * 64}
    assert cost.logits.read_seconds > 0
    assert list((tmp_path / "outputs").iterdir()) == []
    slow = measure_cost(module_teacher(_Slow(), SIGNATURE), task, (), tmp_path / "outputs")
    assert slow.maps == {}
    assert slow.live_seconds > 1.5 * cost.live_seconds
    assert slow.logits.read_seconds < 0.5 * slow.live_seconds
