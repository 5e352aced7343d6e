"""Metrics of problems whose labels are numbers: values (N,) or (N, D) of the labels' shape.

Where an example has several numbers the metric is the mean over them, as in scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.tasks.metrics.arrays import as_float64
from automl_kd.tasks.metrics.metric import MeanMetric, RowMetric, SumMetric
from automl_kd.tasks.metrics.registry import METRICS, MetricSpec


@dataclass(frozen=True)
class RootMeanSquaredError(SumMetric):
    """The root of the mean squared error, in the labels' own unit."""

    name = "rmse"
    title = "RMSE"
    direction = "minimize"
    unit = "label"

    def statistics(self, outputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """Squared errors, (N, D)."""
        values, wanted = _pairs(outputs, labels)
        return (values - wanted) ** 2

    def of_means(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        roots: NDArray[np.float64] = np.sqrt(means).mean(axis=1)
        return roots


@dataclass(frozen=True)
class MeanAbsoluteError(MeanMetric):
    """The mean absolute error, in the labels' own unit."""

    name = "mae"
    title = "MAE"
    direction = "minimize"
    unit = "label"

    def statistics(self, outputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """The mean over an example's numbers of the absolute error, (N, 1)."""
        values, wanted = _pairs(outputs, labels)
        errors: NDArray[np.float64] = np.abs(values - wanted).mean(axis=1, keepdims=True)
        return errors


@dataclass(frozen=True)
class R2(RowMetric):
    """The coefficient of determination: 1 minus the squared error by that of answering the labels' mean.

    Where the labels of the examples of positive weight are all equal, of a single example for instance, it is 1 for
    answers without an error and else 0, as in scikit-learn.
    """

    name = "r2"
    title = "R²"
    direction = "maximize"
    unit = ""

    def statistics(self, outputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """Squared errors, then the labels, (N, 2 D)."""
        values, wanted = _pairs(outputs, labels)
        return np.concatenate([(values - wanted) ** 2, wanted], axis=1)

    def of_rows(self, statistics: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        errors, labels = np.split(statistics.T, 2)
        total = weights.sum(axis=0)
        heaviest = weights.argmax(axis=0)
        scores = []
        for error, label in zip(errors, labels, strict=True):
            # Differences from a label of the sample itself: exactly 0 where all are equal, and free of a large mean.
            shifted = label[:, None] - label[heaviest]
            spread = shifted - (weights * shifted).sum(axis=0) / total
            scores.append(_explained(error @ weights, (weights * spread**2).sum(axis=0)))
        means: NDArray[np.float64] = np.mean(scores, axis=0)
        return means


def _explained(left: NDArray[np.float64], all_of_it: NDArray[np.float64]) -> NDArray[np.float64]:
    constant = all_of_it == 0
    return np.where(constant, left == 0, 1 - left / np.where(constant, 1, all_of_it))


def _pairs(outputs: Tensor, labels: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Outputs and labels, (N, D) each; a network's (N, 1) is the same as labels (N,)."""
    values, wanted = (as_float64(each).reshape(len(each), -1).numpy() for each in (outputs, labels))
    if values.shape != wanted.shape:
        raise ValueError(f"outputs {tuple(outputs.shape)} are no answers to labels {tuple(labels.shape)}")
    return values, wanted


METRICS.add("real/rmse", MetricSpec("real", lambda _: RootMeanSquaredError()))
METRICS.add("real/mae", MetricSpec("real", lambda _: MeanAbsoluteError()))
METRICS.add("real/r2", MetricSpec("real", lambda _: R2()))
