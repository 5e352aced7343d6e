"""Metrics of multilabel problems against scikit-learn."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from metric_cases import multilabel_cases
from sklearn import metrics as reference

from automl_kd.tasks.metrics import metric_named

_CLOSE = {"rel": 1e-9, "abs": 1e-9}


def _named(name):
    return metric_named(name, "multilabel", 5)


@given(multilabel_cases())
@settings(max_examples=100, deadline=None)
def test_f1_is_that_of_scikit_learn_over_the_labels_that_occur(case):
    labels, answers = case.kept_labels.astype(int), (case.kept_outputs > 0).numpy().astype(int)
    # A single label is no multilabel problem to scikit-learn; another that never occurs changes neither figure.
    pair = [np.column_stack([each, np.zeros(len(each), int)]) for each in (labels, answers)]
    for average, otherwise in (("micro", 0), ("macro", np.nan)):
        expected = reference.f1_score(*pair, average=average, sample_weight=case.kept_weights, zero_division=otherwise)
        value = case.value(_named(f"{average}_f1"))
        assert value == pytest.approx(0 if math.isnan(expected) else expected, **_CLOSE)


@given(multilabel_cases())
@settings(max_examples=100, deadline=None)
def test_map_is_the_mean_of_scikit_learns_average_precision_over_the_labels_that_occur(case):
    labels, logits = case.kept_labels.astype(int), case.kept_outputs.numpy()
    occurring = [of for of in range(case.classes) if labels[:, of].any()]
    value = case.value(_named("map"))
    if not occurring:
        assert math.isnan(value)
        return
    expected = [
        reference.average_precision_score(labels[:, of], logits[:, of], sample_weight=case.kept_weights)
        for of in occurring
    ]
    assert value == pytest.approx(np.mean(expected), **_CLOSE)


def test_a_label_is_answered_above_zero_only():
    metric = _named("micro_f1")
    assert metric.value(metric.statistics(torch.tensor([[0.0, 1e-30]]), torch.tensor([[1, 1]]))) == pytest.approx(2 / 3)


def test_saturated_logits_still_rank():
    metric = _named("map")
    logits, labels = torch.tensor([[900.0], [901.0], [902.0]]), torch.tensor([[0], [0], [1]])
    assert metric.value(metric.statistics(logits, labels)) == 1
