"""Students and teachers are judged by all metrics of their task, whatever the batches."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from automl_kd.distillation import distill, evaluate, evaluate_teacher
from automl_kd.tasks import Split, metrics_of
from automl_kd.teachers import MultiTeacher


def ranked_by(task, *names):
    return dataclasses.replace(task, metrics=tuple(map(task.problem.metric_named, names)))


def logits_of(network, task, split):
    with torch.no_grad():
        return network(task.modality.prepare(split.inputs))


@pytest.fixture(scope="module")
def student(digits):
    """A network that answers nearly at random."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, len(digits.problem.names))).eval()


def test_a_student_s_values_are_those_of_scikit_learn_over_several_batches(digits, student):
    both = (digits.train, digits.test)
    split = Split(torch.cat([each.inputs for each in both]), torch.cat([each.labels for each in both]))
    assert len(split) > 1024
    found = evaluate(student, digits, split, "cpu")
    probabilities = logits_of(student, digits, split).double().softmax(dim=1).numpy()
    labels, answers = split.labels.numpy(), probabilities.argmax(axis=1)
    assert found.values == pytest.approx(
        {
            "accuracy": reference.accuracy_score(labels, answers),
            "balanced_accuracy": reference.balanced_accuracy_score(labels, answers),
            "macro_f1": reference.f1_score(labels, answers, average="macro"),
            "top_5_accuracy": reference.top_k_accuracy_score(labels, probabilities, k=5),
            "auroc": reference.roc_auc_score(labels, probabilities, multi_class="ovr"),
            "log_loss": reference.log_loss(labels, probabilities),
            "ece": found.values["ece"],
        },
        abs=1e-6,  # the probabilities of batches of other sizes differ in the last bits of float32
    )
    assert list(found.values) == [metric.name for metric in digits.metrics]


def test_the_score_and_its_statistics_are_those_of_the_first_metric(make, few):
    outcome = distill(make(), ranked_by(few, "log_loss", "macro_f1"), None, device="cpu")
    assert list(outcome.values) == ["log_loss", "macro_f1"]
    rows = outcome.evaluation.statistics
    assert rows.shape == (len(few.validation), 1)
    assert outcome.score == outcome.values["log_loss"] == rows.mean()


def test_what_a_student_is_judged_by_changes_no_weight(make, few):
    first, second = (
        distill(make(), task, None, device="cpu").student.state_dict() for task in (few, ranked_by(few, "auroc"))
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_several_teachers_count_as_the_mean_of_their_probabilities(digits, teacher):
    split = digits.validation
    both = MultiTeacher([teacher, teacher])
    assert evaluate_teacher(both, digits, split).values == pytest.approx(
        dict(evaluate_teacher(teacher, digits, split).values), abs=1e-6
    )


@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_the_mean_of_probabilities_that_underflow_has_a_finite_loss(digits, scale):
    class Two:
        """Two networks that answer the same of every image, and each another class."""

        members, device = 2, torch.device("cpu")

        def outputs(self, images):
            answers = torch.zeros(len(images), 2, len(digits.problem.names))
            answers[:, 0, 3], answers[:, 1, 4] = scale, scale
            return type("Outputs", (), {"logits": answers})()

    split = Split(digits.test.inputs[:40], torch.arange(40) % len(digits.problem.names))
    found = evaluate_teacher(Two(), digits, split)
    single = torch.zeros(len(digits.problem.names))
    single[3] = scale
    mean = (single.softmax(0) + single.roll(1).softmax(0)) / 2
    expected = -mean.clamp(min=torch.finfo(torch.float32).tiny).double().log()[split.labels].mean().item()
    assert math.isfinite(expected)
    assert found.values["log_loss"] == pytest.approx(expected, rel=1e-6)
    assert found.score == np.mean(split.labels.numpy() == 3)


def test_metrics_of_a_task_are_those_of_its_problem(digits):
    assert digits.metrics == metrics_of("multiclass", len(digits.problem.names))
