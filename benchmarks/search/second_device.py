"""A search for a second device that takes over what an earlier one found, beside a fresh search for it."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from automl_kd.storage import Database
from automl_kd.studies.pricing import Limits
from automl_kd.studies.study_files import StudyFiles
from automl_kd.studies.trials import TrialStore
from automl_kd.studies.warm_start import WarmStart
from benchmarks.search import kept, mixed_trainings
from benchmarks.search.arms import HW, TASK
from benchmarks.search.cells import share
from benchmarks.search.mixed_trainings import TRAININGS
from benchmarks.search.product import teach
from benchmarks.search.samplers import OURS, version
from benchmarks.search.trainings import ACCURACY, OBJECTIVES, PINS, open_store, pricing, slowest, space, train
from benchmarks.tables import table, with_error

FIRST, SECOND = "jetson-nano", HW
MORE = 1
"""Trainings on the second device: not 5 % of those of a fresh search."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``second_device``."""
    kept.add_arguments(parser)
    parser.add_argument("--seeds", type=int, default=5)


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    teach()
    seeds = range(options.seeds)
    # Those for the second device alone are the runs of mixed_trainings.
    fresh = kept.run(mixed_trainings.one, {mixed_trainings.key(OURS, seed): (OURS, seed) for seed in seeds}, options)
    taken = kept.run(one, {_key(seed): (seed,) for seed in seeds}, options)
    worst = slowest(SECOND)
    rows, ratios = [], []
    for seed in seeds:
        points = ((accuracy, latency) for accuracy, _, latency in fresh[mixed_trainings.key(OURS, seed)])
        alone = share(points, ACCURACY, worst)
        before, after = (share(each, ACCURACY, worst) for each in taken[_key(seed)])
        ratios.append((100 * (before / alone - 1), 100 * (after / alone - 1)))
        rows.append((seed, f"{alone:.2f}", f"{before:.2f}", f"{after:.2f}", *(f"{each:+.1f} %" for each in ratios[-1])))
    means = (f"{with_error(list(each), '+')} %" for each in zip(*ratios, strict=True))
    print(f"{TASK}, tiny_cnn with {' '.join(PINS)}; {TRAININGS} trainings for {SECOND}, or as many for {FIRST}")
    print(f"taken over; search-validation hypervolume in % of the box from {100 * ACCURACY:g} % to 100 % and from 0")
    print(f"to {worst:.3g} ms")
    header = ("seed", "fresh", "taken over", f"{MORE} training later", "against fresh", "later against fresh")
    print(table(header, [*rows, ("mean", "", "", "", *means)]))


def one(seed: int) -> list[list[tuple[float, float]]]:
    """Accuracies with latencies on the second device: of what was taken over, then with what was trained there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(open_store(folder, "earlier"), "known-cost", (), FIRST, seed, TRAININGS)
        database = Database(str(folder / "study.db"))
        store = open_store(folder, "taken")
        _take_over(store, database, folder)
        before = [point.values for point in store.complete()]
        train(store, "known-cost", (), SECOND, seed, MORE)
        return [before, [point.values for point in store.complete()]]


def _take_over(store: TrialStore, database: Database, folder: Path) -> None:
    """Take over the earlier study without a search around it: of its context only this much is asked for."""
    context: Any = SimpleNamespace(
        database=database,
        storage=database.optuna(),
        files=StudyFiles(folder / "taken"),
        prepared=SimpleNamespace(space=space(), pricing=pricing(SECOND), objectives=OBJECTIVES),
        request=SimpleNamespace(hw=SECOND, limits=Limits()),
    )
    WarmStart(context).take_over(store, ["earlier"])


def _key(seed: int) -> str:
    pair = f"{FIRST} to {SECOND}"
    return (
        f"second device: {OURS} {version(OURS)}, {TASK}, {' '.join(PINS)}, {pair}, {TRAININGS} and {MORE}, seed {seed}"
    )
