"""Populations that test sets are drawn from: what two classifiers answer, and how often each example is met."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from automl_kd.tasks import Metric
from benchmarks.imbalance import shares

Array = NDArray[np.float64]
CLASSES = 10


@dataclass(frozen=True)
class Population:
    """All that test sets are drawn from, with replacement.

    Attributes:
        labels: Shape (n,).
        ours: Logits, (n, classes).
        theirs: The same of the other classifier.
        of_classes: Share of each class among what is drawn, (classes,).
    """

    labels: NDArray[np.int64]
    ours: Array
    theirs: Array
    of_classes: Array

    @property
    def odds(self) -> Array:
        """Probability of each example to be drawn, (n,)."""
        return (self.of_classes / np.bincount(self.labels))[self.labels]

    @property
    def told_apart(self) -> float:
        """Probability that an example is of the rarest class and just one of the two is right."""
        right = [logits.argmax(axis=1) == self.labels for logits in (self.ours, self.theirs)]
        return float(self.odds[(self.labels == self.of_classes.argmin()) & (right[0] != right[1])].sum())

    def statistics(self, metric: Metric) -> tuple[Array, Array]:
        """What the metric keeps of each example, (n, K), ours and theirs."""
        labels = torch.from_numpy(self.labels)
        ours, theirs = (metric.statistics(torch.from_numpy(logits), labels) for logits in (self.ours, self.theirs))
        return ours, theirs


def synthetic(*, skew: str, ours: float, theirs: float, shared: float, size: int) -> Population:
    """Two classifiers whose errors have a share in common.

    Args:
        skew: ``geometric``: class sizes fall evenly from 20 to 1. ``step``: half the classes have 20, the others 1.
        ours: By how much the logit of the right class stands out, in standard deviations of the noise.
        theirs: The same of the other.
        shared: Share of the noise's variance that both have in common.
        size: Examples.
    """
    rng = np.random.default_rng(0)
    step = np.where(np.arange(CLASSES) < CLASSES // 2, 1.0, 0.05)
    of_classes = shares(range(CLASSES), 20) if skew == "geometric" else step / step.sum()
    labels = rng.choice(CLASSES, size, p=of_classes)
    common = rng.normal(size=(size, CLASSES))

    def logits(strength: float) -> Array:
        noise = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.normal(size=(size, CLASSES))
        # Trained on as skewed a split, a classifier leans to the frequent classes.
        answers: Array = strength * np.eye(CLASSES)[labels] + noise + 0.35 * np.log(of_classes)
        return answers

    return Population(labels, logits(ours), logits(theirs), np.bincount(labels) / size)


def alike(*, ours: float, theirs: float, size: int) -> Population:
    """Two classifiers of two classes that answer rightly but for a share each, no example of which is in both.

    Args:
        ours: Share of the examples that ours alone has right.
        theirs: Share that theirs alone has right.
        size: Examples.
    """
    place = np.arange(size) / size
    labels = np.arange(size) % 2
    sure = np.eye(2)[labels]
    wrong = [np.where(missed[:, None], 1 - sure, sure) for missed in (place < theirs, place >= 1 - ours)]
    return Population(labels, wrong[0], wrong[1], np.array([0.5, 0.5]))
