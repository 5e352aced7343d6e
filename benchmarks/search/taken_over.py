"""What accuracies that a study of another device found are worth on NAS-Bench-201."""

from __future__ import annotations

import argparse

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.trial import create_trial

from benchmarks.search import kept
from benchmarks.search.cells import DEVICES, EDGES, OPERATORS, ask, bench, cell_of, create_study
from benchmarks.search.samplers import OURS, known_cost, version
from benchmarks.tables import table

EARLIER = 100
"""Evaluations of the study of the first device, and of a fresh one of the second."""
SHOWN = (0, 5, 10)
"""Evaluations on the second device."""
PAIRS = tuple(zip(DEVICES, (*DEVICES[1:], DEVICES[0]), strict=True))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``taken_over``."""
    kept.add_arguments(parser)
    parser.add_argument("--seeds", type=int, default=5)


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    jobs = {_key(*pair, seed): (*pair, seed) for pair in PAIRS for seed in range(options.seeds)}
    results = kept.run(regrets, jobs, options)
    rows = []
    for pair in PAIRS:
        runs = [results[_key(*pair, seed)] for seed in range(options.seeds)]
        fresh = np.mean([run["fresh"] for run in runs])
        taken = np.mean([run["taken"] for run in runs], axis=0)
        rows.append((*pair, f"{fresh:.2f}", *(f"{taken[at]:.2f}" for at in SHOWN)))
    print(f"Mean regret in %, {options.seeds} seeds")
    header = ("first device", "second", f"fresh, after {EARLIER}", *(f"taken over, {at} more" for at in SHOWN))
    print(table(header, rows))


def regrets(first: str, second: str, seed: int) -> dict[str, float | list[float]]:
    """Regret on the second device: of a study of its own, and with what is taken over before and after more."""
    found = _evaluated(first, seed)
    on = bench(second)
    study = create_study(known_cost(on, seed))
    distributions = {edge: CategoricalDistribution(OPERATORS) for edge in EDGES}
    points = []
    for params, accuracy in found:
        known = on.cells.get(cell_of(params))
        if known is not None:
            points.append((accuracy, known.latency))
            study.add_trial(create_trial(params=params, distributions=distributions, values=list(points[-1])))
    curve = [on.regret(points)]
    for _ in range(max(SHOWN)):
        trial, known = ask(study, on)
        study.tell(trial, [known.accuracy, known.latency])
        points.append((known.accuracy, known.latency))
        curve.append(on.regret(points))
    fresh = [(accuracy, on.latency(params)) for params, accuracy in _evaluated(second, seed)]
    return {"fresh": on.regret(fresh), "taken": curve}


def _evaluated(device: str, seed: int) -> list[tuple[dict[str, str], float]]:
    """What a study of a device evaluates, with its accuracy."""
    on, found = bench(device), []
    study = create_study(known_cost(on, seed))
    while len(found) < EARLIER:
        trial, known = ask(study, on)
        study.tell(trial, [known.accuracy, known.latency])
        found.append((trial.params, known.accuracy))
    return found


def _key(first: str, second: str, seed: int) -> str:
    return f"taken over: {OURS} {version(OURS)}, {EARLIER} evaluations, {first} to {second}, seed {seed}"
