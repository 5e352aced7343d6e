"""How many trained networks each sampler needs on NAS-Bench-201; draws its curves into ``benchmarks/figures``."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence

import numpy as np

from benchmarks.search import kept, scores
from benchmarks.search.cells import DEVICES, GOAL, REPORTING, ask, bench, create_study
from benchmarks.search.curves import save
from benchmarks.search.samplers import OURS, SAMPLERS, SCORED, version
from benchmarks.tables import table

LENGTH = {OURS: 200, SCORED: 200, "TPE, multivariate": 600, "NSGA-II": 600, "random": 600}
SHOWN = (25, 50, 75, 100, 150, 300)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``evaluations``."""
    kept.add_arguments(parser)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--devices", nargs="+", choices=(*DEVICES, *REPORTING), default=list(DEVICES))
    parser.add_argument("--samplers", nargs="+", choices=list(LENGTH), default=list(LENGTH))


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    runs = curves([(name, LENGTH[name]) for name in options.samplers], options.devices, options)
    rows = []
    for device in options.devices:
        means = {name: np.mean(runs[name, device], axis=0) for name in options.samplers}
        for name, mean in means.items():
            shown = (f"{mean[at - 1]:.2f}" if at <= len(mean) else "" for at in SHOWN)
            ends = first_below(mean), statistics.median(map(first_below, runs[name, device]))
            rows.append((device, name, *shown, *("-" if end == float("inf") else f"{end:.0f}" for end in ends)))
        if means.keys() == LENGTH.keys():
            save(means, device)
    print(f"Mean regret in % after so many evaluations, and when mean and median run reach {GOAL:g} %,", end=" ")
    print(f"{options.seeds} seeds")
    print(table(("device", "sampler", *SHOWN, f"mean at {GOAL:g} %", f"median at {GOAL:g} %"), rows))


def curves(
    lengths: Sequence[tuple[str, int]], devices: Sequence[str], options: argparse.Namespace
) -> dict[tuple[str, str], list[list[float]]]:
    """Regret after each evaluation, a curve for every seed, by sampler and device."""
    if SCORED in dict(lengths):
        scores.compute(devices, options.workers)
    jobs = {
        _key(name, length, device, seed): (name, length, device, seed)
        for name, length in lengths
        for device in devices
        for seed in range(options.seeds)
    }
    results = kept.run(regrets, jobs, options)
    return {
        (name, device): [results[_key(name, length, device, seed)] for seed in range(options.seeds)]
        for name, length in lengths
        for device in devices
    }


def _key(name: str, length: int, device: str, seed: int) -> str:
    return f"{name} {version(name)}, {length} evaluations, {device}, seed {seed}"


def regrets(name: str, length: int, device: str, seed: int) -> list[float]:
    """Regret after each evaluation of one run."""
    on, found, curve = bench(device), [], []
    study = create_study(SAMPLERS[name](on, seed))
    while len(found) < length:
        trial, known = ask(study, on)
        study.tell(trial, [known.accuracy, known.latency])
        found.append((known.accuracy, known.latency))
        curve.append(round(on.regret(found), 5))
    return curve


def first_below(curve: Sequence[float]) -> float:
    """The evaluation after which regret was at the goal."""
    return next((index + 1.0 for index, regret in enumerate(curve) if regret <= GOAL), float("inf"))
