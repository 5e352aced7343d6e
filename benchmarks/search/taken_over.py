"""What accuracies that a study of another device found are worth on NAS-Bench-201."""

from __future__ import annotations

import argparse

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.trial import create_trial

from benchmarks.search import kept
from benchmarks.search.cells import DEVICES, EDGES, OPERATORS, Cell, ask, bench, cell_of, create_study
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
    parser.add_argument("--seeds", type=int, default=3)


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    seeds = range(options.seeds)
    studies = {_study(device, seed): (device, seed) for device in DEVICES for seed in seeds}
    found = kept.run(evaluated, studies, options)
    pairs = {_pair(*pair, seed): (*pair, seed, found[_study(pair[0], seed)]) for pair in PAIRS for seed in seeds}
    curves = kept.run(regrets, pairs, options)
    rows = []
    for first, second in PAIRS:
        on = bench(second)
        own = [[on.cells[tuple(cell)] for cell in found[_study(second, seed)]] for seed in seeds]
        fresh = np.mean([on.regret([(known.accuracy, known.latency) for known in each]) for each in own])
        taken = np.mean([curves[_pair(first, second, seed)] for seed in seeds], axis=0)
        rows.append((first, second, f"{fresh:.2f}", *(f"{taken[at]:.2f}" for at in SHOWN)))
    print(f"Mean regret in %, {options.seeds} seeds")
    header = ("first device", "second", f"fresh, after {EARLIER}", *(f"taken over, {at} more" for at in SHOWN))
    print(table(header, rows))


def evaluated(device: str, seed: int) -> list[Cell]:
    """The cells that a study of a device evaluates."""
    on, found = bench(device), []
    study = create_study(known_cost(on, seed))
    while len(found) < EARLIER:
        trial, known = ask(study, on)
        study.tell(trial, [known.accuracy, known.latency])
        found.append(cell_of(trial.params))
    return found


def regrets(first: str, second: str, seed: int, found: list[Cell]) -> list[float]:
    """Regret on the second device with what is taken over from the first, before and after each evaluation more."""
    at_first, on = bench(first), bench(second)
    study = create_study(known_cost(on, seed))
    distributions = {edge: CategoricalDistribution(OPERATORS) for edge in EDGES}
    points = []
    for cell in map(tuple, found):
        if cell in on.cells:
            points.append((at_first.cells[cell].accuracy, on.cells[cell].latency))
            params = dict(zip(EDGES, cell, strict=True))
            study.add_trial(create_trial(params=params, distributions=distributions, values=list(points[-1])))
    curve = [on.regret(points)]
    for _ in range(max(SHOWN)):
        trial, known = ask(study, on)
        study.tell(trial, [known.accuracy, known.latency])
        points.append((known.accuracy, known.latency))
        curve.append(round(on.regret(points), 5))
    return curve


def _study(device: str, seed: int) -> str:
    return f"{OURS} {version(OURS)}, cells of {EARLIER} evaluations, {device}, seed {seed}"


def _pair(first: str, second: str, seed: int) -> str:
    return f"taken over: {OURS} {version(OURS)}, {EARLIER} evaluations, {first} to {second}, seed {seed}"
