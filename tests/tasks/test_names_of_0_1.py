"""Scripts that read tasks by the names of version 0.1 go on working."""

import pytest
import torch

import automl_kd.tasks
import automl_kd.teachers
from automl_kd.tasks import open_task


def test_a_task_of_images_answers_to_its_old_names():
    task = open_task("digits")
    assert (task.input_shape, task.classes, task.class_names) == ((1, 8, 8), 10, tuple(map(str, range(10))))
    assert task.train.images is task.train.inputs
    assert torch.equal(task.normalize(task.test.images), (task.test.inputs - task.mean[0]) / task.std[0])


@pytest.mark.parametrize("name", ["CheckpointTeacher", "OnnxTeacher", "ProgramTeacher", "TimmTeacher"])
def test_teacher_forms_are_found_where_they_were(name):
    assert getattr(automl_kd.tasks, name) is getattr(automl_kd.teachers, name)


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="has no attribute 'NoSuchTeacher'"):
        _ = automl_kd.tasks.NoSuchTeacher
