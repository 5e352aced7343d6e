"""Areas under curves of one class against the rest, under many weightings at once; tied scores are one threshold.

The thresholds are the distinct scores of the positive examples: between two of them the curves of true positives do
not rise, so the negative examples there matter by their weight alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl_kd.tasks.metrics.arrays import quotient, sums_by_group


@dataclass(frozen=True, eq=False)
class RankedClass:
    """Weights of one class's positive and negative examples by threshold, from the lowest score to the highest.

    Attributes:
        positives: Weight of the positive examples at each threshold, (G, B).
        negatives: Weight of the negative examples below the first threshold, at it, between it and the second, and so
            on, (2 G + 1, B).
    """

    positives: NDArray[np.float64]
    negatives: NDArray[np.float64]

    def roc_area(self) -> NDArray[np.float64]:
        """Area under the ROC curve (B,): how often a positive example outranks a negative one, ties counted half.

        Not a number where a weighting leaves no positive or no negative example.
        """
        below = self.negatives.cumsum(axis=0)[0:-1:2]
        outranked = (self.positives * (below + self.negatives[1::2] / 2)).sum(axis=0)
        pairs = self.positives.sum(axis=0) * self.negatives.sum(axis=0)
        return quotient(outranked, pairs, np.nan)

    def average_precision(self) -> NDArray[np.float64]:
        """Mean of the precisions at the thresholds (B,), weighted by how much recall rises there, not interpolated.

        Not a number where a weighting leaves no positive example.
        """
        true = self.positives[::-1].cumsum(axis=0)[::-1]
        false = self.negatives[::-1].cumsum(axis=0)[::-1][1::2]
        precision = quotient(true, true + false, 0)
        return quotient((self.positives * precision).sum(axis=0), self.positives.sum(axis=0), np.nan)


def ranked(scores: NDArray[np.float64], positive: NDArray[np.bool_], weights: NDArray[np.float64]) -> RankedClass:
    """One class's examples by score.

    Args:
        scores: (N,), the higher the likelier to be positive.
        positive: Whether each example is of the class, (N,).
        weights: (N, B), one column a weighting.
    """
    thresholds, at = np.unique(scores[positive], return_inverse=True)
    others = scores[~positive]
    # Even where a score is between thresholds, odd where it is at one.
    places = np.searchsorted(thresholds, others, side="left") + np.searchsorted(thresholds, others, side="right")
    return RankedClass(
        sums_by_group(weights, at, len(thresholds), positive),
        sums_by_group(weights, places, 2 * len(thresholds) + 1, ~positive),
    )


def mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the first axis of what is a number, (C, B) to (B,); not a number where nothing is."""
    defined = ~np.isnan(values)
    return quotient(np.where(defined, values, 0).sum(axis=0), defined.sum(axis=0), np.nan)
