"""How many trained students a search needs: the sampler beside Optuna's own, on networks that others have trained.

``python -m benchmarks.search evaluations | fidelity | speed | large`` prints a table of Markdown, and the first
draws its curves into ``benchmarks/figures``. The data are NAS-Bench-201 with latencies measured on devices
(``../shared/data/nb201.csv.gz``): 15,625 cells, accuracy on CIFAR-100 after 12 and after 200 epochs.
"""

from __future__ import annotations

import csv
import gzip
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import optuna
from optuna.trial import TrialState

from automl_kd.controller import Standing, promotions
from automl_kd.samplers import KnownCostSampler

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "nb201.csv.gz"
FIGURES = Path(__file__).with_name("figures")
EDGES = ("op_e01", "op_e02", "op_e12", "op_e03", "op_e13", "op_e23")
OPERATORS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
DEVICES = ("help_raspi4", "help_samsung_s7", "help_1080ti_1", "help_gold_6226")
WORST_ACCURACY = 40.0
SEEDS = 10
LONG, SHORT = 200, 12
"""Epochs of a whole training and of a short one."""
GOAL = 1.0
"""Regret in % of the hypervolume of the true front."""
COLOURS = ("#c1272d", "#1f77b4", "#2ca02c", "#888888")
SHOWN = (25, 50, 75, 100, 150, 300)

Cell = tuple[str, ...]


@dataclass(frozen=True)
class Bench:
    """One device.

    Attributes:
        cells: Accuracy after 200 epochs, latency in ms and accuracy after 12 epochs, by cell.
    """

    cells: dict[Cell, tuple[float, float, float]]

    @property
    def slowest(self) -> float:
        return max(latency for _, latency, _ in self.cells.values())

    @property
    def whole(self) -> float:
        return self.area([(accuracy, latency) for accuracy, latency, _ in self.cells.values()])

    def area(self, points: Sequence[tuple[float, float]]) -> float:
        """Hypervolume in % x ms."""
        total, best, slowest = 0.0, WORST_ACCURACY, self.slowest
        for latency, negative in sorted((latency, -accuracy) for accuracy, latency in points):
            if -negative > best:
                total += (-negative - best) * (slowest - latency)
                best = -negative
        return total

    def latency(self, params: dict[str, str]) -> float:
        found = self.cells.get(cell_of(params))
        return float("inf") if found is None else found[1]


def cell_of(params: dict[str, str]) -> Cell:
    return tuple(params.get(edge, "") for edge in EDGES)


@cache
def bench(device: str) -> Bench:
    with gzip.open(DATA, "rt") as file:
        rows = [row for row in csv.DictReader(file) if row[device] and float(row[device]) >= 0.1]
    return Bench(
        {
            tuple(row[edge] for edge in EDGES): (
                float(row["acc200_cifar100_test"]),
                float(row[device]),
                float(row["acc12_cifar100_val"]),
            )
            for row in rows
        }
    )


def known_cost(on: Bench, seed: int) -> optuna.samplers.BaseSampler:
    return KnownCostSampler({1: on.latency}, seed=seed, reference=[WORST_ACCURACY, on.slowest])


SAMPLERS: dict[str, Callable[[Bench, int], optuna.samplers.BaseSampler]] = {
    "known cost": known_cost,
    "TPE, multivariate": lambda on, seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True),
    "NSGA-II": lambda on, seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=20),
    "random": lambda on, seed: optuna.samplers.RandomSampler(seed=seed),
}
LENGTH = {"known cost": 200, "TPE, multivariate": 600, "NSGA-II": 600, "random": 600}


def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")


def ask(study: optuna.Study, on: Bench) -> tuple[optuna.Trial, tuple[float, float, float]]:
    """A trial of a cell that was measured, with what is known of it."""
    while True:
        trial = study.ask()
        cell = tuple(trial.suggest_categorical(edge, OPERATORS) for edge in EDGES)
        if cell in on.cells:
            return trial, on.cells[cell]
        study.tell(trial, state=TrialState.FAIL)


def regrets(name: str, device: str, seed: int) -> list[float]:
    """Regret after each evaluation."""
    quiet()
    on, found, curve = bench(device), [], []
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=SAMPLERS[name](on, seed))
    whole = on.whole
    while len(found) < LENGTH[name]:
        trial, (accuracy, latency, _) = ask(study, on)
        study.tell(trial, [accuracy, latency])
        found.append((accuracy, latency))
        curve.append(100 * (1 - on.area(found) / whole))
    return curve


def halved(reduction: int, device: str, seed: int) -> list[tuple[float, float]]:
    """Cost in whole trainings, and regret, whenever a training ends, with a short training before each whole one."""
    quiet()
    on, found, curve = bench(device), [], []
    sampler = known_cost(on, seed)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    standing: dict[int, Standing] = {}
    trials: dict[int, optuna.Trial] = {}
    cost, whole = 0.0, on.whole
    while cost < 110 * LONG:
        waiting = [number for number, each in standing.items() if each.waiting]
        worth = sampler.expected_improvements(study, waiting) if len(standing) // reduction > len(found) else {}
        going = promotions(list(standing.values()), 2, reduction=reduction, worth=worth)
        if going:
            number = going[0]
            accuracy, latency, short = on.cells[cell_of(trials[number].params)]
            cost += LONG - SHORT
            study.tell(number, [accuracy, latency])
            standing[number] = Standing(number, latency, {0: short, 1: accuracy}, False)
            found.append((accuracy, latency))
            curve.append((cost / LONG, 100 * (1 - on.area(found) / whole)))
            continue
        trial, (_, latency, short) = ask(study, on)
        trial.set_user_attr(f"akd:accuracy@{SHORT}", short)
        cost += SHORT
        standing[trial.number] = Standing(trial.number, latency, {0: short}, True)
        trials[trial.number] = trial
    return curve


def first_below(curve: Sequence[float]) -> float:
    return next((index + 1.0 for index, regret in enumerate(curve) if regret <= GOAL), float("inf"))


def evaluations(devices: Sequence[str], seeds: int) -> None:
    jobs = [(name, device, seed) for name in SAMPLERS for device in devices for seed in range(seeds)]
    with multiprocessing.Pool() as pool:
        curves = dict(zip(jobs, pool.starmap(regrets, jobs, chunksize=1), strict=True))
    print(f"Mean regret in % after so many evaluations, and when mean and median run reach {GOAL:g} %; {seeds} seeds")
    print(f"| device | sampler | {' | '.join(map(str, SHOWN))} | mean at {GOAL:g} % | median at {GOAL:g} % |")
    print("|---" * (len(SHOWN) + 4) + "|")
    for device in devices:
        means = {}
        for name in SAMPLERS:
            runs = [curves[name, device, seed] for seed in range(seeds)]
            mean = np.mean(runs, axis=0)
            shown = " | ".join(f"{mean[at - 1]:.2f}" if at <= len(mean) else "" for at in SHOWN)
            ends = first_below(mean), statistics.median(map(first_below, runs))
            words = " | ".join("-" if end == float("inf") else f"{end:.0f}" for end in ends)
            print(f"| {device} | {name} | {shown} | {words} |", flush=True)
            means[name] = mean
        save(means, device)


def fidelity(devices: Sequence[str], seeds: int) -> None:
    reductions = (3, 6)
    jobs = [(reduction, device, seed) for reduction in reductions for device in devices for seed in range(seeds)]
    with multiprocessing.Pool() as pool:
        curves = dict(zip(jobs, pool.starmap(halved, jobs, chunksize=1), strict=True))
    print(f"Cost, in whole trainings, until {GOAL:g} % regret; {SHORT} epochs before {LONG}; median of {seeds} seeds")
    print("| device | one in | median cost | mean regret at 25 | at 50 | at 75 | at 100 |")
    print("|---" * 7 + "|")
    for device in devices:
        for reduction in reductions:
            runs = [curves[reduction, device, seed] for seed in range(seeds)]
            ends = [next((cost for cost, regret in run if regret <= GOAL), float("inf")) for run in runs]
            means = [
                statistics.fmean(min(regret for cost, regret in run if cost <= at) for run in runs)
                for at in (25, 50, 75, 100)
            ]
            shown = " | ".join(f"{mean:.2f}" for mean in means)
            print(f"| {device} | {reduction} | {statistics.median(ends):.0f} | {shown} |", flush=True)


def mixed(trial: optuna.Trial) -> dict[str, object]:
    """Some 22 active parameters, part of them conditional, as a space of students with their distillation has."""
    params: dict[str, object] = {"family": trial.suggest_categorical("family", ["a", "b"])}
    for index in range(8):
        params[f"kernel{index}"] = trial.suggest_categorical(f"kernel{index}", ["x", "y", "z"])
        params[f"depth{index}"] = trial.suggest_int(f"depth{index}", 1, 4)
    branch = params["family"]
    for index in range(3):
        params[f"{branch}{index}"] = trial.suggest_float(f"{branch}{index}", 0.0, 1.0)
    for name in ("rate", "weight"):
        params[name] = trial.suggest_float(name, 1e-3, 1.0, log=True)
    return params


def values_of(params: dict[str, object]) -> tuple[float, float]:
    cost = _cost(params)
    return float(np.tanh(cost / 16) - abs(np.log10(params["rate"]) + 1.5) / 5), cost  # type: ignore[arg-type]


def _cost(params: dict[str, object]) -> float:
    return sum(float(value) for name, value in params.items() if name.startswith("depth"))  # type: ignore[arg-type]


def speed() -> None:
    quiet()
    marks = (100, 500, 2000)
    print("Ask, suggest and tell, ms a trial (median of the 20 trials before so many), 22 active parameters, in memory")
    print(f"| sampler | {' | '.join(map(str, marks))} |")
    print("|---" * 4 + "|")
    for name, sampler in (
        ("known cost", KnownCostSampler({1: _cost}, seed=0)),
        ("TPE, multivariate", optuna.samplers.TPESampler(seed=0, multivariate=True, group=True)),
    ):
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
        took = []
        for _ in range(max(marks)):
            began = time.perf_counter()
            trial = study.ask()
            params = mixed(trial)
            study.tell(trial, values_of(params))
            took.append(1e3 * (time.perf_counter() - began))
        shown = [statistics.median(took[at - 20 : at]) for at in marks]
        print(f"| {name} | {' | '.join(f'{each:.0f}' for each in shown)} |", flush=True)


def large() -> None:
    """A study of 10,000 trials in SQLite: opening it, and one ask and tell."""
    from automl_kd.storage import Database

    quiet()
    print("Study in SQLite, ms: opening with the first proposal, then ask and tell (median of 20)")
    print("| trials | open and propose | ask, suggest and tell |")
    print("|---" * 3 + "|")
    with tempfile.TemporaryDirectory() as folder:
        storage = Database(f"{folder}/large.db").optuna()
        study = optuna.create_study(directions=["maximize", "minimize"], storage=storage, study_name="large")
        plain = optuna.create_study(directions=["maximize", "minimize"], sampler=optuna.samplers.RandomSampler(seed=0))
        for count in (100, 1000, 10_000):
            while len(plain.trials if count <= 100 else plain.get_trials(deepcopy=False)) < count:
                trial = plain.ask()
                plain.tell(trial, values_of(mixed(trial)))
            have = len(study.get_trials(deepcopy=False))
            study.add_trials(plain.get_trials(deepcopy=False)[have:])
            again = optuna.load_study(
                study_name="large",
                storage=Database(f"{folder}/large.db").optuna(),
                sampler=KnownCostSampler({1: _cost}, seed=0),
            )
            took = []
            for _ in range(21):
                began = time.perf_counter()
                trial = again.ask()
                again.tell(trial, values_of(mixed(trial)))
                took.append(1e3 * (time.perf_counter() - began))
            print(f"| {count} | {took[0]:.0f} | {statistics.median(took[1:]):.0f} |", flush=True)


def save(curves: dict[str, Sequence[float]], name: str) -> None:
    """Draw mean regret over evaluations, logarithmic in both, as an SVG file."""
    left, top, width, height = 48, 16, 440, 240
    least, most, longest = 0.3, 30.0, max(map(len, curves.values()))

    def spot(evaluations: float, regret: float) -> str:
        x = left + width * np.log(evaluations / 10) / np.log(longest / 10)
        y = top + height * np.log(most / min(most, max(least, regret))) / np.log(most / least)
        return f"{x:.1f},{y:.1f}"

    style = 'font-family="sans-serif" font-size="11"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="620" height="300" {style}>']
    lines.append('<rect width="620" height="300" fill="white"/>')
    for regret in (0.3, 1, 3, 10, 30):
        x, y = spot(10, regret).split(",")
        lines.append(f'<path d="M{x},{y} h{width}" stroke="#ddd"/><text x="4" y="{y}">{regret:g} %</text>')
    for evaluations in (10, 25, 50, 100, 200, 400):
        x, _ = spot(evaluations, 1).split(",")
        lines.append(f'<text x="{x}" y="{top + height + 18}">{evaluations}</text>')
    lines.append(f'<text x="{left}" y="{top + height + 36}">evaluations; mean regret on {name}</text>')
    for index, ((label, curve), colour) in enumerate(zip(curves.items(), COLOURS, strict=True)):
        points = " ".join(spot(at + 1, regret) for at, regret in enumerate(curve) if at + 1 >= 10)
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines.append(f'<text x="{left + width + 12}" y="{top + 16 + 18 * index}" fill="{colour}">{label}</text>')
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / f"search-{name}.svg").write_text("\n".join([*lines, "</svg>"]) + "\n", encoding="utf-8")


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    what = sys.argv[1] if len(sys.argv) > 1 else "evaluations"
    if what in ("evaluations", "fidelity") and not DATA.exists():
        sys.exit(f"{DATA} is not there: nothing to measure on")
    runs = {
        "evaluations": lambda: evaluations(DEVICES, SEEDS),
        "fidelity": lambda: fidelity(DEVICES, SEEDS),
        "speed": speed,
        "large": large,
    }
    if what not in runs:
        sys.exit(f"{what!r}: write one of {', '.join(runs)}")
    runs[what]()


if __name__ == "__main__":
    main()
