"""Metrics of multiclass problems against scikit-learn and against what they are by definition."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from metric_cases import multiclass_cases
from sklearn import metrics as reference

from automl_kd.tasks.metrics import metric_named

_CLOSE = {"rel": 1e-9, "abs": 1e-9}


def _named(name, classes=10):
    return metric_named(name, "multiclass", classes)


def _scored(name, logits, labels, weights=None):
    logits = torch.as_tensor(logits, dtype=torch.float64)
    metric = _named(name, logits.shape[1])
    return metric.value(metric.statistics(logits, torch.as_tensor(labels)), weights)


@given(multiclass_cases())
@settings(max_examples=100, deadline=None)
def test_decisions_are_counted_as_in_scikit_learn(case):
    answers = case.kept_outputs.argmax(dim=1).numpy()
    pair, weights = (case.kept_labels, answers), case.kept_weights
    expected = {
        "accuracy": reference.accuracy_score(*pair, sample_weight=weights),
        "macro_f1": reference.f1_score(*pair, average="macro", sample_weight=weights, zero_division=0),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes that are answered and have no example
        expected["balanced_accuracy"] = reference.balanced_accuracy_score(*pair, sample_weight=weights)
    for name, value in expected.items():
        assert case.value(_named(name)) == pytest.approx(value, **_CLOSE), name


@given(multiclass_cases())
@settings(max_examples=100, deadline=None)
def test_top_k_is_that_of_scikit_learn_with_ties_and_absent_classes(case):
    for k in range(2, case.classes):
        expected = reference.top_k_accuracy_score(
            case.kept_labels,
            case.kept_outputs.numpy(),
            k=k,
            labels=np.arange(case.classes),
            sample_weight=case.kept_weights,
        )
        assert case.value(_named(f"top_{k}_accuracy", case.classes)) == pytest.approx(expected, **_CLOSE)


@given(multiclass_cases())
@settings(max_examples=100, deadline=None)
def test_log_loss_is_that_of_scikit_learn(case):
    probabilities = case.kept_outputs.softmax(dim=1).numpy()
    classes = np.arange(case.classes)
    expected = reference.log_loss(case.kept_labels, probabilities, labels=classes, sample_weight=case.kept_weights)
    assert case.value(_named("log_loss")) == pytest.approx(expected, **_CLOSE)


@given(multiclass_cases())
@settings(max_examples=100, deadline=None)
def test_auroc_is_the_mean_over_the_classes_that_scikit_learn_can_score(case):
    probabilities, labels = case.kept_outputs.softmax(dim=1).numpy(), case.kept_labels
    scored = range(case.classes) if case.classes > 2 else [1]
    areas = [
        reference.roc_auc_score(labels == of, probabilities[:, of], sample_weight=case.kept_weights)
        for of in scored
        if 0 < (labels == of).sum() < len(labels)
    ]
    value = case.value(_named("auroc"))
    if not areas:
        assert math.isnan(value)
        return
    assert value == pytest.approx(np.mean(areas), **_CLOSE)
    if len(areas) == case.classes:
        whole = reference.roc_auc_score(labels, probabilities, multi_class="ovr", sample_weight=case.kept_weights)
        assert value == pytest.approx(whole, **_CLOSE)


@given(multiclass_cases())
@settings(max_examples=100, deadline=None)
def test_calibration_error_is_what_its_definition_says(case):
    probabilities, labels = case.kept_outputs.softmax(dim=1).numpy(), case.kept_labels
    weights = np.ones(len(labels)) if case.weights is None else case.kept_weights
    confidence, right = probabilities.max(axis=1), case.kept_outputs.argmax(dim=1).numpy() == labels
    expected = 0.0
    for of in range(15):
        inside = (confidence > of / 15) & (confidence <= (of + 1) / 15)
        if inside.any():
            gap = np.average(right[inside], weights=weights[inside]) - np.average(
                confidence[inside], weights=weights[inside]
            )
            expected += weights[inside].sum() / weights.sum() * abs(gap)
    assert case.value(_named("ece")) == pytest.approx(expected, **_CLOSE)


def test_a_bin_of_confidence_holds_its_upper_edge():
    # A third is the edge of the fifth and the sixth bin: the two examples would partly cancel in one of them.
    logits = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [0.35, 0.33, 0.32]], dtype=torch.float64).log()
    assert _scored("ece", logits, [1, 0]) == pytest.approx((1 / 3 + 0.65) / 2)


def test_accuracy_is_exactly_the_mean_of_right_answers():
    source = np.random.default_rng(0)
    for rows in (1, 3, 7, 1797, 9_999):
        logits, labels = torch.from_numpy(source.normal(size=(rows, 10))).float(), source.integers(0, 10, rows)
        metric = _named("accuracy")
        statistics = metric.statistics(logits, torch.from_numpy(labels))
        assert statistics.shape == (rows, 1)
        assert metric.value(statistics) == float((logits.argmax(dim=1).numpy() == labels).mean())


def test_extreme_logits_lose_nothing():
    assert _scored("log_loss", [[1e4, 0.0, -1e4]], [1]) == 1e4
    assert _scored("log_loss", [[1e300, 0.0]], [1]) == 1e300
    assert _scored("log_loss", [[1e300, 1e300]], [0]) == pytest.approx(math.log(2))
    assert _scored("ece", [[1e4, 0.0], [1e4, 0.0]], [0, 1]) == pytest.approx(0.5)
    assert _scored("auroc", [[1e4, 0.0], [0.0, 1e4]], [0, 1]) == 1


def test_constant_outputs_rank_no_better_than_chance():
    logits = torch.ones(30, 3)
    assert _scored("auroc", logits, torch.arange(30) % 3) == 0.5
    assert _scored("auroc", logits[:, :2], torch.arange(30) % 2) == 0.5


def test_a_sample_of_one_class_has_no_auroc_and_is_shown_so():
    metric = _named("auroc")
    rows = metric.statistics(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 0, 1, 2]))
    weights = np.array([[1.0, 1, 0, 0], [1, 1, 1, 1], [0, 2, 0, 1]])
    assert np.isnan(metric.values(rows, weights)).tolist() == [True, False, False]
    assert metric.shown(metric.value(rows, weights[0])) == "–"


def test_outputs_that_are_not_numbers_have_no_value():
    broken = torch.tensor([[math.nan, math.nan, math.nan], [1.0, 2.0, 0.5]])
    for name in ("auroc", "log_loss", "ece"):
        assert math.isnan(_scored(name, broken, [0, 1])), name
