"""What short trainings before whole ones save on NAS-Bench-201."""

from __future__ import annotations

import argparse
import statistics

import optuna

from automl_kd.objectives import Objective
from automl_kd.studies.policy import RungRecord, promotions
from benchmarks.search import kept, scores
from benchmarks.search.cells import DEVICES, GOAL, LONG, SHORT, ask, bench, cell_of, create_study
from benchmarks.search.samplers import OURS, SCORED, known_cost, scored, version
from benchmarks.tables import table

MOST = 110
"""Whole trainings that a run may cost."""
SHOWN = (25, 50, 75, 100)
OBJECTIVES = (Objective("accuracy", "maximize", "%"), Objective("latency_ms", "minimize", "ms", known=True))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``fidelity``."""
    kept.add_arguments(parser)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--devices", nargs="+", choices=DEVICES, default=list(DEVICES))
    parser.add_argument("--reductions", nargs="+", type=int, default=[3], help="one in so many goes on")
    parser.add_argument("--sampler", choices=(OURS, SCORED), default=OURS)


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    if options.sampler == SCORED:
        scores.compute(options.devices, options.workers)
    jobs = {
        _key(options.sampler, reduction, device, seed): (options.sampler, reduction, device, seed)
        for device in options.devices
        for reduction in options.reductions
        for seed in range(options.seeds)
    }
    results = kept.run(halved, jobs, options)
    rows = []
    for device in options.devices:
        for reduction in options.reductions:
            runs = [results[_key(options.sampler, reduction, device, seed)] for seed in range(options.seeds)]
            ends = [next((cost for cost, regret in run if regret <= GOAL), float("inf")) for run in runs]
            means = [mean_regret(runs, at) for at in range(1, MOST + 1)]
            mean_end = next((at for at, mean in enumerate(means, 1) if mean <= GOAL), "-")
            shown = (f"{means[at - 1]:.2f}" for at in SHOWN)
            rows.append((device, reduction, *shown, f"{statistics.median(ends):.0f}", mean_end))
    print(f"Regret in % over cost in whole trainings; {SHORT} epochs before {LONG}; {options.seeds} seeds")
    ends = (f"median at {GOAL:g} %", f"mean at {GOAL:g} %")
    print(table(("device", "one in", *(f"mean regret at {at}" for at in SHOWN), *ends), rows))


def mean_regret(runs: list[list[tuple[float, float]]], most: float) -> float:
    """Mean over runs of the regret reached at a cost; before its first whole training a run lacks everything."""
    return statistics.fmean(min((regret for cost, regret in run if cost <= most), default=100.0) for run in runs)


def _key(name: str, reduction: int, device: str, seed: int) -> str:
    return f"{name} {version(name)}, one in {reduction}, {device}, seed {seed}"


def halved(name: str, reduction: int, device: str, seed: int) -> list[tuple[float, float]]:
    """Cost in whole trainings, and regret, whenever a training ends, with a short training before each whole one."""
    on, found, curve = bench(device), [], []
    sampler = scored(on, seed) if name == SCORED else known_cost(on, seed)
    study = create_study(sampler)
    records: dict[int, RungRecord] = {}
    trials: dict[int, optuna.Trial] = {}
    cost = 0.0
    while cost < MOST * LONG:
        waiting = [number for number, each in records.items() if each.waiting]
        worth = sampler.expected_improvements(study, waiting) if len(records) // reduction > len(found) else {}
        going = promotions(list(records.values()), 2, OBJECTIVES, reduction=reduction, worth=worth)
        if going:
            number = going[0]
            known = on.cells[cell_of(trials[number].params)]
            cost += LONG - SHORT
            study.tell(number, [known.accuracy, known.latency])
            records[number] = RungRecord(number, (known.latency,), {0: known.short, 1: known.accuracy}, False)
            found.append((known.accuracy, known.latency))
            curve.append((round(cost / LONG, 5), round(on.regret(found), 5)))
            continue
        trial, known = ask(study, on)
        trial.set_user_attr(f"score@{SHORT}", known.short)
        cost += SHORT
        records[trial.number] = RungRecord(trial.number, (known.latency,), {0: known.short}, True)
        trials[trial.number] = trial
    return curve
