"""Where students err, of every problem type and in the form that ships."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from automl_kd.recipes import Recipe
from automl_kd.students import build, save_weights
from automl_kd.studies.mistakes import class_rows, confusion_matrix, confusions, label_rows, value_rows
from automl_kd.studies.student_reading import StoredStudent, read_student
from automl_kd.studies.study_files import StudyFiles
from automl_kd.tasks import open_task


@pytest.fixture
def read(own_cache, tmp_path):
    """Have an untrained student of a task answer, as a search would have kept it."""

    def read(task_name, student, **more):
        task = open_task(task_name)
        recipe = Recipe.model_validate({"task": task_name, "student": student, "train": {"epochs": 1}, **more})
        files = StudyFiles(tmp_path / task_name)
        files.weights(0).parent.mkdir(parents=True)
        torch.manual_seed(0)
        save_weights(build(recipe.student, task.signature), files.weights(0))
        return task, read_student(StoredStudent(files, 0, recipe), task)

    return read


STUDENT = {"family": "resnet", "depth": 8, "width": 0.25, "stem": {"stride": 2}}


def test_labels_of_a_multilabel_task_are_counted_each(read):
    task, found = read("tiled-digits", STUDENT)
    assert [row.name for row in found.classes] == list(task.problem.names)
    assert [row.examples for row in found.classes] == task.validation.labels.sum(dim=0).int().tolist()
    assert (found.matrix, found.values) == (None, ())


def test_values_of_a_regression_have_errors_in_their_unit(read):
    _, found = read("digit-value", STUDENT)
    (row,) = found.values
    assert row.rmse == pytest.approx(found.metrics["rmse"].value, rel=1e-5)
    assert row.quantiles == tuple(sorted(row.quantiles))
    assert row.worst >= row.rmse >= row.mae >= abs(row.bias)
    assert found.classes == ()


def test_what_ships_quantised_is_read_so_and_beside_it_in_floats(read):
    _, found = read("digits", STUDENT, compress=[{"stage": "quantise"}])
    assert found.form == "int8"
    assert found.float_metrics.keys() == found.metrics.keys()
    assert found.float_metrics["log_loss"] != found.metrics["log_loss"].value


PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(PAIRS)
def test_a_matrix_counts_every_pair_and_its_rows_and_confusions_follow(pairs):
    labels, answers = (torch.tensor(each) for each in zip(*pairs, strict=True))
    matrix = confusion_matrix(torch.nn.functional.one_hot(answers, 4).float(), labels, 4)
    names = ("a", "b", "c", "d")
    assert matrix.sum() == len(pairs)
    for row in class_rows(matrix, names):
        place = names.index(row.name)
        assert row.examples == sum(label == place for label, _ in pairs)
        assert row.answered == sum(answer == place for _, answer in pairs)
        assert row.right == sum(pair == (place, place) for pair in pairs)
        assert (row.recall is None) == (row.examples == 0)
    found = confusions(matrix, names)
    wrong = [pair for pair in pairs if pair[0] != pair[1]]
    assert {(names.index(each.label), names.index(each.answer)) for each in found} <= set(wrong)
    assert [each.count for each in found] == sorted((each.count for each in found), reverse=True)
    assert sum(each.count for each in found) == len(wrong) or len(found) == 10


def test_answers_at_each_position_count_each():
    labels = torch.tensor([[[0, 1], [1, 1]]])
    outputs = torch.nn.functional.one_hot(torch.tensor([[[0, 1], [1, 0]]]), 2).movedim(-1, 1).float()
    assert confusion_matrix(outputs, labels, 2).tolist() == [[1, 0], [1, 2]]
    flags, logits = torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([[1.0, 1.0], [-1.0, 1.0]])
    rows = label_rows(logits, flags, ("a", "b"))
    assert [(row.examples, row.answered, row.right) for row in rows] == [(2, 1, 1), (1, 2, 1)]
    (row,) = value_rows(torch.tensor([1.0, 4.0]), torch.tensor([0.0, 1.0]), ("x",))
    assert (row.bias, row.mae, row.worst) == (2.0, 2.0, 3.0)
    assert row.rmse == pytest.approx(np.sqrt(5))
