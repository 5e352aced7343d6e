"""The source of candidates of a study whose space is known only from its trials."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from automl_kd.samplers.candidates import NOTHING
from automl_kd.samplers.encoding import Params, hole_of
from automl_kd.samplers.history import ObservedTrial
from automl_kd.samplers.parameters import contains

_FEW = 32
"""Values up to which an integer can decide a branch, as a category can; ranges up to which a branch has variants."""
_STEP = 0.4
"""Width of the window of a mutation of a continuous parameter, as a share of its range."""
_NEIGHBOUR = 0.7
"""Share of the mutations that take a value nearby."""


@dataclass
class _Branch:
    """A branch of the space: what trials with the same parameters from the same ranges have shown.

    Attributes:
        distributions: Of the parameters, in the order in which they were suggested.
        values: Observed values of each parameter that has few.
        whole: Whether a trial came to a result with these parameters, so that none is missing.
        own: Whether the sampler was asked for one of its trials.
        confirmed: Whether it was asked for one that came to a result with values that lie in their ranges.
    """

    distributions: Mapping[str, BaseDistribution]
    values: dict[str, set[Any]] = field(default_factory=dict)
    whole: bool = False
    own: bool = False
    confirmed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters."""
        return tuple(self.distributions)

    def holds(self, params: Params) -> bool:
        """Whether values of all its parameters lie within their ranges."""
        return all(contains(each, params[name]) for name, each in self.distributions.items())


Range = tuple[float, float, float | None] | None
_Key = frozenset[tuple[str, Range]]
Guess = tuple[frozenset[str], Params]
"""Names of a branch's parameters, and values of some of them that may lead into another branch."""


class ObservedCandidates:
    """The candidates of a define-by-run study, as far as its trials have shown its space.

    Trials with the same set of parameters form a branch. A candidate of a branch never has a value that was observed
    in other branches only; it can have a value that no trial has had. Where that guess is wrong, Optuna asks for the
    parameters that are missing. A trial without a result may have suggested only the first of its parameters. It forms
    a branch as long as no other trial has these parameters and further ones.

    A parameter can have another range in every trial, for example up to the value of another one. Trials with other
    ranges form a branch of their own. Candidates are drawn from it until a trial that was given one of them shows that
    its values are no longer asked for.
    """

    def __init__(self) -> None:
        self.distributions: dict[str, BaseDistribution] = {}
        """All parameters, with ranges that hold those of every trial."""
        self.dropped = 0
        """Number of branches that were given up; there may still be candidates of them."""
        self._ranges: dict[str, Range] = {}
        self._branches: dict[_Key, _Branch] = {}
        self._named: dict[frozenset[str], list[_Key]] = {}
        self._values: dict[tuple[str, Range], set[Any]] = {}
        self._options: dict[_Key, dict[str, list[Any]]] = {}
        self._several: dict[_Key, list[str]] = {}

    def observe(self, trial: ObservedTrial, own: bool) -> bool:
        """Learn from a trial; returns whether this confirms its branch.

        Args:
            trial: The trial.
            own: Whether the sampler was asked for it.
        """
        if not trial.params:
            return False
        key = _key_of(trial)
        if key not in self._branches and not self._begin(key, trial):
            return False
        branch = self._branches[key]
        for name, value in trial.params.items():
            if _options(branch.distributions[name]) is not None:
                branch.values.setdefault(name, set()).add(value)
                self._values.setdefault((name, _range(branch.distributions[name])), set()).add(value)
        self._options.clear()
        self._several.clear()
        self._widen(trial.distributions)
        first = own and trial.whole and not branch.confirmed and branch.holds(trial.params)
        branch.whole |= trial.whole
        branch.own |= own
        branch.confirmed |= first
        return first

    def confirmed(self, params: Params) -> bool:
        """Whether a trial that the sampler was asked for has come to a result with exactly these parameters."""
        return self._branches[self._home(params)].confirmed

    def unseen(self, params: Params) -> dict[str, Any]:
        """Values that no trial of the branch has had, so that they may lead to other parameters.

        There are none in a branch of which the sampler was asked for no trial.
        """
        branch = self._branches[self._home(params)]
        observed = branch.values if branch.own else {}
        return {name: value for name, value in params.items() if name in observed and value not in observed[name]}

    def is_open(self, guess: Guess) -> bool:
        """Whether the branch of a guess still exists, and one of its values was not observed yet."""
        names, values = guess
        return names in self._named and not all(map(self._observed, values.items()))

    def withdraw(self, candidate: Params, trial: ObservedTrial) -> None:
        """Give up the branch of a proposal of which a trial did not take all values.

        Args:
            candidate: The proposal.
            trial: The trial that was given it; its own branch is kept.
        """
        now = _key_of(trial)
        keys = self._named.get(frozenset(candidate), [])
        outdated = [key for key in keys if key != now and self._branches[key].holds(candidate)]
        if now in keys:
            self._drop(outdated[:1])

    def adapt(self, params: Params, rng: random.Random) -> Params:
        """The parameters of a trial where they are a candidate, else a random candidate with most of their values."""
        keys = self._named.get(frozenset(params), [])
        if any(self._branches[key].holds(params) for key in keys):
            return params
        return self._draw(keys[-1], params, rng) if keys else self.sample(rng, params)

    def sample(self, rng: random.Random, given: Params = NOTHING) -> Params:
        """A random candidate, from one of the branches that can have most of the given values."""
        branches = list(self._branches)
        if given:
            taken = [self._taken(each, given) for each in branches]
            branches = [each for each, count in zip(branches, taken, strict=True) if count == max(taken)]
        return self._draw(branches[int(rng.random() * len(branches))], given, rng)

    def mutate(self, params: Params, rng: random.Random) -> Params:
        """A candidate that differs in one parameter, and in those that depend on it."""
        home = self._home(params)
        names = self._movable(home)
        if not names:
            return params
        name = names[int(rng.random() * len(names))]
        value = _moved(self._branches[home].distributions[name], params[name], rng)
        changed = {**params, name: value}
        allowed = self._allowed(home).get(name)
        if allowed is None or value in allowed:
            return changed
        others = [each for each in self._branches if value in self._allowed(each).get(name, [])]
        return self._draw(others[int(rng.random() * len(others))], changed, rng) if others else params

    def all(self) -> Iterator[Params] | None:
        """Every candidate of the observed branches; None where a parameter is a real number."""
        if any(_options(each) is None and not each.single() for each in self.distributions.values()):
            return None
        return itertools.chain.from_iterable(map(self._every, self._branches))

    def _observed(self, item: tuple[str, Any]) -> bool:
        """Whether any trial has had a value."""
        return any(item[1] in values for (name, _), values in self._values.items() if name == item[0])

    def _begin(self, key: _Key, trial: ObservedTrial) -> bool:
        """Begin a branch, unless the trial may still come to the parameters of a known one; returns whether it did.

        Branches of which this one has all parameters and more are given up, if no trial of theirs came to a result.
        """
        names = tuple(trial.distributions)
        if not trial.whole and any(_leads(names, each.names) for each in self._branches.values()):
            return False
        self._drop([old for old, each in self._branches.items() if not each.whole and _leads(each.names, names)])
        variants = self._named.setdefault(frozenset(names), [])
        if len(variants) == _FEW:
            self._drop(variants[:1])
        self._branches[key] = _Branch(trial.distributions)
        self._named.setdefault(frozenset(names), []).append(key)
        return True

    def _drop(self, keys: Sequence[_Key]) -> None:
        for key in list(keys):
            self.dropped += 1
            branch = self._branches.pop(key)
            named = self._named[frozenset(branch.names)]
            named.remove(key)
            if not named:
                del self._named[frozenset(branch.names)]
        if keys:
            self._values.clear()
            self._options.clear()
            for each in self._branches.values():
                for name, values in each.values.items():
                    self._values.setdefault((name, _range(each.distributions[name])), set()).update(values)

    def _widen(self, distributions: Mapping[str, BaseDistribution]) -> None:
        self.distributions = {**distributions, **self.distributions}
        for name, each in distributions.items():
            extent = _range(each)
            if self._ranges.setdefault(name, extent) != extent:
                self.distributions[name] = _joined(self.distributions[name], each)
                self._ranges[name] = _range(self.distributions[name])

    def _home(self, params: Params) -> _Key:
        """The branch of a candidate."""
        keys = self._named[frozenset(params)]
        if len(keys) == 1:
            return keys[0]
        return next((key for key in keys if self._branches[key].holds(params)), keys[-1])

    def _movable(self, key: _Key) -> list[str]:
        """Parameters of a branch that have more than one value."""
        if key not in self._several:
            branch = self._branches[key]
            self._several[key] = [name for name, each in branch.distributions.items() if not each.single()]
        return self._several[key]

    def _taken(self, key: _Key, given: Params) -> int:
        """Number of the given values that a candidate of the branch can have."""
        return sum(self._may_have(key, name, value) for name, value in given.items())

    def _may_have(self, key: _Key, name: str, value: Any) -> bool:
        distributions, allowed = self._branches[key].distributions, self._allowed(key)
        if name in allowed:
            return value in allowed[name]
        return name in distributions and contains(distributions[name], value)

    def _every(self, key: _Key) -> Iterator[Params]:
        options, branch = self._allowed(key), self._branches[key]
        values = [options.get(name) or [_drawn(each)] for name, each in branch.distributions.items()]
        return (dict(zip(branch.names, each, strict=True)) for each in itertools.product(*values))

    def _draw(self, key: _Key, given: Params, rng: random.Random) -> Params:
        options = self._allowed(key)
        drawn = {}
        for name, distribution in self._branches[key].distributions.items():
            if name in given and self._may_have(key, name, given[name]):
                drawn[name] = given[name]
            elif name in options:
                drawn[name] = options[name][int(rng.random() * len(options[name]))]
            else:
                drawn[name] = _drawn(distribution, rng.random())
        return drawn

    def _allowed(self, key: _Key) -> dict[str, list[Any]]:
        """Values that a candidate of the branch can have, of each parameter that has few."""
        if key not in self._options:
            branch = self._branches[key]
            allowed = {}
            for name, observed in branch.values.items():
                distribution = branch.distributions[name]
                options = _options(distribution) or []
                elsewhere = self._values[name, _range(distribution)] - observed
                allowed[name] = [option for option in options if option not in elsewhere] or list(options)
            self._options[key] = allowed
        return self._options[key]


def _key_of(trial: ObservedTrial) -> _Key:
    return frozenset((name, _range(each)) for name, each in trial.distributions.items())


def _range(distribution: BaseDistribution) -> Range:
    """What can differ between suggestions of the same parameter; None for a category, whose choices are fixed."""
    if isinstance(distribution, CategoricalDistribution):
        return None
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return distribution.low, distribution.high, distribution.step


def _joined(left: BaseDistribution, right: BaseDistribution) -> BaseDistribution:
    """The distribution over the smallest range that holds both ranges."""
    if isinstance(left, IntDistribution) and isinstance(right, IntDistribution):
        return IntDistribution(min(left.low, right.low), max(left.high, right.high), log=left.log)
    assert isinstance(left, FloatDistribution)
    assert isinstance(right, FloatDistribution)
    return FloatDistribution(min(left.low, right.low), max(left.high, right.high), log=left.log)


def _leads(first: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    """Whether a trial with these parameters could go on to the others."""
    return len(first) < len(whole) and whole[: len(first)] == first


def _options(distribution: BaseDistribution) -> Sequence[Any] | None:
    """All values of a parameter that has few, None for others."""
    if type(distribution) is CategoricalDistribution:  # not isinstance, which is slow for abstract classes
        return distribution.choices
    if type(distribution) is IntDistribution:
        few = (distribution.high - distribution.low) // distribution.step < _FEW
        return range(distribution.low, distribution.high + 1, distribution.step) if few else None
    return None


def _drawn(distribution: BaseDistribution, unit: float = 0.0) -> Any:
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return _at(distribution, unit)


def _moved(distribution: BaseDistribution, value: Any, rng: random.Random) -> Any:
    """Another value: most often one nearby, else any."""
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
    """The value at a share of the range from its lower end."""
    unit = 0.0 if unit < 0.0 else min(1.0, unit)
    low, high = float(distribution.low), float(distribution.high)
    if distribution.log:
        value = low * (high / low) ** unit if high / low < math.inf else _between(low, high, unit)
    else:
        value = low + (high - low) * unit
    if type(distribution) is IntDistribution:
        steps = round((value - low) / distribution.step)
        return min(distribution.high, max(distribution.low, distribution.low + steps * distribution.step))
    if distribution.step is not None:
        value = low + round((value - low) / distribution.step) * distribution.step
    return min(high, max(low, value))


def _between(low: float, high: float, unit: float) -> float:
    """A value on a logarithmic scale that is so wide that the ratio of its ends is infinite."""
    return math.exp((1.0 - unit) * math.log(low) + unit * math.log(high))
