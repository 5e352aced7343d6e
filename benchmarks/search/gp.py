"""Optuna's own Gaussian process, ``GPSampler``, beside ours on NAS-Bench-201, under the same seeds."""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.search import kept
from benchmarks.search.cells import DEVICES
from benchmarks.search.evaluations import LENGTH, curves
from benchmarks.search.samplers import OURS
from benchmarks.tables import table

MEASURED = DEVICES[1:]
"""Those where every cell counts: told that cells failed, ``GPSampler`` goes on proposing them."""
SHOWN = (25, 50, 75, 100, 150)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``gp``."""
    kept.add_arguments(parser)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--devices", nargs="+", choices=MEASURED, default=list(MEASURED))


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    runs = curves([("GP", max(SHOWN)), (OURS, LENGTH[OURS])], options.devices, options)
    rows = []
    for device in options.devices:
        for name in (OURS, "GP"):
            mean = np.mean(runs[name, device], axis=0)
            rows.append((device, name, *(f"{mean[at - 1]:.2f}" for at in SHOWN)))
    print(f"Mean regret in % after so many evaluations, {options.seeds} seeds")
    print(table(("device", "sampler", *SHOWN), rows))
