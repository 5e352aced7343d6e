"""What holds for every metric, how one is named and shown, and one of a user's own for a dense problem."""

import doctest
import math
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_cases import ALL_CASES
from sklearn.metrics import jaccard_score

from automl_kd.core import UserError
from automl_kd.tasks.metrics import SumMetric, lookup, metric, metric_named, metrics_of

_ALL = [(problem, each) for problem in ALL_CASES for each in metrics_of(problem, 10)]
_IDS = [f"{problem}-{each.name}" for problem, each in _ALL]

every_metric = pytest.mark.parametrize(("problem", "metric"), _ALL, ids=_IDS)


def _same(first, second):
    assert np.asarray(first) == pytest.approx(np.asarray(second), rel=1e-9, abs=1e-9, nan_ok=True)


@every_metric
@given(st.data())
@settings(max_examples=25, deadline=None)
def test_a_weight_is_how_often_an_example_counts(problem, metric, data):
    case = data.draw(ALL_CASES[problem])
    rows = case.statistics(metric)
    draws = np.random.default_rng(0).multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=3)
    expected = [metric.value(np.repeat(rows, draw, axis=0)) for draw in draws]
    _same(metric.values(rows, draws.astype(float)), expected)
    _same([metric.value(rows, draw) for draw in draws], expected)
    _same(metric.values(rows, 3.7 * draws), expected)
    _same(metric.value(rows), metric.value(rows, np.full(len(rows), 0.3)))


@every_metric
@given(st.data())
@settings(max_examples=25, deadline=None)
def test_rows_are_the_same_in_whatever_batch_they_come(problem, metric, data):
    case = data.draw(ALL_CASES[problem])
    size = data.draw(st.integers(1, len(case.labels)))
    batches = zip(case.outputs.split(size), case.labels.split(size), strict=True)
    whole = case.statistics(metric)
    assert whole.dtype == np.float64
    assert len(whole) == len(case.labels)
    assert np.array_equal(np.concatenate([metric.statistics(*batch) for batch in batches]), whole)


@every_metric
def test_a_metric_is_a_value(problem, metric):
    again = pickle.loads(pickle.dumps(metric))
    assert again == metric == metric_named(metric.name, problem, 10)
    assert hash(again) == hash(metric)
    with pytest.raises(AttributeError):
        metric.k = 3
    assert metric.direction in ("maximize", "minimize")


@every_metric
def test_better_answers_have_a_better_value(problem, metric):
    source = torch.Generator().manual_seed(0)
    noise = torch.randn(600, 10, generator=source)
    if problem == "multiclass":
        labels = torch.randint(10, (600,), generator=source)
        right = torch.nn.functional.one_hot(labels, 10) * 12.0
    else:
        right = labels = torch.randn(600, 10, generator=source)
    if problem == "multilabel":
        labels = (labels > 0).long()
    worse, better = (metric.value(metric.statistics(right + by * noise, labels)) for by in (6, 1))
    assert better > worse if metric.direction == "maximize" else better < worse


@every_metric
@pytest.mark.parametrize("weights", [np.zeros(2), np.array([2.0, -1.0]), np.ones(3), np.array([1.0, math.nan])])
def test_weights_that_weigh_nothing_are_refused(problem, metric, weights):
    labels = torch.zeros(2, 3) if problem != "multiclass" else torch.tensor([0, 1])
    rows = metric.statistics(torch.zeros(2, 3), labels)
    with pytest.raises(ValueError, match="example"):
        metric.value(rows, weights)
    with pytest.raises(ValueError, match="example"):
        metric.values(rows, weights[None])
    with pytest.raises(ValueError, match="example"):
        metric.value(rows[:0])
    assert metric.values(rows, np.empty((0, 2))).shape == (0,)


def test_defaults_come_first_and_what_the_classes_do_not_allow_is_left_out():
    assert [metrics_of(problem, 10)[0].name for problem in ALL_CASES] == ["accuracy", "micro_f1", "rmse"]
    assert "top_5_accuracy" in [each.name for each in metrics_of("multiclass", 6)]
    assert "top_5_accuracy" not in [each.name for each in metrics_of("multiclass", 5)]


@pytest.mark.parametrize(
    ("name", "problem", "classes", "message"),
    [
        ("rmse", "multiclass", 10, "unknown metric 'rmse'.*multiclass.*accuracy.*top_K_accuracy for K from 2 to 9"),
        ("f1", "multilabel", 3, "unknown metric 'f1'; a multilabel problem has: micro_f1, macro_f1, map$"),
        ("accuracy", "regression", 1, "unknown metric 'accuracy'; a regression problem has: rmse, mae, r2$"),
        ("top_2_accuracy", "multilabel", 4, "unknown metric 'top_2_accuracy'"),
        ("top_5_accuracy", "multiclass", 5, "top_5_accuracy is 100 % for any network of 5 classes.*2 to 4"),
        ("top_2_accuracy", "multiclass", 2, "top_2_accuracy is 100 %.*use accuracy"),
        ("top_1_accuracy", "multiclass", 5, "called accuracy"),
        ("top_03_accuracy", "multiclass", 5, "unknown metric 'top_03_accuracy'"),
    ],
)
def test_a_metric_that_a_problem_does_not_have_is_refused_with_those_it_has(name, problem, classes, message):
    with pytest.raises(UserError, match=message) as refused:
        metric_named(name, problem, classes)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "problem", "value", "difference", "shown", "shown_difference"),
    [
        ("macro_f1", "multiclass", 0.9781, 0.0121, "97.8 %", "+1.2 points"),
        ("ece", "multiclass", 0.0123, -0.004, "1.2 %", "−0.4 points"),
        ("log_loss", "multiclass", 0.13172, -0.0131, "0.132 nats", "−0.0131 nats"),
        ("rmse", "regression", 12345.6, -20.4, "12,346", "−20.4"),
        ("r2", "regression", -1234.5, 0.0, "−1,234", "0"),
        ("mae", "regression", math.nan, math.nan, "–", "–"),
    ],
)
def test_values_are_shown_in_their_own_unit_and_sign(name, problem, value, difference, shown, shown_difference):
    metric = metric_named(name, problem, 10)
    assert metric.shown(value) == shown
    assert metric.shown_difference(difference) == shown_difference


@dataclass(frozen=True)
class MeanIou(SumMetric):
    """Mean intersection over union of the classes of a segmentation: logits (N, C, H, W), labels (N, H, W)."""

    classes: int
    name = "mean_iou"
    title = "mean IoU"
    direction = "maximize"
    unit = "%"

    def statistics(self, outputs, labels):
        each = torch.arange(self.classes)[:, None, None]
        answered, labelled = outputs.argmax(dim=1)[:, None] == each, labels[:, None] == each
        both, either = (answered & labelled).sum(dim=(2, 3)), (answered | labelled).sum(dim=(2, 3))
        return torch.cat([both, either], dim=1).double().numpy()

    def of_means(self, means):
        both, either = np.split(means, 2, axis=1)
        return np.nanmean(both / np.where(either > 0, either, np.nan), axis=1)


def test_a_dense_metric_of_a_users_own_is_bootstrapped_over_whole_images():
    source = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (40, 6, 5), generator=source)
    outputs = 2.0 * torch.nn.functional.one_hot(labels, 4).movedim(3, 1) + torch.randn(40, 4, 6, 5, generator=source)
    metric = MeanIou(4)
    rows = metric.statistics(outputs, labels)
    draws = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40), size=50)
    values = metric.values(rows, draws.astype(float))
    for draw, value in zip(draws, values, strict=True):
        drawn = np.repeat(np.arange(40), draw)
        pair = labels.numpy()[drawn].ravel(), outputs.argmax(dim=1).numpy()[drawn].ravel()
        assert value == pytest.approx(jaccard_score(*pair, average="macro"), rel=1e-9)
    assert values.min() < metric.value(rows) < values.max()


@pytest.mark.parametrize("module", [metric, lookup])
def test_the_examples_of_the_documentation_run(module):
    done = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert done.attempted > 0
    assert done.failed == 0
