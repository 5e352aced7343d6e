"""The samplers that are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.samplers import BaseSampler

import automl_kd.samplers
from automl_kd.samplers import KnownCostSampler
from benchmarks.search import scores
from benchmarks.search.cells import Bench

OURS, SCORED = "known cost", "known cost, SynFlow"


def known_cost(on: Bench, seed: int) -> KnownCostSampler:
    """Ours, told latency and the reference point, and sizes as a search tells them."""
    return KnownCostSampler({1: on.latency}, seed=seed, reference=on.reference, features=on.sizes)


def scored(on: Bench, seed: int) -> KnownCostSampler:
    """Ours, told SynFlow besides."""

    def features(many: Sequence[dict[str, str]]) -> NDArray[np.float64]:
        return np.concatenate([on.sizes(many), scores.features(many)], axis=1)

    return KnownCostSampler({1: on.latency}, seed=seed, reference=on.reference, features=features)


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
