"""Which metrics a problem has, and which of them a name means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from automl_kd.core import Meaning, UserError
from automl_kd.tasks.metrics.metric import Metric
from automl_kd.tasks.metrics.registry import METRICS, MetricSpec

_FEW, _MANY = 2, 1_000_000
"""Widths at which the fewest and the most metrics say something."""


def metrics_of(problem: str, width: int, meaning: Meaning | None = None) -> tuple[Metric, ...]:
    """The metrics that a problem reports, its default first.

    Top-5 accuracy is left out where 5 answers cannot be wrong, that is, up to 5 classes.

    Args:
        problem: The name of a problem type.
        width: How many classes, labels or values there are.
        meaning: Of the outputs; left out, that of the registered problem type.

    >>> [metric.name for metric in metrics_of("multiclass", 10)]
    ['accuracy', 'balanced_accuracy', 'macro_f1', 'top_5_accuracy', 'auroc', 'log_loss', 'ece']
    >>> [metric.name for metric in metrics_of("regression", 1)]
    ['rmse', 'mae', 'r2']
    """
    return tuple(spec.make(width) for spec in _specs(problem, meaning) if spec.reported(width))


def metric_named(name: str, problem: str, width: int, meaning: Meaning | None = None) -> Metric:
    """The metric of that name: one of :func:`metrics_of`, or ``top_K_accuracy`` for any K that can be wrong.

    Args:
        name: As in a task file.
        problem: The name of a problem type.
        width: How many classes, labels or values there are.
        meaning: Of the outputs; left out, that of the registered problem type.

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
    known = {metric.name: metric for metric in metrics_of(problem, width, meaning)}
    if name in known:
        return known[name]
    specs = _specs(problem, meaning)
    for spec in specs:
        metric = spec.named(name, width)
        if metric is not None:
            return metric
    raise _unknown(name, problem, known, specs, width)


def refuse_no_metric(name: str, problem: str, meaning: Meaning) -> None:
    """Make sure that a problem has such a metric for outputs of some width, before the data say of which.

    Args:
        name: As for :func:`metric_named`.
        problem: The name of a problem type.
        meaning: Of its outputs.

    Raises:
        UserError: It has none; the message lists those that it has.
    """
    specs = _specs(problem, meaning)
    if not any(spec.make(_MANY).name == name or spec.named(name, _MANY) is not None for spec in specs):
        always = [metric.name for metric in metrics_of(problem, _FEW, meaning)]
        raise _unknown(name, problem, always, specs, None)


def _unknown(
    name: str, problem: str, known: Iterable[str], specs: Sequence[MetricSpec], width: int | None
) -> UserError:
    offered = ", ".join((*known, *(offer for spec in specs if (offer := spec.offer(width)))))
    return UserError(f"unknown metric {name!r}; a {problem} problem has: {offered}")


def _specs(problem: str, meaning: Meaning | None) -> list[MetricSpec]:
    if meaning is None:
        from automl_kd.tasks.problems.registry import PROBLEMS  # it imports this module

        meaning = PROBLEMS.find(problem).meaning
    return [spec for spec in METRICS.values() if spec.of in (problem, meaning)]
