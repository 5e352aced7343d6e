"""Metrics of problems in which an example has any number of labels: logits (N, labels), zeros and ones (N, labels).

A network answers with a label where its logit is above 0, that is, where its probability is above a half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.tasks.metrics.arrays import as_float64, quotient
from automl_kd.tasks.metrics.metric import RowMetric, SumMetric
from automl_kd.tasks.metrics.ranks import mean_of_defined, ranked
from automl_kd.tasks.metrics.registry import METRICS, MetricSpec


@dataclass(frozen=True)
class MicroF1(SumMetric):
    """F1 of all decisions on all labels together; 0 where nothing is labelled or answered, as in scikit-learn."""

    name = "micro_f1"
    title = "micro F1"
    direction = "maximize"
    unit = "%"

    def statistics(self, outputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """Labels that are right, and labels there are plus labels answered, (N, 2)."""
        right, either = _decisions(outputs, labels)
        return np.stack([right.sum(axis=1), either.sum(axis=1)], axis=1)

    def of_means(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        right, either = means.T
        return quotient(2 * right, either, 0)


@dataclass(frozen=True)
class MacroF1(SumMetric):
    """The mean over the labels of F1.

    A label that no example of positive weight has and none is answered with is left out, which is scikit-learn's
    ``f1_score(average="macro", zero_division=np.nan)``; without any other label the value is 0.
    """

    name = "macro_f1"
    title = "macro F1"
    direction = "maximize"
    unit = "%"

    def statistics(self, outputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """For each label 1 where it is right, then 1 for there plus 1 for answered, (N, 2 L)."""
        return np.concatenate(_decisions(outputs, labels), axis=1)

    def of_means(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        right, either = np.split(means, 2, axis=1)
        return quotient(quotient(2 * right, either, 0).sum(axis=1), (either > 0).sum(axis=1), 0)


@dataclass(frozen=True)
class MeanAveragePrecision(RowMetric):
    """The mean over the labels of average precision: precision by how much recall rises, not interpolated.

    A label that no example of positive weight has is left out, where scikit-learn counts it as 0: a rare label that a
    bootstrap does not draw would pull every such draw down. The value is not a number where no label is left.
    """

    name = "map"
    title = "mAP"
    direction = "maximize"
    unit = "%"

    def statistics(self, outputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """The logits, then the labels as zeros and ones, (N, 2 L)."""
        return np.concatenate([as_float64(outputs).numpy(), _flags(labels)], axis=1)

    def of_rows(self, statistics: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        if np.isnan(statistics).any():
            return np.full(weights.shape[1], np.nan)
        scores, labels = np.split(statistics.T, 2)
        pairs = zip(scores, labels, strict=True)
        return mean_of_defined(np.array([ranked(score, of > 0, weights).average_precision() for score, of in pairs]))


def _flags(labels: Tensor) -> NDArray[np.float64]:
    return (labels.cpu() > 0).numpy().astype(np.float64)


def _decisions(outputs: Tensor, labels: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each example and label 1 where it is rightly answered, and 1 for there plus 1 for answered, (N, L) each."""
    there, answered = _flags(labels), _flags(outputs.detach())
    return there * answered, there + answered


METRICS.add("bernoulli/micro_f1", MetricSpec("bernoulli", lambda _: MicroF1()))
METRICS.add("bernoulli/macro_f1", MetricSpec("bernoulli", lambda _: MacroF1()))
METRICS.add("bernoulli/map", MetricSpec("bernoulli", lambda _: MeanAveragePrecision()))
