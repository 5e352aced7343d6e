"""NAS-Bench-201: networks that others have trained, with latencies measured on devices.

``../shared/data/nb201.csv.gz`` beside the checkout: 15,625 cells, accuracy on CIFAR-100 after 12 and after 200 epochs,
on CIFAR-10 after 200.
"""

from __future__ import annotations

import csv
import gzip
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import TrialState

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "nb201.csv.gz"
EDGES = ("op_e01", "op_e02", "op_e12", "op_e03", "op_e13", "op_e23")
OPERATORS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
DEVICES = ("help_raspi4", "help_samsung_s7", "help_1080ti_1", "help_gold_6226")
"""By these, on CIFAR-100, choices were made."""
_UNSEEN = (
    "help_eyeriss",
    "latbench_sd855_cpu_int8",
    "nnmeter_cortexA76",
    "latbench_jetson_nano_fp16",
    "latbench_jetson_nano_fp32",
)
REPORTING = tuple(f"{device}{data}" for device in _UNSEEN for data in ("", "@cifar10"))
"""By these nothing was chosen: a device, with CIFAR-10 where it says so."""
_WORST_ACCURACY = {"cifar100": 40.0, "cifar10": 70.0}
"""References: about one cell in twenty is below."""
LONG, SHORT = 200, 12
"""Epochs of a whole training and of a short one."""
GOAL = 1.0
"""Regret in % of the hypervolume of the true front."""

Cell = tuple[str, ...]


class Known(NamedTuple):
    """What is known of a cell: accuracy after 200 epochs, latency in ms, on CIFAR-100 after 12 epochs, sizes."""

    accuracy: float
    latency: float
    short: float
    params: float
    flops: float


@dataclass(frozen=True)
class Bench:
    """One device and the cells that were measured on it."""

    cells: dict[Cell, Known]
    worst: float

    @cached_property
    def slowest(self) -> float:
        return max(known.latency for known in self.cells.values())

    @cached_property
    def whole(self) -> float:
        """Hypervolume of the true front."""
        return self.area([(known.accuracy, known.latency) for known in self.cells.values()])

    @property
    def reference(self) -> list[float]:
        return [self.worst, self.slowest]

    def area(self, points: Sequence[tuple[float, float]]) -> float:
        """Hypervolume in % x ms of accuracies with latencies."""
        return area(points, self.worst, self.slowest)

    def regret(self, points: Sequence[tuple[float, float]]) -> float:
        """What points lack of the hypervolume of the true front, in % of it."""
        return 100 * (1 - self.area(points) / self.whole)

    def latency(self, params: dict[str, str]) -> float:
        found = self.cells.get(cell_of(params))
        return float("inf") if found is None else found.latency

    def sizes(self, many: Sequence[dict[str, str]]) -> NDArray[np.float64]:
        """Parameters and operations of cells, shape (n, 2), as a search tells them its sampler; zeros where unknown."""
        found = [self.cells.get(cell_of(params)) for params in many]
        return np.array([(0.0, 0.0) if each is None else (each.params, each.flops) for each in found]).reshape(-1, 2)


def area(points: Iterable[tuple[float, float]], worst_accuracy: float, slowest: float) -> float:
    """Hypervolume that accuracies with latencies dominate, up to a reference point."""
    total, best = 0.0, worst_accuracy
    for latency, negative in sorted((latency, -accuracy) for accuracy, latency in points if latency < slowest):
        if -negative > best:
            total += (-negative - best) * (slowest - latency)
            best = -negative
    return total


def share(points: Iterable[tuple[float, float]], worst_accuracy: float, slowest: float) -> float:
    """Hypervolume of accuracies in [0, 1] in % of the box from the reference point to 1 and to no latency."""
    return 100 * area(points, worst_accuracy, slowest) / ((1 - worst_accuracy) * slowest)


def cell_of(params: dict[str, str]) -> Cell:
    return tuple(params.get(edge, "") for edge in EDGES)


@cache
def bench(device: str) -> Bench:
    """The cells of a device: ``help_raspi4``, with CIFAR-100, or ``help_raspi4@cifar10``."""
    device, _, data = device.partition("@")
    data = data or "cifar100"
    if not DATA.exists():
        sys.exit(f"{DATA} is not there: nothing to measure on")
    with gzip.open(DATA, "rt") as file:
        rows = [row for row in csv.DictReader(file) if row[device] and float(row[device]) >= 0.1]
    return Bench(
        {
            tuple(row[edge] for edge in EDGES): Known(
                float(row[f"acc200_{data}_test"]),
                float(row[device]),
                float(row["acc12_cifar100_val"]),
                float(row["params_M_cifar10"]),
                float(row["flops_M_cifar10"]),
            )
            for row in rows
        },
        _WORST_ACCURACY[data],
    )


def create_study(sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    """A study of accuracy and latency, in memory, that keeps silent."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    return optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)


def ask(study: optuna.Study, on: Bench) -> tuple[optuna.Trial, Known]:
    """A trial of a cell that was measured, with what is known of it."""
    while True:
        trial = study.ask()
        cell = tuple(trial.suggest_categorical(edge, OPERATORS) for edge in EDGES)
        if cell in on.cells:
            return trial, on.cells[cell]
        study.tell(trial, state=TrialState.FAIL)
