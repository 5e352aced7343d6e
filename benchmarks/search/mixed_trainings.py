"""Students with their distillation by sampler, after equally many trainings, whatever else the machine does."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.search import kept
from benchmarks.search.arms import ARMS, HW, TASK
from benchmarks.search.cells import share
from benchmarks.search.product import teach
from benchmarks.search.samplers import OURS, version
from benchmarks.search.trainings import ACCURACY, PINS, Point, open_store, slowest, train
from benchmarks.tables import table, with_error

TRAININGS = 30
SHOWN = (10, 20, 30)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``mixed_trainings``."""
    kept.add_arguments(parser)
    parser.add_argument("--seeds", type=int, default=5)


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    teach()
    jobs = {key(arm, seed): (arm, seed) for seed in range(options.seeds) for arm in ARMS}
    results = kept.run(one, jobs, options)
    worst = slowest(HW)
    runs = {arm: [results[key(arm, seed)] for seed in range(options.seeds)] for arm in ARMS}
    shown = {arm: [[tested(run[:at], worst) for at in SHOWN] for run in each] for arm, each in runs.items()}
    rows = []
    for arm, each in shown.items():
        means = [with_error(list(values)) for values in zip(*each, strict=True)]
        pairs = list(zip(shown[OURS], each, strict=True))
        leads = [with_error([mine[at] - other[at] for mine, other in pairs], "+") for at in range(len(SHOWN))]
        rows.append((arm, *means, *(("",) * len(SHOWN) if arm == OURS else leads)))
    print(f"{TASK}, tiny_cnn with {' '.join(PINS)}, {HW}; {options.seeds} seeds; test hypervolume in % of the box")
    print(f"from {100 * ACCURACY:g} % to 100 % and from 0 to {worst:.3g} ms, after so many trainings")
    print(table(("arm", *SHOWN, *(f"ours minus it, {at}" for at in SHOWN)), rows))


def one(arm: str, seed: int) -> list[Point]:
    """What every training of one run came to, in their order."""
    sampler, pins = ARMS[arm]
    with tempfile.TemporaryDirectory() as folder:
        return train(open_store(Path(folder), "study"), sampler, pins, HW, seed, TRAININGS)


def tested(points: list[Point], worst: float) -> float:
    """Hypervolume on the test split of the front on search-validation, which alone chooses."""
    front, best = [], 0.0
    for accuracy, test, latency in sorted(points, key=lambda point: (point[2], -point[0])):
        if accuracy > best:
            best = accuracy
            front.append((test, latency))
    return share(front, ACCURACY, worst)


def key(arm: str, seed: int) -> str:
    """Of one run among results."""
    return f"mixed: {arm} {version(arm)}, {TASK}, {' '.join(PINS)}, {HW}, {TRAININGS} trainings, seed {seed}"
