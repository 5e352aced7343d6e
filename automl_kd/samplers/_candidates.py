"""Where candidates come from: a recipe space, or what the trials of a study have shown of theirs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from automl_kd.recipes import Space
from automl_kd.samplers._encoding import Params, hole_of

_FEW = 32
"""Integers with up to as many values can decide a branch, as categories can."""
_STEP = 0.4
"""Width of a mutation's window on a continuous parameter, in shares of its range."""
_NEIGHBOUR = 0.7


NOTHING: Params = MappingProxyType({})


class Source(Protocol):
    """Draws complete sets of parameters."""

    @property
    def distributions(self) -> Mapping[str, BaseDistribution]:
        """All parameters that a candidate may have."""
        ...

    def sample(self, rng: random.Random, given: Params = NOTHING) -> Params:
        """A random candidate that takes the given values where it has their parameters."""
        ...

    def mutate(self, params: Params, rng: random.Random) -> Params:
        """A candidate that differs in one decision."""
        ...

    def all(self) -> Iterator[Params] | None:
        """Every candidate, None where a real number is free."""
        ...


class RecipeSource:
    """The candidates of a recipe space.

    Args:
        space: The space.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self.distributions: Mapping[str, BaseDistribution] = distributions(space)

    def sample(self, rng: random.Random, given: Params = NOTHING) -> Params:
        """A random candidate, hole by hole, that takes the given values where it has their holes."""
        return self._space.sample_params(rng, given)

    def mutate(self, params: Params, rng: random.Random) -> Params:
        """A candidate that differs in one hole, and in what hangs on it."""
        return self._space.mutate_params(params, rng)

    def all(self) -> Iterator[Params] | None:
        """Every candidate, None where a real number is free."""
        return None if self._space.size() == float("inf") else self._space.all_params()


class _Recorder:
    """Stands in for a trial to learn how a hole would be suggested."""

    def __init__(self) -> None:
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        self.distributions[name] = CategoricalDistribution(choices)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        self.distributions[name] = IntDistribution(low, high, log=log, step=step)
        return low

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        self.distributions[name] = FloatDistribution(low, high, log=log)
        return low


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The holes of a space as an Optuna trial knows them, once its recipe is drawn through it."""
    recorder = _Recorder()
    for hole in space.holes:
        hole.suggest(recorder)
    return recorder.distributions


@dataclass
class _Branch:
    """Trials with the same parameters.

    Attributes:
        names: The parameters, in the order in which they were suggested.
        shown: Values seen of each parameter that has few.
    """

    names: tuple[str, ...]
    shown: dict[str, set[Any]] = field(default_factory=dict)


class ShownSource:
    """The candidates of a define-by-run study, as far as its trials have shown them.

    Trials with the same set of parameters form a branch. A value that only ever led into other branches is not taken
    in this one; one that was never seen may be. Where that guess is wrong, Optuna asks for the parameters that are
    missing.
    """

    def __init__(self) -> None:
        self.distributions: dict[str, BaseDistribution] = {}
        self._branches: dict[frozenset[str], _Branch] = {}
        self.shown: dict[str, set[Any]] = {}
        """Values seen of each parameter that has few, in any branch."""
        self._options: dict[frozenset[str], dict[str, list[Any]]] = {}
        self._several: dict[frozenset[str], list[str]] = {}

    def show(self, trial: FrozenTrial) -> None:
        """Learn from a trial."""
        if not trial.params:
            return
        names = frozenset(trial.params)
        branch = self._branches.setdefault(names, _Branch(tuple(trial.params)))
        for name, value in trial.params.items():
            if _options(trial.distributions[name]) is not None:
                branch.shown.setdefault(name, set()).add(value)
                self.shown.setdefault(name, set()).add(value)
        self._options.clear()
        self._several.clear()
        self.distributions = trial.distributions | self.distributions

    def unseen(self, params: Params) -> dict[str, Any]:
        """Values that no trial of the branch has had: there may be other parameters where they are taken."""
        shown = self._branches[frozenset(params)].shown
        return {name: value for name, value in params.items() if name in shown and value not in shown[name]}

    def sample(self, rng: random.Random, given: Params = NOTHING) -> Params:
        """A random candidate of a random branch, of those that take most of the given values."""
        branches = list(self._branches)
        if given:
            taken = [self._taken(each, given) for each in branches]
            branches = [each for each, count in zip(branches, taken, strict=True) if count == max(taken)]
        return self._draw(branches[int(rng.random() * len(branches))], given, rng)

    def mutate(self, params: Params, rng: random.Random) -> Params:
        """A candidate that differs in one parameter; where that leads into another branch, in what hangs on it."""
        home = frozenset(params)
        names = self._movable(home)
        if not names:
            return params
        name = names[int(rng.random() * len(names))]
        changed = {**params, name: _moved(self.distributions[name], params[name], rng)}
        if changed[name] in self._allowed(home).get(name, [changed[name]]):
            return changed
        others = [each for each in self._branches if changed[name] in self._allowed(each).get(name, [])]
        return self._draw(others[int(rng.random() * len(others))], changed, rng) if others else params

    def all(self) -> Iterator[Params] | None:
        """Every candidate of the branches seen, None where a real number is free."""
        if any(_options(each) is None and not each.single() for each in self.distributions.values()):
            return None
        return itertools.chain.from_iterable(map(self._every, self._branches))

    def _movable(self, names: frozenset[str]) -> list[str]:
        """Parameters of a branch that have more than one value."""
        if names not in self._several:
            order = self._branches[names].names
            self._several[names] = [name for name in order if not self.distributions[name].single()]
        return self._several[names]

    def _taken(self, names: frozenset[str], given: Params) -> int:
        """How many of the given values a branch can take."""
        allowed = self._allowed(names)
        return sum(name in names and value in allowed.get(name, [value]) for name, value in given.items())

    def _every(self, names: frozenset[str]) -> Iterator[Params]:
        order = self._branches[names].names
        options = self._allowed(names)
        values = [options[name] if name in options else [self.distributions[name].low] for name in order]  # type: ignore[attr-defined]
        return (dict(zip(order, each, strict=True)) for each in itertools.product(*values))

    def _draw(self, names: frozenset[str], given: Params, rng: random.Random) -> Params:
        options = self._allowed(names)
        drawn = {}
        for name in self._branches[names].names:
            if name in given and given[name] in options.get(name, [given[name]]):
                drawn[name] = given[name]
            elif name in options:
                drawn[name] = options[name][int(rng.random() * len(options[name]))]
            else:
                drawn[name] = _drawn(self.distributions[name], rng)
        return drawn

    def _allowed(self, names: frozenset[str]) -> dict[str, list[Any]]:
        """Values that may be taken in a branch, of the parameters that have few."""
        if names not in self._options:
            branch = self._branches[names]
            allowed = {}
            for name, shown in branch.shown.items():
                options = _options(self.distributions[name]) or []
                elsewhere = self.shown[name] - shown
                allowed[name] = [option for option in options if option not in elsewhere]
            self._options[names] = allowed
        return self._options[names]


def _options(distribution: BaseDistribution) -> Sequence[Any] | None:
    """All values of a parameter that has few, None for others."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    if isinstance(distribution, IntDistribution):
        values = range(distribution.low, distribution.high + 1, distribution.step)
        return values if len(values) <= _FEW else None
    return None


def _drawn(distribution: BaseDistribution, rng: random.Random) -> Any:
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return _at(distribution, rng.random())


def _moved(distribution: BaseDistribution, value: Any, rng: random.Random) -> Any:
    """A neighbour of a value, or now and then any other."""
    options = _options(distribution)
    if options is not None:
        others = [option for option in options if option != value]
        if isinstance(distribution, IntDistribution) and rng.random() < _NEIGHBOUR:
            others = sorted(others, key=lambda each: abs(each - value))[:2]
        return others[int(rng.random() * len(others))]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if rng.random() >= _NEIGHBOUR:
        return _at(distribution, rng.random())
    return _at(distribution, hole_of("", distribution).number(value) + _STEP * (rng.random() - 0.5))


def _at(distribution: IntDistribution | FloatDistribution, unit: float) -> Any:
    """The value at a share of the range."""
    unit = min(1.0, max(0.0, unit))
    low, high = float(distribution.low), float(distribution.high)
    value = low * (high / low) ** unit if distribution.log else low + (high - low) * unit
    if distribution.step is not None and not (distribution.log and isinstance(distribution, IntDistribution)):
        value = low + round((value - low) / distribution.step) * distribution.step
    value = min(high, max(low, value))
    return round(value) if isinstance(distribution, IntDistribution) else value
