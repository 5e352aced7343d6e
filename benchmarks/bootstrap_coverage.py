"""How often the interval of a difference covers the truth: test sets drawn from a population, two fixed classifiers.

    python -m benchmarks.bootstrap_coverage --metric macro_f1 --examples 2000 1000 500 250 125

Nominal is 95 %; 1,000 test sets tell it to 1.4 points (two standard errors).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from automl_kd.objectives import paired_difference
from automl_kd.tasks.metrics import Metric, metric_named
from benchmarks.tables import table

Array = NDArray[np.float64]
CLASSES = 10
TAILS = np.array([0.025, 0.975])


@dataclass(frozen=True)
class Population:
    """All that test sets are drawn from.

    Attributes:
        labels: Shape (n,).
        ours: Statistics of each example, (n, K).
        theirs: The same of the other classifier.
    """

    labels: NDArray[np.int64]
    ours: Array
    theirs: Array


@dataclass(frozen=True)
class Coverage:
    """What intervals of one kind did over many test sets: shares, and their mean width in the metric's unit."""

    covered: float
    too_high: float
    too_low: float
    width: float


def synthetic(metric: Metric, *, skew: str, ours: float, theirs: float, shared: float, size: int) -> Population:
    """Two classifiers whose errors have a share in common.

    Args:
        metric: What is kept of each example.
        skew: ``geometric``: class sizes fall evenly from 20 to 1. ``step``: half the classes have 20, the others 1.
        ours: By how much the logit of the right class stands out, in standard deviations of the noise.
        theirs: The same of the other.
        shared: Share of the noise's variance that both have in common.
        size: Examples.
    """
    rng = np.random.default_rng(0)
    rank = np.arange(CLASSES)
    shares = 20.0 ** (-rank / (CLASSES - 1)) if skew == "geometric" else np.where(rank < CLASSES // 2, 1.0, 0.05)
    shares /= shares.sum()
    labels = rng.choice(CLASSES, size, p=shares)
    common = rng.normal(size=(size, CLASSES))

    def statistics(strength: float) -> Array:
        noise = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.normal(size=(size, CLASSES))
        # Trained on as skewed a split, a classifier leans to the frequent classes.
        logits = strength * np.eye(CLASSES)[labels] + noise + 0.35 * np.log(shares)
        return metric.statistics(torch.from_numpy(logits), torch.from_numpy(labels))

    return Population(labels, statistics(ours), statistics(theirs))


def coverage(
    metric: Metric, population: Population, *, examples: int, repeats: int, draws: int, others: bool = False
) -> dict[str, Coverage]:
    """Coverage of the difference in the population by intervals of test sets, by kind of interval.

    Args:
        metric: What is compared.
        population: What test sets are drawn from, without replacement.
        examples: Of a test set.
        repeats: Test sets.
        draws: Bootstrap samples of one.
        others: Also intervals that the product does not use: basic; bias-corrected and accelerated (Efron 1987).
    """
    truth = metric.value(population.ours) - metric.value(population.theirs)
    rng = np.random.default_rng(1)
    intervals: dict[str, list[tuple[float, float]]] = {}
    for repeat in range(repeats):
        chosen = rng.choice(len(population.labels), examples, replace=False)
        ours, theirs = population.ours[chosen], population.theirs[chosen]
        found = paired_difference(metric, [ours], [theirs], draws=draws, seed=repeat)
        intervals.setdefault("percentile", []).append((found.low, found.high))
        if others:
            for name, interval in _others(metric, ours, theirs, found.difference, draws, rng):
                intervals.setdefault(name, []).append(interval)
    return {name: _covered(np.array(rows), truth) for name, rows in intervals.items()}


def _others(
    metric: Metric, ours: Array, theirs: Array, seen: float, draws: int, rng: np.random.Generator
) -> Iterator[tuple[str, tuple[float, float]]]:
    count = len(ours)

    def differences(weights: Array) -> Array:
        found = metric.values(ours, weights) - metric.values(theirs, weights)
        return found[np.isfinite(found)]

    samples = differences(rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64))
    low, high = np.quantile(samples, TAILS)
    yield "basic", (2 * seen - high, 2 * seen - low)
    without = differences(1 - np.eye(count))
    skewed = without.mean() - without
    spread = 6 * (skewed**2).sum() ** 1.5
    acceleration = (skewed**3).sum() / spread if spread > 0 else 0.0  # no spread where both answer alike everywhere
    below = ((samples < seen).mean() + (samples <= seen).mean()) / 2
    bias = ndtri(np.clip(below, 1 / draws, 1 - 1 / draws))
    shifted = bias + ndtri(TAILS)
    low, high = np.quantile(samples, ndtr(bias + shifted / (1 - acceleration * shifted)))
    yield "BCa", (low, high)


def _covered(intervals: Array, truth: float) -> Coverage:
    low, high = intervals.T
    inside = (low <= truth) & (truth <= high)
    return Coverage(
        float(inside.mean()), float((truth < low).mean()), float((truth > high).mean()), float((high - low).mean())
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metric", default="macro_f1", help="any of a multiclass problem")
    parser.add_argument("--examples", type=int, nargs="+", default=[2000, 1000, 500, 250, 125])
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--population", type=int, default=60_000)
    parser.add_argument("--others", action="store_true", help="also basic and BCa intervals")
    options = parser.parse_args()
    metric = metric_named(options.metric, "multiclass", CLASSES)
    rows = []
    for skew in ("geometric", "step"):
        for ours, theirs, shared in ((2.2, 2.0, 0.7), (4.0, 3.7, 0.8)):
            population = synthetic(metric, skew=skew, ours=ours, theirs=theirs, shared=shared, size=options.population)
            whole = (metric.shown(metric.value(each)) for each in (population.ours, population.theirs))
            values = " and ".join(whole)
            share = np.bincount(population.labels).min() / len(population.labels)
            for examples in options.examples:
                found = coverage(
                    metric,
                    population,
                    examples=examples,
                    repeats=options.repeats,
                    draws=options.draws,
                    others=options.others,
                )
                for name, each in found.items():
                    rows.append(
                        (
                            *(skew, values, examples, f"{share * examples:.0f}", name, f"{100 * each.covered:.1f} %"),
                            *(f"{100 * each.too_high:.1f} %", f"{100 * each.too_low:.1f} %", f"{each.width:.3f}"),
                        )
                    )
    header = ("skew", options.metric, "examples", "smallest class", "interval", "covers", "above", "below", "width")
    print(table(header, rows))


if __name__ == "__main__":
    main()
