"""What a user of ``tiny_cnn`` leaves with after a short budget: students with their distillation, by sampler."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.search import kept
from benchmarks.search.arms import ARMS, HW, TASK
from benchmarks.search.cells import share
from benchmarks.search.product import search, teach
from benchmarks.search.samplers import OURS, version
from benchmarks.search.trainings import PINS, slowest
from benchmarks.tables import table, with_error

ACCURACY = 0.80
"""Reference; that of latency is the slowest of 64 random students."""
BUDGET = 150


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
        pairs = list(zip(by_arm[OURS], runs, strict=True))
        shown = []
        for measure in (picks, front):
            lead = with_error([measure(mine) - measure(other) for mine, other in pairs], "+")
            shown += [with_error([measure(run) for run in runs]), "" if arm == OURS else lead]
        counts = (statistics.fmean(run["trials"][what] for run in runs) for what in ("complete", "pruned"))
        delivered = statistics.fmean(len(run["picks"]) for run in runs)
        rows.append((arm, *shown, *(f"{count:.1f}" for count in (*counts, delivered))))
    print(f"{TASK}, tiny_cnn with {' '.join(PINS)}, {HW}, {options.budget} s and one worker, {options.seeds} seeds")
    print(f"hypervolume in % of the box from {100 * ACCURACY:g} % to 100 % and from 0 to {slowest(HW):.3g} ms")
    header = ("arm", "picks, test", "ours minus it", "front, search-validation", "ours minus it")
    print(table((*header, "trials finished", "stopped early", "picks"), rows))


def one(arm: str, seed: int, budget: int) -> dict[str, Any]:
    """One run from nothing but the teacher."""
    sampler, pins = ARMS[arm]
    arguments = ["--hw", HW, "--budget", f"{budget}s", "--workers", "1", "--seed", str(seed), "--sampler", sampler]
    arguments += [word for pin in (*PINS, *pins) for word in ("--set", pin)]
    with tempfile.TemporaryDirectory() as folder:
        return search(Path(folder), *arguments)


def picks(run: dict[str, Any]) -> float:
    """Hypervolume of what the user leaves with."""
    return share(((pick["test_accuracy"], pick["latency_ms"]) for pick in run["picks"]), ACCURACY, slowest(HW))


def front(run: dict[str, Any]) -> float:
    """Hypervolume of the search's own front."""
    return share(((entry["accuracy"], entry["latency_ms"]) for entry in run["front"]), ACCURACY, slowest(HW))


def _key(arm: str, seed: int, budget: int) -> str:
    return f"mixed: {arm} {version(arm)}, {TASK}, {' '.join(PINS)}, {HW}, {budget} s, seed {seed}"
