"""Which metrics a problem has, and which of them a name means."""

from __future__ import annotations

import re
from typing import Literal

from automl_kd.core import UserError
from automl_kd.tasks.metrics import multiclass, multilabel, regression
from automl_kd.tasks.metrics.metric import Metric

Problem = Literal["multiclass", "multilabel", "regression"]


def metrics_of(problem: Problem, classes: int) -> tuple[Metric, ...]:
    """The metrics that a problem reports, its default first.

    Top-5 accuracy is left out where 5 answers cannot be wrong, that is, up to 5 classes.

    Args:
        problem: What the labels are.
        classes: How many classes or labels there are; a regression does not read it.

    >>> [metric.name for metric in metrics_of("multiclass", 10)]
    ['accuracy', 'balanced_accuracy', 'macro_f1', 'top_5_accuracy', 'auroc', 'log_loss', 'ece']
    >>> [metric.name for metric in metrics_of("regression", 1)]
    ['rmse', 'mae', 'r2']
    """
    if problem == "multilabel":
        return multilabel.MicroF1(), multilabel.MacroF1(), multilabel.MeanAveragePrecision()
    if problem == "regression":
        return regression.RootMeanSquaredError(), regression.MeanAbsoluteError(), regression.R2()
    return (
        multiclass.Accuracy(),
        multiclass.BalancedAccuracy(),
        multiclass.MacroF1(),
        *([multiclass.TopKAccuracy(5)] if classes > 5 else []),
        multiclass.Auroc(),
        multiclass.LogLoss(),
        multiclass.CalibrationError(),
    )


def metric_named(name: str, problem: Problem, classes: int) -> Metric:
    """The metric of that name: one of :func:`metrics_of`, or ``top_K_accuracy`` for any K that can be wrong.

    Args:
        name: As in a task file.
        problem: What the labels are.
        classes: How many classes or labels there are.

    Raises:
        UserError: The problem has no such metric; the message lists those it has.

    >>> metric_named("macro_f1", "multiclass", 10).shown(0.9781)
    '97.8 %'
    >>> metric_named("top_3_accuracy", "multiclass", 4).title
    'top-3 accuracy'
    >>> metric_named("rmse", "multiclass", 2)
    Traceback (most recent call last):
    automl_kd.core.errors.UserError: unknown metric 'rmse'; a multiclass problem has: accuracy, balanced_accuracy, ...
    """
    known = {metric.name: metric for metric in metrics_of(problem, classes)}
    if name in known:
        return known[name]
    top = re.fullmatch(r"top_([1-9][0-9]*)_accuracy", name)
    if problem == "multiclass" and top:
        return _top(int(top[1]), classes)
    more = f", top_K_accuracy for K from 2 to {classes - 1}" if problem == "multiclass" and classes > 2 else ""
    raise UserError(f"unknown metric {name!r}; a {problem} problem has: {', '.join(known)}{more}")


def _top(k: int, classes: int) -> Metric:
    if k == 1:
        raise UserError("the metric top_1_accuracy is called accuracy")
    if k >= classes:
        within = f"K has to be from 2 to {classes - 1}" if classes > 2 else "use accuracy"
        raise UserError(f"the metric top_{k}_accuracy is 100 % for any network of {classes} classes; {within}")
    return multiclass.TopKAccuracy(k)
