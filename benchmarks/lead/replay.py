"""Searches replayed on a table: test hypervolume of what the user is left with, by method and budget."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import optuna

from automl_kd.objectives import Objective, Point, choose_spread, hypervolume
from automl_kd.samplers import KnownCostSampler
from automl_kd.samplers.tpe import multivariate_tpe
from benchmarks.lead.table import BEDS, FULL, Bed, Row, read
from benchmarks.search import kept
from benchmarks.tables import table

OBJECTIVES = (
    Objective("accuracy", "maximize", "%"),
    Objective("latency_ms", "minimize", "ms", known=True),
)
PICKS = 5
PLAIN = 0
"""Place of plain KD among the losses of every bed."""
_WORST_SHARE = 0.1
"""The reference is the accuracy that so many of the table's trainings miss, and the slowest student."""
_GIVEN_UP = 400
"""Proposals in a row that were trained before, after which a sampler has nothing more to say."""


@dataclass(frozen=True)
class Table:
    """All trainings of a bed.

    Attributes:
        bed: The bed.
        rows: By recipe, length and seed.
        params: What the space decides of every recipe.
        numbers: Recipe by what the space decides.
        reference: The worst accuracy and latency that count.
    """

    bed: Bed
    rows: Mapping[tuple[str, str, int], Row]
    params: Mapping[str, Mapping[str, Any]]
    numbers: Mapping[frozenset[tuple[str, Any]], str]
    reference: tuple[float, float]

    def latency(self, number: str) -> float:
        """Predicted, in ms."""
        return self.rows[number, FULL.name, 0].latency_ms

    def size(self, number: str) -> int:
        """Parameters of the student."""
        return self.rows[number, FULL.name, 0].params

    def number(self, params: Mapping[str, Any]) -> str:
        """The recipe with these parameters."""
        return self.numbers[frozenset(params.items())]

    def with_losses(self, number: str, losses: int) -> str:
        """The recipe that differs in its losses."""
        return self.number({**self.params[number], "distill.losses": losses})

    def volume(self, rows: Sequence[Row]) -> float:
        """Hypervolume of test scores and latencies in % of the box from the reference to 1 and no latency."""
        worst, slowest = self.reference
        points = [Point(number, (row.test, row.latency_ms)) for number, row in enumerate(rows)]
        return 100 * hypervolume(points, OBJECTIVES, self.reference) / ((1 - worst) * slowest)


@cache
def opened(name: str) -> Table:
    """The table of a bed."""
    bed = BEDS[name]
    rows = {(row.recipe, row.length, row.seed): row for row in read(bed)}
    params = {str(number): each for number, each in enumerate(bed.space.all_params())}
    full = [row for row in rows.values() if row.length == FULL.name]
    worst = float(np.quantile([row.test for row in full], _WORST_SHARE))
    numbers = {frozenset(each.items()): number for number, each in params.items()}
    return Table(bed, rows, params, numbers, (worst, max(row.latency_ms for row in full) * 1.001))


class SpentError(Exception):
    """The budget holds no such training any more."""


@dataclass
class Replay:
    """One replayed search.

    Attributes:
        table: Where trainings are looked up.
        seed: Of all draws.
        left: Epochs left.
        tried: Trainings of the search, by recipe.
    """

    table: Table
    seed: int
    left: int
    tried: dict[str, Row] = field(default_factory=dict)

    @property
    def search_seed(self) -> int:
        """The seed of the search's trainings; picks are trained under the other one."""
        return self.seed % 2

    def search(self, number: str) -> None:
        """Train a recipe for the search."""
        self.tried[number] = self.train(number, self.search_seed)

    def train(self, number: str, seed: int) -> Row:
        """A training in full.

        Raises:
            SpentError: If the budget does not hold it.
        """
        if self.left < FULL.epochs:
            raise SpentError
        self.left -= FULL.epochs
        return self.table.rows[number, FULL.name, seed]

    def front(self) -> list[str]:
        """Recipes that cover the search's own front, those most worth it first."""
        points = [Point(int(number), (row.scores[-1], row.latency_ms)) for number, row in self.tried.items()]
        return [str(point.trial) for point in choose_spread(points, OBJECTIVES, PICKS)]


def known_cost(replay: Replay) -> optuna.samplers.BaseSampler:
    """Ours, told prices and sizes."""
    found = replay.table

    def latency(many: Sequence[Mapping[str, Any]]) -> list[float]:
        return [found.latency(found.number(each)) for each in many]

    def sizes(many: Sequence[Mapping[str, Any]]) -> Any:
        return np.array([[float(found.size(found.number(each)))] for each in many])

    space = found.bed.space
    return KnownCostSampler(
        {1: latency}, vectorized=True, space=space, seed=replay.seed, starts=space.starts, features=sizes
    )


def proposals(replay: Replay, sampler: optuna.samplers.BaseSampler, plain: bool) -> Iterator[str]:
    """Recipes that a sampler asks for, each told once it was trained.

    Args:
        replay: The search.
        sampler: Of Optuna.
        plain: Whether losses are pinned to plain KD.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    space = replay.table.bed.space
    repeated = 0
    while repeated < _GIVEN_UP:
        trial = study.ask()
        space.draw(trial)
        number = replay.table.number(trial.params)
        number = replay.table.with_losses(number, PLAIN) if plain else number
        if number in replay.tried:
            repeated += 1
        else:
            repeated = 0
            yield number
        row = replay.tried[number]
        study.tell(trial, [row.scores[-1], row.latency_ms])


def by_price(replay: Replay) -> list[str]:
    """Students by parameters and price alone: the largest near each of so many places on the scale of prices."""
    found, rng = replay.table, random.Random(replay.seed)
    rate = rng.choice(sorted({each["train.optimizer.lr"] for each in found.params.values()}))
    plain = [
        number
        for number, each in found.params.items()
        if each["distill.losses"] == PLAIN and each["train.optimizer.lr"] == rate
    ]
    plain.sort(key=found.latency)
    cut = np.array_split(np.arange(len(plain)), PICKS)
    return [max((plain[index] for index in part), key=found.size) for part in cut][::-1]


def picked(replay: Replay, wanted: Sequence[str]) -> list[Row]:
    """Students trained in full, as far as the budget goes; of several trainings of one the best is delivered."""
    runs: dict[str, list[Row]] = {}
    try:
        for seed in (1 - replay.search_seed, replay.search_seed):
            for number in wanted:
                runs.setdefault(number, []).append(replay.train(number, seed))
    except SpentError:
        pass
    return [max(each, key=lambda row: row.scores[-1]) for each in runs.values() if each]


def searched(sampler: str, share: float) -> Callable[[Replay], list[Row]]:
    """A search with a sampler, which keeps a share of its budget for picks."""

    def run(replay: Replay) -> list[Row]:
        kept_back = max(FULL.epochs, round(share * replay.left))
        plain = sampler != "ours"
        asked = proposals(replay, SAMPLERS[sampler](replay), plain)
        while replay.left - FULL.epochs >= kept_back and (number := next(asked, None)) is not None:
            replay.search(number)
        return picked(replay, replay.front())

    return run


SAMPLERS: dict[str, Callable[[Replay], optuna.samplers.BaseSampler]] = {
    "ours": known_cost,
    "TPE": lambda replay: multivariate_tpe(replay.seed),
    "NSGA-II": lambda replay: optuna.samplers.NSGAIISampler(seed=replay.seed, population_size=10),
    "random": lambda replay: optuna.samplers.RandomSampler(seed=replay.seed),
}
SHARES = (0.25, 0.5)
METHODS: dict[str, Callable[[Replay], list[Row]]] = {
    "parameters and price, plain KD": lambda replay: picked(replay, by_price(replay)),
    **{
        f"{name}{'' if name == 'ours' else ', plain KD'}, {share:.0%} for picks": searched(name, share)
        for name in SAMPLERS
        for share in SHARES
    },
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``replay``."""
    kept.add_arguments(parser)
    parser.add_argument("--bed", choices=list(BEDS), default="fashion-mnist")
    parser.add_argument("--budgets", type=int, nargs="+", default=[8, 20, 60])
    parser.add_argument("--seeds", type=int, default=20)


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    bed = BEDS[options.bed]
    kept_already = {(row.recipe, row.seed) for row in read(bed) if row.length == FULL.name}
    lacking = len(bed.recipes()) * len(FULL.seeds) - len(kept_already)
    if lacking:
        sys.exit(f"{bed.file} lacks {lacking} trainings: python -m benchmarks.lead table adds them")
    jobs = {
        f"{options.bed} {name} {budget} {seed}": (options.bed, name, budget, seed)
        for name in METHODS
        for budget in options.budgets
        for seed in range(options.seeds)
    }
    found = kept.run(volume, jobs, options)
    rows = []
    for name in METHODS:
        cells = []
        for budget in options.budgets:
            values = [found[f"{options.bed} {name} {budget} {seed}"] for seed in range(options.seeds)]
            cells.append(f"{np.mean(values):.2f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.2f}")
        rows.append((name, *cells))
    print(table(("method", *options.budgets), rows))


def volume(bed: str, method: str, budget: int, seed: int) -> float:
    """Test hypervolume of what one replayed search delivers."""
    replay = Replay(opened(bed), seed, budget * FULL.epochs)
    return round(replay.table.volume(METHODS[method](replay)), 4)
