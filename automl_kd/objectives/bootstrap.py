"""What a value, and a difference between two arms, is worth: bootstrap over examples and seeds, for any metric.

The interval is that of percentiles. For the macro F1 of two classifiers that err alike, 2,000 examples of ten classes
1 : 20, it covers the truth in 93 to 96 of 100 test sets. With fewer than about 15 examples of the smallest class it
covers too little, because hardly any of them is right for only one of the two; there the basic and the bias-corrected
and accelerated intervals mostly cover even less (``benchmarks/bootstrap_coverage.py``, ``docs/notes/bootstrap.md``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from automl_kd.objectives.objective import Direction

Array = NDArray[np.float64]
_BLOCK = 2**20
"""Weights that are drawn at a time: 8 MiB, which is read while it is in the processor's cache."""


class Resampled(Protocol):
    """A metric as the bootstrap sees it: a value of weighted examples, each a row of statistics."""

    def value(self, statistics: Array, weights: Array | None = None) -> float:
        """The value of rows (N, K), each counted as often as its weight (N,) says; not a number where undefined."""

    def values(self, statistics: Array, weights: Array) -> Array:
        """The same under many weightings at once, (B, N) to (B,)."""


@runtime_checkable
class FunctionOfMeans(Resampled, Protocol):
    """A metric that is a function of the means of its statistics' columns, so that its error has a closed form."""

    def of_means(self, means: Array) -> Array:
        """The values (B,) of means (B, K)."""


@dataclass(frozen=True)
class Difference:
    """One value minus another and its 95 % interval, in the metric's own unit and sign (0.01 is a point of accuracy).

    >>> Difference(-0.5, -0.75, 0.25).gain("minimize")
    Difference(difference=0.5, low=-0.25, high=0.75)

    Attributes:
        difference: Ours minus theirs.
        low: Lower end of the interval.
        high: Upper end.
    """

    difference: float
    low: float
    high: float

    def gain(self, direction: Direction) -> Difference:
        """The same with the sign that makes a positive difference a gain."""
        return self if direction == "maximize" else Difference(-self.difference, -self.high, -self.low)

    def as_dict(self) -> dict[str, float]:
        """``difference``, ``low`` and ``high``."""
        return asdict(self)


def paired_difference(
    metric: Resampled, ours: Sequence[Array], theirs: Sequence[Array], *, draws: int = 2000, seed: int = 0
) -> Difference:
    """The metric of ours minus that of theirs, with a 95 % interval from a paired bootstrap over examples and seeds.

    Every draw takes as many seeds and as many examples as there are, with replacement, the same for both arms and the
    same examples for all seeds. An arm's value in a draw is the mean over its seeds. Draws in which the metric is not
    defined, because a class is missing, are left out. Where seeds err on different examples, the interval is wider than
    need be, never narrower (Owen 2007, "The pigeonhole bootstrap").

    Of a share, such as accuracy, one example is added that ours alone has right, and one that theirs alone has (Bonett
    and Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired data"):
    where hardly any example tells two arms apart, resampling the others would be sure of what chance has done.

    >>> class Share:
    ...     def value(self, statistics, weights=None):
    ...         return float(np.average(statistics[:, 0], weights=weights))
    ...     def values(self, statistics, weights):
    ...         return weights @ statistics[:, 0] / weights.sum(axis=1)
    >>> right = np.array([[1.0], [1.0], [0.0], [1.0]])
    >>> paired_difference(Share(), [right], [np.zeros((4, 1))])
    Difference(difference=0.75, low=-0.16666666666666669, high=1.0)

    Args:
        metric: What is compared.
        ours: Statistics of each example, (N, K), one array a seed.
        theirs: The same of the other arm on the same examples under the same seeds.
        draws: Bootstrap samples.
        seed: Of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    drawn_seeds = rng.multinomial(len(ours), np.full(len(ours), 1 / len(ours)), size=draws).T
    pairs = list(zip(ours, theirs, strict=True))
    resampled = [_with_one_each(*pair) for pair in pairs] if all(map(_is_share, (*ours, *theirs))) else pairs
    by_seed = np.empty((len(pairs), draws))
    done = 0
    for weights in _resamples(len(resampled[0][0]), draws, rng):
        block = slice(done, done := done + len(weights))
        for row, (mine, other) in enumerate(resampled):
            by_seed[row, block] = metric.values(mine, weights) - metric.values(other, weights)
    # A seed that a draw leaves out is left out of it even where its value is not defined.
    samples = np.where(drawn_seeds > 0, drawn_seeds * by_seed, 0.0).sum(axis=0) / len(pairs)
    samples = samples[np.isfinite(samples)]
    low, high = np.quantile(samples, [0.025, 0.975]) if len(samples) else (math.nan, math.nan)
    difference = np.mean([metric.value(mine) - metric.value(other) for mine, other in pairs])
    return Difference(float(difference), float(low), float(high))


def standard_error(metric: Resampled, statistics: Array, *, draws: int = 200, seed: int = 0) -> float:
    """Standard error of the metric's value for other examples of the same kind.

    Of a function of means it is that of the infinitesimal jackknife (Efron 1982), which for a mean is the standard
    deviation over the square root of the number of examples; a share of which all or none are right keeps the error of
    one example. Of any other metric it is the spread over bootstrap samples. Not a number where the metric is not
    defined.

    Args:
        metric: What the value is of.
        statistics: Of each example, (N, K). Those of several seeds, one below the other, give the error of a mean over
            seeds whose errors are independent.
        draws: Bootstrap samples, of a metric that needs them.
        seed: Of the bootstrap.
    """
    return math.sqrt(_variance(metric, statistics, draws, seed))


def difference_error(metric: Resampled, statistics: Array, *, draws: int = 200, seed: int = 0) -> float:
    """Standard error of the difference of two independent networks' values, both about as good as this one.

    >>> class Share:
    ...     def value(self, statistics, weights=None):
    ...         return float(np.average(statistics[:, 0], weights=weights))
    ...     def values(self, statistics, weights):
    ...         return weights @ statistics[:, 0] / weights.sum(axis=1)
    ...     def of_means(self, means):
    ...         return means[:, 0]
    >>> right = np.repeat([[1.0], [0.0]], 5000, axis=0)
    >>> round(difference_error(Share(), right), 6), round(math.sqrt(2 * 0.5 * 0.5 / 10000), 6)
    (0.007071, 0.007071)

    Args:
        metric: What the values are of.
        statistics: Of each example of one of them, (N, K).
        draws: Bootstrap samples, of a metric that needs them.
        seed: Of the bootstrap.
    """
    return math.sqrt(2 * _variance(metric, statistics, draws, seed))


def share_error(share: float, examples: int) -> float:
    """Standard error of a share of examples, where no more is known than the share.

    A share of which all or none are right keeps the error of one example.

    >>> share_error(0.5, 10000), share_error(1.0, 100)
    (0.005, 0.01)
    """
    return math.sqrt(_share_variance(share, examples))


def _share_variance(share: float, examples: int) -> float:
    return max(share * (1 - share), 1 / examples) / examples


def _variance(metric: Resampled, statistics: Array, draws: int, seed: int) -> float:
    """Of the metric's value."""
    examples = len(statistics)
    if isinstance(metric, FunctionOfMeans):
        means = statistics.mean(axis=0)
        step = 1 / (examples + 1)  # each example counted once more, so that the means stay those of some examples
        moved = metric.of_means(means + step * (statistics - means))
        influence = (moved - metric.of_means(means[None])[0]) / step
        variance = float(influence.var()) / examples
        return max(variance, examples**-2.0) if _is_share(statistics) else variance
    rng = np.random.default_rng(seed)
    samples = np.concatenate([metric.values(statistics, block) for block in _resamples(examples, draws, rng)])
    samples = samples[np.isfinite(samples)]
    return float(samples.var(ddof=1)) if len(samples) > 1 else math.nan


def _is_share(statistics: Array) -> bool:
    """Whether examples are right or wrong and nothing else."""
    return statistics.shape[1] == 1 and bool(np.isin(statistics, (0.0, 1.0)).all())


def _with_one_each(ours: Array, theirs: Array) -> tuple[Array, Array]:
    """Two arms' answers with one more example that ours alone has right, and one that theirs alone has."""
    return np.concatenate([ours, [[1.0], [0.0]]]), np.concatenate([theirs, [[0.0], [1.0]]])


def _resamples(examples: int, draws: int, rng: np.random.Generator) -> Iterator[Array]:
    """How often each example is drawn, blocks of shape (draws, examples): as many as there are, with replacement."""
    size = max(1, _BLOCK // examples)
    for start in range(0, draws, size):
        rows = min(size, draws - start)
        drawn = rng.integers(examples, size=(rows, examples)) + examples * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * examples).reshape(rows, examples).astype(np.float64)
