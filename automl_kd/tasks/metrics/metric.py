"""What a metric is: numbers of each example, and what they say together under any weighting of the examples."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import difference_in_unit, in_unit
from automl_kd.objectives import Direction, Objective
from automl_kd.tasks.metrics.arrays import checked_weights

_BLOCK = 2**21


class Metric(ABC):
    """A figure by which networks are compared, computed from statistics of each example.

    ``statistics`` looks at outputs and labels once, batch by batch; ``value`` says what the collected rows mean under
    a weighting of the examples. A bootstrap over examples is then a matter of weights: an example that is drawn k times
    has the weight k, and ``value(rows, weights)`` equals ``value`` of the rows repeated that often.

    A metric of your own states its four attributes and has two methods. For a mean of something over the examples, or
    a function of such means, :class:`SumMetric` asks for less and is faster.

    >>> import numpy as np, torch
    >>> class MedianError(Metric):
    ...     name, title, direction, unit = "median_error", "median error", "minimize", "label"
    ...     def statistics(self, outputs, labels):
    ...         return (outputs - labels).abs().double().reshape(-1, 1).numpy()
    ...     def value(self, statistics, weights=None):
    ...         repeats = np.ones(len(statistics), int) if weights is None else weights.astype(int)
    ...         return float(np.median(np.repeat(statistics[:, 0], repeats)))
    >>> metric = MedianError()
    >>> rows = metric.statistics(torch.tensor([1.0, 2.0, 7.0]), torch.tensor([1.0, 1.0, 2.0]))
    >>> metric.value(rows), metric.value(rows, np.array([0.0, 1.0, 2.0]))
    (1.0, 5.0)
    >>> metric.shown(1.0), metric.shown_difference(-0.25)
    ('1', '−0.25')
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """What a task file and JSON call it, for example ``macro_f1``."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What people call it, for example ``macro F1``."""

    @property
    @abstractmethod
    def direction(self) -> Direction:
        """Whether more of it is better, or less."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """``"%"`` for a share in [0, 1], ``"nats"``, ``""`` for a number, ``"label"`` for the unit of the labels."""

    @abstractmethod
    def statistics(self, outputs: Tensor, labels: Tensor) -> NDArray[np.float64]:
        """What is kept of each example, (N, K): one row an example, in its order, the same in whatever batch it comes.

        Args:
            outputs: What the network answers, float32 or wider, (N, …): logits (N, classes) of a multiclass problem,
                logits (N, labels) of a multilabel one, values (N,) or (N, D) of a regression; with an axis for each
                dimension of space behind these where the problem has an answer at each position.
            labels: Class numbers (N,), zeros and ones (N, labels), or values of the outputs' shape; with the same axes
                of space.
        """

    @abstractmethod
    def value(self, statistics: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> float:
        """The metric of the examples, each counted as often as its weight says.

        Args:
            statistics: Rows of :meth:`statistics`, (N, K), those of several batches one after another.
            weights: Of each example, (N,), at least 0 and with a positive sum; None counts each example once. Their
                scale does not matter.

        Returns:
            The value; not a number only where the sample does not define it, which each metric states, or where the
            outputs were not numbers.

        Raises:
            ValueError: There is no example, or weights are not as they should be.
        """

    def values(self, statistics: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """:meth:`value` under many weightings at once, (B, N) to (B,)."""
        return np.array([self.value(statistics, weighting) for weighting in weights])

    @property
    def objective(self) -> Objective:
        """The metric as what a search makes as large or as small as it can; it knows how values are shown."""
        return Objective(self.name, self.direction, self.unit, title=self.title)

    def shown(self, value: float) -> str:
        """A value for people: ``97.8 %``, ``0.132 nats``, ``1.42``; an en dash where it is not a number."""
        return in_unit(value, self.unit)

    def shown_difference(self, difference: float) -> str:
        """One value minus another for people: ``+1.2 points``, ``-0.013 nats``; the sign is that of the metric itself.

        Where less is better, a gain is shown as a negative difference.
        """
        return difference_in_unit(difference, self.unit)


class RowMetric(Metric):
    """A metric that reads the rows themselves, under many weightings at once; a single value is the case of one."""

    @abstractmethod
    def of_rows(self, statistics: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values (B,) of rows (N, K) under weights (N, B), which are checked and have contiguous rows."""

    def value(self, statistics: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> float:
        return float(self.of_rows(statistics, checked_weights(weights, len(statistics))[:, None])[0])

    def values(self, statistics: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        # In blocks: what is computed for all weightings at once would not fit into a processor's cache.
        checked = checked_weights(weights, len(statistics))
        size = max(1, _BLOCK // len(statistics))
        blocks = [checked[start : start + size] for start in range(0, len(checked), size)]
        of_blocks = [self.of_rows(statistics, np.ascontiguousarray(block.T)) for block in blocks]
        return np.concatenate([np.empty(0), *of_blocks])


class SumMetric(Metric):
    """A metric that is a function of the weighted means of its columns: one matrix product for many weightings."""

    @abstractmethod
    def of_means(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values (B,) that belong to the weighted means (B, K) of the statistics' columns."""

    def value(self, statistics: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> float:
        # Not the matrix product of `values`: its order of summation depends on the machine and its threads.
        checked = checked_weights(weights, len(statistics))
        sums = statistics.sum(axis=0) if weights is None else (statistics * checked[:, None]).sum(axis=0)
        return float(self.of_means(sums[None] / checked.sum())[0])

    def values(self, statistics: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        checked = checked_weights(weights, len(statistics))
        return self.of_means(checked @ statistics / checked.sum(axis=1, keepdims=True))


class MeanMetric(SumMetric):
    """A metric that is the weighted mean of one column, (N, 1)."""

    def of_means(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        return means[:, 0]
