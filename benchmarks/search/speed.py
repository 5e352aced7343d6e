"""What a proposal takes: ask, suggest and tell in memory."""

from __future__ import annotations

import argparse
import statistics
import time

import optuna

from automl_kd.samplers import KnownCostSampler
from benchmarks.search.cells import create_study
from benchmarks.search.samplers import OURS
from benchmarks.search.synthetic import cost, draw, values_of
from benchmarks.tables import table

MARKS = (100, 500, 2000)
_MEDIAN_OF = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``speed`` has no options."""


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    rows = []
    for name, sampler in (
        (OURS, KnownCostSampler({1: cost}, seed=0)),
        ("TPE, multivariate", optuna.samplers.TPESampler(seed=0, multivariate=True, group=True)),
    ):
        study = create_study(sampler)
        took = []
        for _ in range(max(MARKS)):
            began = time.perf_counter()
            trial = study.ask()
            study.tell(trial, values_of(draw(trial)))
            took.append(1e3 * (time.perf_counter() - began))
        rows.append((name, *(f"{statistics.median(took[at - _MEDIAN_OF : at]):.0f}" for at in MARKS)))
    print(f"ms a trial (median of the {_MEDIAN_OF} trials before so many), 22 active parameters")
    print(table(("sampler", *MARKS), rows))
