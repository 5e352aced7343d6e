"""Best weights of losses of different kinds, as published and balanced by the norms of their gradients."""

from __future__ import annotations

import argparse
import math
import random
import statistics
from pathlib import Path

from benchmarks.distillation.runs import Run, Runs, best_by_validation, losses_of
from benchmarks.distillation.setups import BALANCES, PUBLISHED, beside, document, names
from benchmarks.tables import table

IMAGES = 2_000
EPOCHS = 5
LOW, HIGH = 1e-3, 1e5
# One of each kind: logits, maps, statistics of maps, relations between samples.
KINDS = (
    "kd",
    "dist",
    "hint",
    "attention_transfer",
    "similarity_preserving",
    "nst",
    "rkd_distance",
    "pkt",
    "factor_transfer",
    "channel_wise",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``balance``."""
    parser.add_argument("--results", type=Path, required=True, help="file of finished trainings, to go on from")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--losses", nargs="+", choices=names(), help="by default ten of different kinds")


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    runs = Runs(options.images, options.results, options.workers)
    listed = options.losses or KINDS
    possible = losses_of({name: document(beside(name, 1.0, "none"), 0, options.epochs) for name in listed}, runs)
    drawn = random.Random(0)
    weights = [10 ** drawn.uniform(math.log10(LOW), math.log10(HIGH)) for _ in range(options.trials)]
    searches = {
        (name, how): [Run(document(beside(name, weight, how), 0, options.epochs)) for weight in weights]
        for name in possible
        for how in BALANCES
    }
    runs.do("searches", (run for search in searches.values() for run in search))
    best = {each: weights[search.index(best_by_validation(runs, search))] for each, search in searches.items()}
    reached = {each: max(runs.of(run).validation for run in search) for each, search in searches.items()}
    what = f"best of {options.trials} weights, {options.images:,} images, {options.epochs} epochs"
    rows: list[tuple[object, ...]] = [
        (
            name,
            *(f"{best[name, how]:.3g} ({reached[name, how]:.1%})" for how in BALANCES),
            f"{PUBLISHED[name]:g}" if name in PUBLISHED else "",
        )
        for name in possible
    ]
    columns = {how: [math.log10(best[name, how]) for name in possible] for how in BALANCES}
    rows.append(("largest / smallest", *(f"{10 ** (max(logs) - min(logs)):.3g}" for logs in columns.values()), ""))
    deviations = (statistics.stdev(logs) if len(logs) > 1 else math.nan for logs in columns.values())
    rows.append(("standard deviation of log10", *(f"{deviation:.2f}" for deviation in deviations), ""))
    print(table((what, *(f"balance: {how} (accuracy)" for how in BALANCES), "published"), rows))
