"""The sampler of a search, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from automl_kd.core import unknown
from automl_kd.hardware import Prediction
from automl_kd.recipes import InvalidCombinationError, Recipe, Space
from automl_kd.samplers import AttributeReadings, KnownCostSampler, KnowsWorth, multivariate_tpe
from automl_kd.studies.proposer import Affordable, Limits, Pricing

_CLASSES: Mapping[str, type[optuna.samplers.BaseSampler]] = {
    "known-cost": KnownCostSampler,
    "tpe": optuna.samplers.TPESampler,
    "nsga2": optuna.samplers.NSGAIISampler,
    "random": optuna.samplers.RandomSampler,
    "gp": optuna.samplers.GPSampler,
}
SAMPLERS = tuple(_CLASSES)
LATENCY = 1
"""Position of the latency among a study's objectives."""


def knows_worth(name: str) -> bool:
    """Whether the sampler of that name can say what a trial is worth, which ``stop_when_flat`` needs.

    >>> [name for name in SAMPLERS if knows_worth(name)]
    ['known-cost']
    """
    return issubclass(_CLASSES[name], KnowsWorth)


def make_sampler(
    name: str, space: Space, pricing: Pricing, limits: Limits, affordable: Affordable, seed: int
) -> optuna.samplers.BaseSampler:
    """The sampler of that name.

    Args:
        name: One of ``SAMPLERS``.
        space: The search space.
        pricing: Prices of its recipes.
        limits: What they may cost.
        affordable: Whether the budget can hold the training of a recipe at its price.
        seed: Of the draws; a resumed study takes another than the one it began with, or it would draw the same again.

    Raises:
        UserError: If there is no such sampler.
    """
    seed %= 2**32
    match name:
        case "known-cost":
            latency = _Latency(space, pricing, limits, affordable)
            return KnownCostSampler(
                {LATENCY: latency},
                vectorized=True,
                space=space,
                seed=seed,
                starts=space.starts,
                readings=_lower_rungs,
            )
        case "tpe":
            return multivariate_tpe(seed)
        case "nsga2":
            return optuna.samplers.NSGAIISampler(seed=seed)
        case "random":
            return optuna.samplers.RandomSampler(seed=seed)
        case "gp":
            return optuna.samplers.GPSampler(seed=seed)
    raise unknown("sampler", name, list(SAMPLERS))


_at_rungs = AttributeReadings("akd:accuracy@")


def _lower_rungs(trial: FrozenTrial) -> dict[int, float]:
    """Accuracy by epoch below the top rung; there a trial is complete, and the accuracy is its value."""
    readings = _at_rungs(trial)
    if trial.state == TrialState.COMPLETE and readings:
        del readings[max(readings)]
    return readings


class _Latency:
    """Latency in ms of sets of parameters, infinite over a limit or where it is too dear; students are priced once."""

    def __init__(self, space: Space, pricing: Pricing, limits: Limits, affordable: Affordable) -> None:
        self._space = space
        self._pricing = pricing
        self._limits = limits
        self._affordable = affordable
        self._known: dict[tuple[tuple[str, Any], ...], tuple[Recipe, Prediction]] = {}

    def __call__(self, candidates: Sequence[Mapping[str, Any]]) -> list[float]:
        names = [_student(params) for params in candidates]
        new: dict[tuple[tuple[str, Any], ...], Recipe] = {}
        for name, params in zip(names, candidates, strict=True):
            if name not in self._known and name not in new:
                try:
                    new[name] = self._space.from_params(params)
                except (InvalidCombinationError, KeyError):
                    continue  # of this recipe as a whole: another with the same student may be sound
        for name, price in zip(new, self._pricing.price(list(new.values())), strict=True):
            self._known[name] = new[name], price
        return [self._cost(*self._known[name]) if name in self._known else float("inf") for name in names]

    def _cost(self, recipe: Recipe, price: Prediction) -> float:
        within = self._limits.excess(price) is None and self._affordable(recipe, price)
        return price.ms if within else float("inf")


def _student(params: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The parameters that the price hangs on."""
    return tuple(sorted((name, value) for name, value in params.items() if name.startswith("student")))
