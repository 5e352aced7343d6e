"""How the parameters of a study are suggested, and what stands for their values inside the sampler."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from automl_kd.samplers.encoding import Params

_ON_GRID = 1e-8
"""How far from a step a float may lie, in steps; Optuna's own tolerance."""


@dataclass(frozen=True)
class _Known:
    """What is known of a parameter.

    Attributes:
        distribution: As a trial suggested it.
        number: The trial that this rests on.
        own: Whether the sampler itself was asked for that trial.
        labels: What stands for each choice inside, None where choices can stand for themselves.
    """

    distribution: BaseDistribution
    number: float
    own: bool
    labels: Mapping[str, Any] | None


class Parameters:
    """The parameters of a study, as trials have suggested them so far.

    Optuna takes any object as a choice: lists, mappings, not-a-number, equal ones twice. Inside the sampler values are
    compared, hashed and looked up, so labels stand for such choices. Trials that were added to a study may also have
    used a name for something else, say a float for an integer. What the study's own trials suggest decides then, and
    what the others say of that name is taken where it is a value of theirs.

    Args:
        given: Parameters that are known before any trial.
    """

    def __init__(self, given: Mapping[str, BaseDistribution]) -> None:
        self._known = {name: _Known(each, math.inf, True, None) for name, each in given.items()}
        self._plain = True
        self._read: dict[int, int] = {}

    def learn(self, trials: Sequence[FrozenTrial], own: Collection[int]) -> bool:
        """Take in what trials suggested; returns whether a name now means something else than before.

        Args:
            trials: Of the study.
            own: Numbers of the trials that the sampler was asked for.
        """
        overturned = False
        for trial in trials:
            if self._read.get(trial.number, 0) < len(trial.distributions):
                self._read[trial.number] = len(trial.distributions)
                for name, each in trial.distributions.items():
                    overturned |= self._learn(name, _Known(each, trial.number, trial.number in own, None))
        return overturned

    def asked(self) -> dict[str, BaseDistribution]:
        """The parameters that trials suggested for which the sampler was asked."""
        return {name: each.distribution for name, each in self._known.items() if each.own}

    def inward(self, params: Params) -> Params:
        """Values as they stand inside; those that their parameter cannot have are left out."""
        if self._plain:
            return params
        found = {}
        for name, value in params.items():
            known = self._known.get(name)
            if known is not None and takes(known.distribution, value):
                found[name] = _inside(known, value)
        return found

    def distributions(self, trial: FrozenTrial, names: Collection[str]) -> Mapping[str, BaseDistribution]:
        """How a trial suggested some of its parameters, as that stands inside."""
        if self._plain:
            return trial.distributions
        return {name: self._distribution(name, trial.distributions[name]) for name in names}

    def outward(self, params: Params) -> dict[str, Any]:
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
    """Whether a value is one of a parameter, be it beyond its range."""
    # Asked for every value that candidates take over from others; isinstance is slow, as distributions are abstract.
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
    """Distinct choices by what stands for them, None where none of them needs that."""
    if not isinstance(distribution, CategoricalDistribution) or _simple(distribution.choices):
        return None
    choices = distribution.choices
    first = [next(index for index, other in enumerate(choices) if _equal(other, each)) for each in choices]
    return {f"{index}: {choices[index]!r}": choices[index] for index in sorted(set(first))}


def _inside(known: _Known, value: Any) -> Any:
    if isinstance(known.distribution, CategoricalDistribution):
        inside = list(known.labels or known.distribution.choices)
        outside = list(known.labels.values()) if known.labels else inside
        return next(each for each, choice in zip(inside, outside, strict=True) if _equal(choice, value))
    return int(value) if isinstance(known.distribution, IntDistribution) else value


def _simple(choices: Sequence[Any]) -> bool:
    """Whether choices are hashable, each equal to itself and to no other."""
    try:
        return len(set(choices)) == len(choices) and all(each == each for each in choices)  # noqa: PLR0124
    except TypeError:
        return False


def _alike(left: BaseDistribution, right: BaseDistribution) -> bool:
    """Whether Optuna lets both stand for one name: ranges may differ, kinds, scales and choices may not."""
    if left.__class__ is not right.__class__:
        return False
    if isinstance(left, CategoricalDistribution):
        return left is right or bool(left == right)
    return _is_log(left) == _is_log(right)


def _is_log(distribution: BaseDistribution) -> bool:
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return bool(distribution.log)


def _equal(left: Any, right: Any) -> bool:
    """Equality of choices as Optuna has it, where not-a-number equals itself."""
    return left is right or bool(left == right) or (_is_nan(left) and _is_nan(right))


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
