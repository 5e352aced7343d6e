"""Studies of up to 10,000 trials in SQLite: opening one, and what a proposal takes there."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time

import optuna

from automl_kd.samplers import KnownCostSampler
from automl_kd.storage import Database
from benchmarks.search.cells import create_study
from benchmarks.search.synthetic import cost, draw, values_of
from benchmarks.tables import table

COUNTS = (100, 1000, 10_000)
_MEDIAN_OF = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``large`` has no options."""


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    rows = []
    plain = create_study(optuna.samplers.RandomSampler(seed=0))
    with tempfile.TemporaryDirectory() as folder:
        storage = Database(f"{folder}/large.db").optuna()
        study = optuna.create_study(directions=["maximize", "minimize"], storage=storage, study_name="large")
        for count in COUNTS:
            while len(plain.get_trials(deepcopy=False)) < count:
                trial = plain.ask()
                plain.tell(trial, values_of(draw(trial)))
            study.add_trials(plain.get_trials(deepcopy=False)[len(study.get_trials(deepcopy=False)) :])
            again = optuna.load_study(
                study_name="large",
                storage=Database(f"{folder}/large.db").optuna(),
                sampler=KnownCostSampler({1: cost}, seed=0),
            )
            took = []
            for _ in range(1 + _MEDIAN_OF):
                began = time.perf_counter()
                trial = again.ask()
                again.tell(trial, values_of(draw(trial)))
                took.append(1e3 * (time.perf_counter() - began))
            rows.append((count, f"{took[0]:.0f}", f"{statistics.median(took[1:]):.0f}"))
    print(f"ms: opening a study with the first proposal, then ask, suggest and tell (median of {_MEDIAN_OF})")
    print(table(("trials", "open and propose", "ask, suggest and tell"), rows))
