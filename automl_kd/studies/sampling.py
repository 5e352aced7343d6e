"""The sampler of a search, told the prices of the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from automl_kd.recipes import InvalidCombinationError, Recipe
from automl_kd.samplers import Proposing, make_sampler
from automl_kd.studies.admission import Admission
from automl_kd.studies.attributes import lower_scores
from automl_kd.studies.objectives import KnownObjective
from automl_kd.studies.pricing import Priced

_PRICED = ("student", "compress")
"""The parts of a recipe that decide its price."""


def sampler_for(
    name: str, admission: Admission, known: Sequence[KnownObjective], seed: int
) -> optuna.samplers.BaseSampler:
    """The sampler of that name, told what the study knows.

    Args:
        name: Of the sampler.
        admission: Where candidates come from, and what they have to pass.
        known: Objectives that are prices, in the order in which they follow the score.
        seed: Of the draws; a resumed study takes another than the one it began with, or it would draw the same again.
    """
    prices = _Prices(admission)
    costs = {position: prices.of(each) for position, each in enumerate(known, start=1)}
    return make_sampler(name, Proposing(seed % 2**32, admission.space, costs, lower_scores, prices.sizes))


class _Prices:
    """Prices of sets of parameters, infinite over a limit or where the training is too dear; students priced once."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._known: dict[tuple[tuple[str, Any], ...], tuple[Recipe, Priced]] = {}

    def of(self, objective: KnownObjective) -> Callable[[Sequence[Mapping[str, Any]]], list[float]]:
        """One objective's prices."""
        return lambda candidates: [
            float("inf") if price is None else price.value(objective) for price in self._priced(candidates)
        ]

    def sizes(self, candidates: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Parameters and operations of the students, shape (n, 2); zeros for those of another space.

        At one latency the student with more of them is the better one more often than not.
        """
        known = [self._known.get(name) for name in self._look_up(candidates)]
        sizes = [(0, 0) if each is None else (each[1].here.params, each[1].here.flops) for each in known]
        return np.array(sizes, dtype=np.float64).reshape(len(candidates), 2)

    def _priced(self, candidates: Sequence[Mapping[str, Any]]) -> list[Priced | None]:
        names = self._look_up(candidates)
        return [self._allowed(*self._known[name]) if name in self._known else None for name in names]

    def _look_up(self, candidates: Sequence[Mapping[str, Any]]) -> list[tuple[tuple[str, Any], ...]]:
        """The students of candidates; afterwards those are priced of which a recipe could be made."""
        names = [_student(params) for params in candidates]
        new: dict[tuple[tuple[str, Any], ...], Recipe] = {}
        for name, params in zip(names, candidates, strict=True):
            if name not in self._known and name not in new:
                try:
                    new[name] = self._admission.space.from_params(params)
                except (InvalidCombinationError, KeyError):
                    continue  # of this recipe as a whole: another with the same student may be sound
        for name, price in zip(new, self._admission.pricing.price(list(new.values())), strict=True):
            self._known[name] = new[name], price
        return names

    def _allowed(self, recipe: Recipe, price: Priced) -> Priced | None:
        return price if self._admission.passes(recipe, price) else None


def _student(params: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The parameters that the price hangs on."""
    return tuple(sorted((name, value) for name, value in params.items() if name.startswith(_PRICED)))
