"""The metrics that there are, each for problems of one type or meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from automl_kd.core import Registry
from automl_kd.tasks.metrics.metric import Metric


@dataclass(frozen=True)
class MetricSpec:
    """A metric, or metrics of one pattern of names, and the problems that they are for.

    Attributes:
        of: A meaning of outputs, ``categorical``, ``bernoulli`` or ``real``, or the name of a problem type.
        make: The metric for outputs of a width: numbers of classes, labels or values.
        reported: Whether it says something at a width, so that it is reported without being asked for.
        named: The metric that a name means at a width, None for another name; for a pattern of names.
        offer: What an error says of the pattern at a width, None where that is not known yet; nothing where it offers
            none.
    """

    of: str
    make: Callable[[int], Metric]
    reported: Callable[[int], bool] = lambda width: True
    named: Callable[[str, int], Metric | None] = lambda name, width: None
    offer: Callable[[int | None], str] = lambda width: ""


METRICS: Registry[MetricSpec] = Registry(
    "metric",
    home="automl_kd.tasks.metrics",
    first=(
        "categorical/accuracy",
        "categorical/balanced_accuracy",
        "categorical/macro_f1",
        "categorical/top_k_accuracy",
        "categorical/auroc",
        "categorical/log_loss",
        "categorical/ece",
        "bernoulli/micro_f1",
        "bernoulli/macro_f1",
        "bernoulli/map",
        "real/rmse",
        "real/mae",
        "real/r2",
    ),
)
"""The metrics by ``OF/NAME``, in the order in which a problem reports them: its default first."""
