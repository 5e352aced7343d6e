"""The task of the demo: the same images everywhere, no handwriting in two splits, a teacher that knows them."""

import torch
from torch.nn import functional

from automl_kd.distillation import evaluate_teacher
from automl_kd.tasks import open_task
from automl_kd.teachers import load_teacher

NOISE = 40
SHA256 = "daf44c2c40baa57568e3adfcecd28ac202f55171204b2461a7fb90fc916d6a77"


def test_every_machine_makes_the_same_images():
    assert open_task("cluttered-digits").sha256 == SHA256


def test_every_scene_shows_a_digit_of_its_label_and_no_digit_is_in_two_splits():
    task, shown = open_task("cluttered-digits"), {}
    digits = open_task("digits")
    every = {name: getattr(digits, name) for name in ("train", "validation", "test")}
    ink = torch.cat([split.inputs for split in every.values()])
    labels = torch.cat([split.labels for split in every.values()])
    masks = (ink > 0.75).float()
    for name in every:
        split = getattr(task, name)
        # Where a digit has much ink a scene is bright: how much of each digit is bright, at its best place.
        bright = (split.inputs > 110).float()
        found = functional.conv2d(bright, masks).amax(dim=(2, 3)) == masks.sum(dim=(1, 2, 3))
        right = [bool((labels[row] == label).any()) for row, label in zip(found, split.labels, strict=True)]
        assert sum(right) > 0.99 * len(right)
        shown[name] = split
    assert [len(split) for split in shown.values()] == [500, 1000, 2000]


def test_more_scenes_leave_search_validation_and_test_as_they_are(tmp_path):
    (tmp_path / "more.yaml").write_text("name: more\ndata: {kind: cluttered-digits, scenes: 700}\n")
    usual, more = open_task("cluttered-digits"), open_task(str(tmp_path / "more.yaml"))
    assert len(more.train) == 700
    for split in ("validation", "test"):
        assert torch.equal(getattr(usual, split).inputs, getattr(more, split).inputs)


def test_the_teacher_that_comes_with_it_is_right_far_more_often_than_500_images_teach():
    task = open_task("cluttered-digits")
    teacher = load_teacher(task.teacher, task)
    assert evaluate_teacher(teacher, task, task.validation).score > 0.95
