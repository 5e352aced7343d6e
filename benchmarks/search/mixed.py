"""What a user of ``tiny_cnn`` leaves with after a short budget: students with their distillation, by sampler."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.search import kept
from benchmarks.search.product import ACCURACY, TASK, hypervolume, pinned, search, teach
from benchmarks.search.samplers import OURS, version
from benchmarks.tables import table, with_error

HW = "raspberry-pi-4"  # latencies of the space differ fivefold there
SLOWEST = 1.2
"""Reference in ms: no more than the slowest of 64 random students that --dry-run shows, 1.15 ms."""
BUDGET = 180
PLAIN = tuple(
    f"distill.losses.{pin}"
    for pin in ("task={weight: 1.0}", "kd={weight: 1.0, temperature: 4.0}", "hint=null", "review_hcl=null", "dist=null")
)
ARMS: dict[str, tuple[str, ...]] = {
    "known cost": ("--sampler", "known-cost"),
    "TPE, multivariate": ("--sampler", "tpe"),
    "NSGA-II": ("--sampler", "nsga2"),
    "random, plain KD": ("--sampler", "random", *pinned(PLAIN)),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``mixed``."""
    kept.add_arguments(parser)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=BUDGET, help="seconds")


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    teach()
    # All arms of a seed in turn, so that what else the machine does meets all alike.
    jobs = {
        _key(arm, seed, options.budget): (arm, seed, options.budget) for seed in range(options.seeds) for arm in ARMS
    }
    results = kept.run(one, jobs, options)
    by_arm = {arm: [results[_key(arm, seed, options.budget)] for seed in range(options.seeds)] for arm in ARMS}
    rows = []
    for arm, runs in by_arm.items():
        ours = by_arm["known cost"]
        rows.append(
            (
                arm,
                with_error([picks(run) for run in runs]),
                "" if arm == OURS else with_error([picks(a) - picks(b) for a, b in zip(ours, runs, strict=True)], "+"),
                with_error([front(run) for run in runs]),
                "" if arm == OURS else with_error([front(a) - front(b) for a, b in zip(ours, runs, strict=True)], "+"),
                f"{statistics.fmean(run['trials']['complete'] for run in runs):.1f}",
                f"{statistics.fmean(run['trials']['pruned'] for run in runs):.1f}",
                f"{statistics.fmean(len(run['picks']) for run in runs):.1f}",
            )
        )
    print(f"{TASK}, tiny_cnn, {HW}, {options.budget} s and one worker, {options.seeds} seeds", end="; ")
    print(f"hypervolume in % of the box from {100 * ACCURACY:g} % to 100 % and from 0 to {SLOWEST:g} ms")
    header = ("arm", "picks, test", "ours minus it", "front, search-validation", "ours minus it")
    print(table((*header, "trials finished", "stopped early", "picks"), rows))


def one(arm: str, seed: int, budget: int) -> dict[str, Any]:
    """One run from nothing but the teacher."""
    fixed = ("--hw", HW, "--budget", f"{budget}s", "--workers", "1", "--seed", str(seed))
    with tempfile.TemporaryDirectory() as folder:
        return search(Path(folder), *fixed, *ARMS[arm])


def picks(run: dict[str, Any]) -> float:
    """Hypervolume of what the user leaves with."""
    return hypervolume(((pick["test_accuracy"], pick["latency_ms"]) for pick in run["picks"]), SLOWEST)


def front(run: dict[str, Any]) -> float:
    """Hypervolume of the search's own front."""
    return hypervolume(((entry["accuracy"], entry["latency_ms"]) for entry in run["front"]), SLOWEST)


def _key(arm: str, seed: int, budget: int) -> str:
    return f"mixed: {arm} {version(arm)}, {TASK}, {HW}, {budget} s, seed {seed}"
