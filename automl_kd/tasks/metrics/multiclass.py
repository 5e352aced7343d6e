"""Metrics of problems in which an example is of exactly one class: logits (N, classes), class numbers (N,)."""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import UserError
from automl_kd.tasks.metrics.arrays import as_float64, quotient, sums_by_group
from automl_kd.tasks.metrics.metric import MeanMetric, RowMetric, SumMetric
from automl_kd.tasks.metrics.ranks import mean_of_defined, ranked
from automl_kd.tasks.metrics.registry import METRICS, MetricSpec

_BINS = 15


@dataclass(frozen=True)
class Accuracy(MeanMetric):
    """The share of examples whose largest logit is that of the label; of equal logits the first counts."""

    name = "accuracy"
    title = "accuracy"
    direction = "maximize"
    unit = "%"

    def statistics(self, outputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """1 where the answer is right, else 0, (N, 1)."""
        return _column(outputs.argmax(dim=1).cpu() == labels.cpu())


@dataclass(frozen=True)
class TopKAccuracy(MeanMetric):
    """The share of examples whose label is among the k largest logits.

    Of equal logits that of the higher class number comes first, as in scikit-learn.

    Attributes:
        k: How many answers a network has, at least 2 and below the number of classes.
    """

    k: int
    direction = "maximize"
    unit = "%"

    @property
    def name(self) -> str:
        return f"top_{self.k}_accuracy"

    @property
    def title(self) -> str:
        return f"top-{self.k} accuracy"

    def statistics(self, outputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """1 where the label is among the k first, else 0, (N, 1)."""
        logits, wanted = outputs.detach().cpu(), labels.cpu().long()[:, None]
        own = logits.gather(1, wanted)
        later = torch.arange(logits.shape[1]) > wanted
        ahead = (logits > own) | ((logits == own) & later)
        return _column(ahead.sum(dim=1) < self.k)


@dataclass(frozen=True)
class LogLoss(MeanMetric):
    """The mean of the negative logarithm of the label's probability, in nats; never clipped, as the loss in training.

    scikit-learn cuts probabilities off at 2.2e-16, which shows for logits that lie more than 36 apart.
    """

    name = "log_loss"
    title = "log loss"
    direction = "minimize"
    unit = "nats"

    def statistics(self, outputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """The loss of each example, (N, 1)."""
        logarithms = as_float64(outputs).log_softmax(dim=1)
        return _column(-logarithms.gather(1, labels.cpu().long()[:, None])[:, 0])


@dataclass(frozen=True)
class CalibrationError(SumMetric):
    """The expected calibration error: by how much confidence differs from accuracy, over 15 bins of equal width.

    The confidence is the largest probability; a bin holds its upper edge (Guo et al. 2017, "On Calibration of Modern
    Neural Networks"). A bin counts by its share of the examples, an empty one not at all. It is biased upwards, the
    more the fewer examples there are, and so is its bootstrap.
    """

    name = "ece"
    title = "expected calibration error"
    direction = "minimize"
    unit = "%"

    def statistics(self, outputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """Right (1) or wrong (0) minus the confidence, in the column of the confidence's bin, else 0, (N, 15)."""
        confidence = as_float64(outputs).softmax(dim=1).amax(dim=1).numpy()
        right = (outputs.argmax(dim=1).cpu() == labels.cpu()).numpy()
        rows = np.zeros((len(confidence), _BINS))
        bins = np.searchsorted(np.arange(1, _BINS) / _BINS, confidence, side="left")
        rows[np.arange(len(rows)), bins] = right - confidence
        return rows

    def of_means(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        errors: NDArray[np.float64] = np.abs(means).sum(axis=1)
        return errors


class DecisionMetric(RowMetric):
    """A metric of how often each class is the label, the answer, and both."""

    direction = "maximize"
    unit = "%"

    @abstractmethod
    def of_classes(
        self, labelled: NDArray[np.float64], answered: NDArray[np.float64], right: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The values (B,) that belong to weights of the examples with a label, an answer and both, (classes, B)."""

    def statistics(self, outputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """Number of the label and of the largest logit, the first of equal ones, (N, 2)."""
        return np.stack([labels.cpu().numpy(), outputs.argmax(dim=1).cpu().numpy()], axis=1).astype(np.float64)

    def of_rows(self, statistics: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        labels, answers = statistics.astype(np.int64).T
        right, count = labels == answers, int(statistics.max()) + 1
        return self.of_classes(
            sums_by_group(weights, labels, count),
            sums_by_group(weights, answers, count),
            sums_by_group(weights, labels[right], count, right),
        )


@dataclass(frozen=True)
class BalancedAccuracy(DecisionMetric):
    """The mean over the classes of the share of their examples that are recognised.

    A class without an example of positive weight is left out, as in scikit-learn.
    """

    name = "balanced_accuracy"
    title = "balanced accuracy"

    def of_classes(
        self, labelled: NDArray[np.float64], answered: NDArray[np.float64], right: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return _mean_ratio(right, labelled)


@dataclass(frozen=True)
class MacroF1(DecisionMetric):
    """The mean over the classes of F1, the harmonic mean of precision and recall.

    A class that is neither label nor answer of any example of positive weight is left out; one that is either counts
    as 0. That is scikit-learn's ``f1_score(average="macro")`` of those examples.
    """

    name = "macro_f1"
    title = "macro F1"

    def of_classes(
        self, labelled: NDArray[np.float64], answered: NDArray[np.float64], right: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return _mean_ratio(2 * right, labelled + answered)


@dataclass(frozen=True)
class Auroc(RowMetric):
    """The area under the ROC curve by probability; of three classes or more the mean over each against the rest.

    That is scikit-learn's ``roc_auc_score(multi_class="ovr")``. Probabilities that float64 rounds to 1, of logits that
    lie more than 36 apart, are tied. A class is left out where the examples of positive weight are all of it or none
    is. The value is not a number where this leaves no class, because all are of one; a bootstrap leaves such draws out.
    """

    name = "auroc"
    title = "AUROC"
    direction = "maximize"
    unit = "%"

    def statistics(self, outputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """Number of the label and the classes' probabilities, (N, 1 + classes); of two classes the second's, (N, 2)."""
        probabilities = as_float64(outputs).softmax(dim=1).numpy()
        scores = probabilities[:, 1:] if probabilities.shape[1] == 2 else probabilities
        return np.column_stack([labels.cpu().numpy(), scores])

    def of_rows(self, statistics: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        if np.isnan(statistics).any():
            return np.full(weights.shape[1], np.nan)
        labels, scores = statistics[:, 0], statistics[:, 1:].T
        classes = [1] if len(scores) == 1 else range(len(scores))
        areas = [ranked(score, labels == of, weights).roc_area() for of, score in zip(classes, scores, strict=True)]
        return mean_of_defined(np.array(areas))


def _column(numbers: Tensor) -> NDArray[np.float64]:
    column: NDArray[np.float64] = numbers.double().numpy()[:, None]
    return column


def _mean_ratio(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the classes (first axis) of part by whole, of classes of which there is anything."""
    return quotient(quotient(parts, wholes, 0).sum(axis=0), (wholes > 0).sum(axis=0), np.nan)


def _top_named(name: str, classes: int) -> TopKAccuracy | None:
    """The accuracy that a name of the pattern ``top_K_accuracy`` means.

    Raises:
        UserError: If K answers cannot be wrong.
    """
    found = re.fullmatch(r"top_([1-9][0-9]*)_accuracy", name)
    if found is None:
        return None
    k = int(found[1])
    if k == 1:
        raise UserError("the metric top_1_accuracy is called accuracy")
    if k >= classes:
        within = f"K has to be from 2 to {classes - 1}" if classes > 2 else "use accuracy"
        raise UserError(f"the metric top_{k}_accuracy is 100 % for any network of {classes} classes; {within}")
    return TopKAccuracy(k)


def _top_offer(classes: int | None) -> str:
    if classes is None:
        return "top_K_accuracy for K from 2 to one less than there are classes"
    return f"top_K_accuracy for K from 2 to {classes - 1}" if classes > 2 else ""


METRICS.add("categorical/accuracy", MetricSpec("categorical", lambda _: Accuracy()))
METRICS.add("categorical/balanced_accuracy", MetricSpec("categorical", lambda _: BalancedAccuracy()))
METRICS.add("categorical/macro_f1", MetricSpec("categorical", lambda _: MacroF1()))
METRICS.add(
    "categorical/top_k_accuracy",
    MetricSpec("categorical", lambda _: TopKAccuracy(5), lambda classes: classes > 5, _top_named, _top_offer),
)
METRICS.add("categorical/auroc", MetricSpec("categorical", lambda _: Auroc()))
METRICS.add("categorical/log_loss", MetricSpec("categorical", lambda _: LogLoss()))
METRICS.add("categorical/ece", MetricSpec("categorical", lambda _: CalibrationError()))
