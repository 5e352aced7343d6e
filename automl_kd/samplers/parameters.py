"""The parameters of a study: their distributions, and labels for values that cannot be hashed or compared."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from automl_kd.samplers.encoding import Params

_ON_GRID = 1e-8
"""Largest distance of a float from a step of its range, in steps; Optuna's own tolerance."""


@dataclass(frozen=True)
class _Known:
    """One parameter.

    Attributes:
        distribution: As a trial suggested it.
        number: Of that trial.
        own: Whether the sampler was asked for that trial.
        labels: Choices by their labels; None where choices need no labels.
    """

    distribution: BaseDistribution
    number: float
    own: bool
    labels: Mapping[str, Any] | None


class Parameters:
    """The parameters of a study, as trials have suggested them so far.

    Optuna takes any object as a choice: lists, mappings, not-a-number, equal ones twice. The sampler compares and
    hashes values, so labels replace such choices inside it. Trials that were added to a study can have used a name for
    another kind of parameter, for example a float instead of an integer. Then the suggestions of the sampler's own
    trials decide, and a value of another trial counts where the parameter could have it.

    Args:
        given: Parameters that are known before any trial.
    """

    def __init__(self, given: Mapping[str, BaseDistribution]) -> None:
        self._known = {name: _Known(each, math.inf, True, None) for name, each in given.items()}
        self._plain = True
        self._read: dict[int, int] = {}

    def learn(self, trials: Sequence[FrozenTrial], own: Collection[int]) -> bool:
        """Learn the parameters of new trials; returns whether a name has come to mean another kind of parameter.

        Args:
            trials: Of the study.
            own: Numbers of the trials for which the sampler was asked.
        """
        overturned = False
        for trial in trials:
            if self._read.get(trial.number, 0) < len(trial.distributions):
                self._read[trial.number] = len(trial.distributions)
                for name, each in trial.distributions.items():
                    overturned |= self._learn(name, _Known(each, trial.number, trial.number in own, None))
        return overturned

    def asked(self) -> dict[str, BaseDistribution]:
        """The parameters of the trials for which the sampler was asked."""
        return {name: each.distribution for name, each in self._known.items() if each.own}

    def to_internal(self, params: Params) -> Params:
        """Values as the sampler keeps them; those that their parameter cannot have are left out."""
        if self._plain:
            return params
        found = {}
        for name, value in params.items():
            known = self._known.get(name)
            if known is not None and takes(known.distribution, value):
                found[name] = _internal(known, value)
        return found

    def distributions(self, trial: FrozenTrial, names: Collection[str]) -> Mapping[str, BaseDistribution]:
        """The distributions of some of a trial's parameters, as the sampler keeps them."""
        if self._plain:
            return trial.distributions
        return {name: self._distribution(name, trial.distributions[name]) for name in names}

    def to_external(self, params: Params) -> dict[str, Any]:
        """Values as Optuna and the user's functions know them."""
        found = dict(params)
        if not self._plain:
            for name in params:
                labels = self._known[name].labels
                if labels is not None:
                    found[name] = labels[params[name]]
        return found

    def _distribution(self, name: str, suggested: BaseDistribution) -> BaseDistribution:
        known = self._known[name]
        if known.labels is not None:
            return CategoricalDistribution(tuple(known.labels))
        return suggested if _alike(suggested, known.distribution) else known.distribution

    def _learn(self, name: str, new: _Known) -> bool:
        known = self._known.get(name)
        if known is not None and _alike(known.distribution, new.distribution):
            if new.own and not known.own:
                self._known[name] = replace(known, own=True, number=new.number)
            return False
        if known is not None:
            self._plain = False
            if (known.own, known.number) > (new.own, new.number):
                return False
        self._known[name] = replace(new, labels=_labels(new.distribution))
        self._plain &= self._known[name].labels is None
        return known is not None


def takes(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a parameter can have a value, in this range or another one."""
    # Not isinstance, which is slow for abstract classes: this is called for every value of every bred candidate.
    if type(distribution) is CategoricalDistribution:
        return value in distribution.choices or any(_equal(choice, value) for choice in distribution.choices)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    if type(distribution) is FloatDistribution:
        return value > 0 or not distribution.log
    return float(value).is_integer() and (value > 0 or not _is_log(distribution))


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a value lies in a distribution."""
    if not takes(distribution, value):
        return False
    if type(distribution) is FloatDistribution:
        steps = 0.0 if distribution.step is None else (value - distribution.low) / distribution.step
        return bool(distribution.low <= value <= distribution.high and abs(steps - round(steps)) < _ON_GRID)
    if type(distribution) is IntDistribution:
        inside = isinstance(value, int) and distribution.low <= value <= distribution.high
        return inside and bool((value - distribution.low) % distribution.step == 0)
    return True


def _labels(distribution: BaseDistribution) -> Mapping[str, Any] | None:
    """Distinct choices by their labels; None where no choice needs one."""
    if not isinstance(distribution, CategoricalDistribution) or _simple(distribution.choices):
        return None
    choices = distribution.choices
    first = [next(index for index, other in enumerate(choices) if _equal(other, each)) for each in choices]
    return {f"{index}: {choices[index]!r}": choices[index] for index in sorted(set(first))}


def _internal(known: _Known, value: Any) -> Any:
    if isinstance(known.distribution, CategoricalDistribution):
        inside = list(known.labels or known.distribution.choices)
        outside = list(known.labels.values()) if known.labels else inside
        return next(each for each, choice in zip(inside, outside, strict=True) if _equal(choice, value))
    return int(value) if isinstance(known.distribution, IntDistribution) else value


def _simple(choices: Sequence[Any]) -> bool:
    """Whether choices are hashable, and each equals itself and no other."""
    try:
        return len(set(choices)) == len(choices) and all(each == each for each in choices)  # noqa: PLR0124
    except TypeError:
        return False


def _alike(left: BaseDistribution, right: BaseDistribution) -> bool:
    """Whether Optuna lets one name have both: ranges may differ; kinds, scales and choices may not."""
    if left.__class__ is not right.__class__:
        return False
    if isinstance(left, CategoricalDistribution):
        return left is right or bool(left == right)
    return _is_log(left) == _is_log(right)


def _is_log(distribution: BaseDistribution) -> bool:
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return bool(distribution.log)


def _equal(left: Any, right: Any) -> bool:
    """Whether choices are equal as Optuna defines it, where not-a-number equals itself."""
    return left is right or bool(left == right) or (_is_nan(left) and _is_nan(right))


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
