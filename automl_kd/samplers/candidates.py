"""Where candidates come from: what a source of them does, and the source of a recipe space."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from automl_kd.recipes import Space
from automl_kd.samplers.encoding import Params
from automl_kd.samplers.parameters import contains

NOTHING: Params = MappingProxyType({})


class CandidateSource(Protocol):
    """A source of candidates, which are complete sets of parameters."""

    @property
    def distributions(self) -> Mapping[str, BaseDistribution]:
        """All parameters that a candidate may have."""
        ...

    def sample(self, rng: random.Random, given: Params = NOTHING) -> Params:
        """A random candidate that takes the given values where it has their parameters."""
        ...

    def adapt(self, params: Params, rng: random.Random) -> Params:
        """The parameters of a trial where they are a candidate, else a random candidate with most of their values."""
        ...

    def mutate(self, params: Params, rng: random.Random) -> Params:
        """A candidate that differs in one parameter, and in those that depend on it."""
        ...

    def all(self) -> Iterator[Params] | None:
        """Every candidate; None where a parameter is a real number."""
        ...


class SpaceCandidates:
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

    def adapt(self, params: Params, rng: random.Random) -> Params:
        """The parameters of a trial where they are a candidate, else a random candidate with most of their values."""
        known = params.keys() <= self.distributions.keys()
        inside = known and all(contains(self.distributions[name], value) for name, value in params.items())
        return params if inside else self.sample(rng, params)

    def mutate(self, params: Params, rng: random.Random) -> Params:
        """A candidate that differs in one hole, and in those that depend on it."""
        return self._space.mutate_params(params, rng)

    def all(self) -> Iterator[Params] | None:
        """Every candidate; None where a parameter is a real number."""
        return None if self._space.size() == float("inf") else self._space.all_params()


class _Recorder:
    """A stand-in for a trial that records how holes are suggested."""

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
    """The holes of a space as Optuna's distributions, by the names under which a trial suggests them."""
    recorder = _Recorder()
    for hole in space.holes:
        hole.suggest(recorder)
    return recorder.distributions
