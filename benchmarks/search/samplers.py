"""The samplers that are compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path

import optuna
from optuna.samplers import BaseSampler

import automl_kd.samplers
from automl_kd.samplers import KnownCostSampler
from benchmarks.search import scores
from benchmarks.search.cells import Bench

OURS, SCORED = "known cost", "known cost, SynFlow"


def known_cost(on: Bench, seed: int) -> KnownCostSampler:
    """Ours, told latency and the reference point."""
    return KnownCostSampler({1: on.latency}, seed=seed, reference=on.reference)


def scored(on: Bench, seed: int) -> KnownCostSampler:
    """Ours, told SynFlow besides."""
    return KnownCostSampler({1: on.latency}, seed=seed, reference=on.reference, features=scores.features)


SAMPLERS: dict[str, Callable[[Bench, int], BaseSampler]] = {
    OURS: known_cost,
    SCORED: scored,
    "TPE, multivariate": lambda on, seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True),
    "NSGA-II": lambda on, seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=20),
    "random": lambda on, seed: optuna.samplers.RandomSampler(seed=seed),
    "GP": lambda on, seed: optuna.samplers.GPSampler(seed=seed),
}


@cache
def version(name: str) -> str:
    """What tells a sampler from what it was before: a hash of the sources of ours, else Optuna's version."""
    if name not in (OURS, SCORED):
        return optuna.__version__
    folder = Path(automl_kd.samplers.__file__).parent
    return sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()[:12]
