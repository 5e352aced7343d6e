"""Metrics of regressions against scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from metric_cases import regression_cases
from sklearn import metrics as reference

from automl_kd.tasks.metrics import metric_named

_CLOSE = {"rel": 1e-9, "abs": 1e-9}


def _named(name):
    return metric_named(name, "regression", 1)


@given(regression_cases())
@settings(max_examples=100, deadline=None)
def test_errors_are_those_of_scikit_learn(case):
    pair, weights = (case.kept_labels, case.kept_outputs.numpy()), case.kept_weights
    assert case.value(_named("rmse")) == pytest.approx(
        reference.root_mean_squared_error(*pair, sample_weight=weights), **_CLOSE
    )
    assert case.value(_named("mae")) == pytest.approx(
        reference.mean_absolute_error(*pair, sample_weight=weights), **_CLOSE
    )


@given(regression_cases())
@settings(max_examples=100, deadline=None)
def test_r2_is_that_of_scikit_learn_and_finite_for_constant_labels(case):
    labels, outputs = (each.reshape(len(each), -1) for each in (case.kept_labels, case.kept_outputs.numpy()))
    scores = []
    for wanted, answered in zip(labels.T, outputs.T, strict=True):
        if (wanted == wanted[0]).all():  # scikit-learn means the same, but its weighted mean may miss a constant
            scores.append(float((wanted == answered).all()))
        else:
            scores.append(reference.r2_score(wanted, answered, sample_weight=case.kept_weights))
    assert case.value(_named("r2")) == pytest.approx(np.mean(scores), **_CLOSE)


def test_r2_does_not_suffer_from_labels_far_from_zero():
    source = np.random.default_rng(1)
    labels = source.integers(0, 4, 500).astype(float)
    outputs = labels + source.integers(-1, 2, 500)
    metric, weights = _named("r2"), source.random(500)
    near, far = (
        metric.value(metric.statistics(torch.from_numpy(outputs + by), torch.from_numpy(labels + by)), weights)
        for by in (0, 2.0**40)
    )
    assert far == pytest.approx(near, rel=1e-12)


def test_a_network_may_answer_with_one_column():
    metric, labels = _named("rmse"), torch.tensor([1.0, 2.0, 4.0])
    assert metric.value(metric.statistics(torch.tensor([[2.0], [3.0], [5.0]]), labels)) == 1
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(3,\)"):
        metric.statistics(torch.zeros(3, 2), labels)
