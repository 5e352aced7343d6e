"""What every loss gains beside the task's own on Fashion-MNIST, each with its weight tuned in the same way."""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from benchmarks.distillation.runs import Run, Runs, best_by_validation, losses_of
from benchmarks.distillation.setups import beside, document, names
from benchmarks.tables import points, table

IMAGES = 2_000
EPOCHS = 20
SHARES = (0.3, 1.0, 3.0, 10.0)
# Temperature and weight beside cross-entropy of weight 1, without balancing: what a user would try first.
PLAIN_KD = ((1.0, 1.0), (4.0, 1.0), (4.0, 4.0), (8.0, 1.0))
_NONE, _KD = "no distillation", "plain KD, tuned"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``losses``."""
    parser.add_argument("--results", type=Path, required=True, help="file of finished trainings, to go on from")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--losses", nargs="+", choices=names(), help="by default all")


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    runs = Runs(options.images, options.results, options.workers)
    listed = options.losses or [name for name in names() if name != "kd"]
    possible = losses_of({name: document(beside(name, 1.0, "gradient"), 0, options.epochs) for name in listed}, runs)
    arms: dict[str, list[tuple[str, dict[str, Any]]]] = {
        _NONE: [("", {})],
        _KD: [
            (f"{weight:g}, T {temperature:g}", beside("kd", weight, "none", temperature=temperature))
            for temperature, weight in PLAIN_KD
        ],
        **{name: [(f"{share:g}", beside(name, share, "gradient")) for share in SHARES] for name in possible},
    }

    def run(distill: dict[str, Any], seed: int, test: bool) -> Run:
        return Run(document(distill, seed, options.epochs), test)

    tuning = {arm: [run(distill, 0, False) for _, distill in choices] for arm, choices in arms.items()}
    del tuning[_NONE]
    first, then = sum(map(len, tuning.values())), options.seeds * len(arms)
    print(f"{first} trainings to tune weights, then {then} under other seeds")
    runs.do("tuning", (each for candidates in tuning.values() for each in candidates))
    chosen = {arm: candidates.index(best_by_validation(runs, candidates)) for arm, candidates in tuning.items()}
    chosen[_NONE] = 0
    final = {
        arm: [run(choices[chosen[arm]][1], 1 + seed, True) for seed in range(options.seeds)]
        for arm, choices in arms.items()
    }
    runs.do("final", (each for group in final.values() for each in group))
    tests = {arm: [runs.of(each).test or 0.0 for each in group] for arm, group in final.items()}
    for arm, group in final.items():
        for reason in sorted({runs.of(each).failed or "" for each in group} - {""}):
            print(f"{arm}: {reason}")
    rows = []
    for arm, values in tests.items():
        spread = 100 * statistics.stdev(values) if len(values) > 1 else 0.0
        gains = [mine - plain for mine, plain in zip(values, tests[_NONE], strict=True)]
        over = [mine - plain for mine, plain in zip(values, tests[_KD], strict=True)]
        rows.append(
            (
                arm,
                arms[arm][chosen[arm]][0],
                f"{100 * statistics.fmean(values):.2f} ± {spread:.2f}",
                "" if arm == _NONE else points(gains),
                "" if arm in (_NONE, _KD) else points(over),
            )
        )
    what = f"{options.images:,} images, {options.epochs} epochs, {options.seeds} seeds"
    print(table((what, "weight", "test accuracy, %", "over no distillation", "over plain KD"), rows))
