"""Trainings that begin from weights: they begin there once, whatever stops them, and teachers may, too."""

from dataclasses import replace

import pytest
import torch

from automl_kd.core import Interrupted
from automl_kd.distillation import distill, evaluate_teacher, find_teacher
from automl_kd.recipes import Recipe
from automl_kd.students import build, pinned, save_weights
from automl_kd.tasks import TrainedTeacher, open_task
from automl_kd.teachers import load_teacher

STUDENT = {"family": "resnet", "stages": [{"depth": 1, "channels": 4}, {"depth": 1, "channels": 8}]}


@pytest.fixture(scope="module")
def task():
    return open_task("digits")


@pytest.fixture
def own(task, tmp_path, monkeypatch):
    """A file of weights, wider than the student."""
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    save_weights(build(STUDENT | {"width": 2.0}, task.signature), tmp_path / "own.safetensors")
    return tmp_path / "own.safetensors"


def recipe(task, student, **train):
    document = {
        "student": student,
        "distill": {"losses": {"task": {"weight": 1.0}}},
        "train": {"epochs": 2, "batch_size": 128} | train,
    }
    found = Recipe.model_validate(document)
    return found.model_copy(update={"student": pinned(found.student, task.signature)})


def test_what_learns_next_to_nothing_stays_what_it_started_from(task, own):
    student = STUDENT | {"width": 2.0, "start": {"weights": str(own)}}
    still = {"name": "sgd", "lr": 1e-12, "weight_decay": 0.0}
    left = distill(recipe(task, student, epochs=1, optimizer=still), task, None, device="cpu").student
    torch.manual_seed(0)
    for (name, weight), begun in zip(
        left.named_parameters(), build(STUDENT | {"width": 2.0}, task.signature).parameters(), strict=True
    ):
        torch.testing.assert_close(weight, begun, rtol=0, atol=1e-9, msg=name)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been_and_needs_the_file_no_more(task, own, tmp_path):
    begun = recipe(task, STUDENT | {"start": {"weights": str(own)}}, augment=["crop"])
    straight = distill(begun, task, None, device="cpu").student
    checkpoint, steps = tmp_path / "half.pt", iter(range(100))
    with pytest.raises(Interrupted):
        distill(begun, task, None, device="cpu", checkpoint=checkpoint, should_stop=lambda: next(steps) == 5)
    own.unlink()
    for copy in (tmp_path / "cache" / "weights").rglob("weights.*"):
        copy.unlink()
    resumed = distill(begun, task, None, device="cpu", checkpoint=checkpoint).student
    for name, weight in straight.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_a_teacher_that_starts_from_weights_is_shown_the_images_that_they_know(task, own):
    start = {"weights": str(own), "mean": [0.2], "std": [0.5]}
    student = STUDENT | {"width": 2.0, "start": start, "resolution": 8}
    training = {"student": student, "train": {"epochs": 2, "batch_size": 128}}
    taught = replace(task, teacher=TrainedTeacher.model_validate({"train": training}))
    trained = distill(recipe(task, student, **training["train"]), task, None, device="cpu").values
    found = find_teacher(taught, None, device="cpu")
    answers = evaluate_teacher(found.teacher, task, task.validation).values
    assert dict(answers) == pytest.approx(dict(trained), rel=1e-4)
    assert load_teacher(found.spec, task).sha256 == found.teacher.sha256, "a worker finds it"
    again = find_teacher(taught, None, device="cpu", watch=lambda progress: pytest.fail("it is kept"))
    assert again.teacher.sha256 == found.teacher.sha256
