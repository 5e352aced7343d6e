"""How often the interval of a difference covers the truth: test sets drawn from a population, two fixed classifiers.

    python -m benchmarks.bootstrap_coverage synthetic --metrics macro_f1 --examples 2000 1000 500 250 125
    python -m benchmarks.bootstrap_coverage students --ratios 20 50 100
    python -m benchmarks.bootstrap_coverage alike --metrics accuracy --examples 360 497 2000

Nominal is 95 %; 1,000 test sets tell it to 1.4 points (two standard errors). ``students`` takes Fashion-MNIST.
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
from automl_kd.tasks import Metric, metric_named
from benchmarks.fixed_students import ORDERS, fixed_students
from benchmarks.populations import CLASSES, Population, alike, synthetic

Array = NDArray[np.float64]
TAILS = np.array([0.025, 0.975])
HEADER = (
    *("population", "metric", "of the two", "examples", "smallest class", "told apart", "interval"),
    *("covers", "above", "below", "width"),
)


@dataclass(frozen=True)
class Coverage:
    """What intervals of one kind did over many test sets: shares, and their mean width in the metric's unit."""

    covered: float
    too_high: float
    too_low: float
    width: float


def coverage(
    metric: Metric, population: Population, *, examples: int, repeats: int, draws: int, others: bool = False
) -> dict[str, Coverage]:
    """Coverage of the difference in the population by intervals of test sets, by kind of interval.

    Args:
        metric: What is compared.
        population: What test sets are drawn from.
        examples: Of a test set.
        repeats: Test sets.
        draws: Bootstrap samples of one.
        others: Also intervals that the product does not use: basic; bias-corrected and accelerated (Efron 1987).
    """
    of_ours, of_theirs = population.statistics(metric)
    odds = population.odds
    truth = metric.value(of_ours, odds) - metric.value(of_theirs, odds)
    rng = np.random.default_rng(1)
    intervals: dict[str, list[tuple[float, float]]] = {}
    for repeat in range(repeats):
        chosen = rng.choice(len(odds), examples, p=odds)
        ours, theirs = of_ours[chosen], of_theirs[chosen]
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


def populations(options: argparse.Namespace) -> Iterator[tuple[str, Population]]:
    """Those that were asked for, and what each is called."""
    if options.kind == "students":
        for rare in options.rare:
            for ratio in options.ratios:
                yield f"1 : {ratio}, rare ones {rare}", fixed_students(rare, ratio)
        return
    if options.kind == "alike":
        for ours, theirs in ((0.004, 0.001), (0.006, 0.004), (0.02, 0.01), (0.05, 0.05)):
            yield f"{ours:.1%}, {theirs:.1%}", alike(ours=ours, theirs=theirs, size=options.population)
        return
    for skew in ("geometric", "step"):
        for ours, theirs, shared in ((2.2, 2.0, 0.7), (4.0, 3.7, 0.8)):
            yield skew, synthetic(skew=skew, ours=ours, theirs=theirs, shared=shared, size=options.population)


def main() -> None:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("synthetic", "students", "alike"), help="what test sets are drawn from")
    parser.add_argument("--metrics", nargs="+", default=["macro_f1"], help="any of a multiclass problem")
    parser.add_argument("--examples", type=int, nargs="+", default=[2000, 1000, 500, 250])
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--population", type=int, default=60_000, help="size of a synthetic one")
    parser.add_argument("--ratios", type=int, nargs="+", default=[20, 50, 100], help="of the students' classes")
    parser.add_argument("--rare", choices=ORDERS, nargs="+", default=list(ORDERS), help="their rare classes")
    parser.add_argument("--others", action="store_true", help="also basic and BCa intervals")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| {' | '.join(HEADER)} |", "|---" * len(HEADER) + "|", sep="\n", flush=True)
    for name, population in populations(options):
        for metric in (metric_named(each, "multiclass", CLASSES) for each in options.metrics):
            values = [metric.value(each, population.odds) for each in population.statistics(metric)]
            shown = " and ".join(metric.shown(value) for value in values)
            for examples in options.examples:
                found = coverage(
                    metric,
                    population,
                    examples=examples,
                    repeats=options.repeats,
                    draws=options.draws,
                    others=options.others,
                )
                smallest, apart = examples * population.of_classes.min(), examples * population.told_apart
                for interval, each in found.items():
                    row = (
                        *(name, metric.name, shown, examples, f"{smallest:.0f}", f"{apart:.1f}", interval),
                        *(f"{100 * share:.1f} %" for share in (each.covered, each.too_high, each.too_low)),
                        f"{each.width:.3f}",
                    )
                    print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
