"""New candidates: asked of the sampler, priced, and screened before any training."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import optuna

from automl_kd.core import UserError
from automl_kd.recipes import InvalidCombinationError, Recipe, digest, students
from automl_kd.samplers import KnowsWorth
from automl_kd.studies.admission import Admission
from automl_kd.studies.pricing import Priced
from automl_kd.studies.trials import Candidate, TrialStore

_SCREENED_IN_A_ROW = 20
_POOL = 64
_MOST_SAMPLES = 2048


class Proposer:
    """Asks a sampler for candidates until one passes the limits, and for what those that wait are worth.

    Args:
        trials: Where candidates are kept.
        sampler: What is asked.
        admission: Where candidates come from, and what they have to pass.
        fixed: Fields that all trials of the study share (task, seed, threads).
        completed: Decides for a recipe what is not searched; raises UserError for one that cannot be trained.
    """

    def __init__(
        self,
        trials: TrialStore,
        sampler: optuna.samplers.BaseSampler,
        admission: Admission,
        fixed: Mapping[str, Any],
        completed: Callable[[Recipe], Recipe],
    ) -> None:
        trials.study.sampler = sampler
        self._worth_of = sampler if isinstance(sampler, KnowsWorth) else None
        self._trials = trials
        self._admission = admission
        self._fixed = dict(fixed)
        self._completed = completed
        self._seen = {_identity(candidate.recipe): number for number, candidate in trials.candidates.items()}
        self._rng = random.Random(self._fixed.get("seed", 0) + trials.count_all())
        self._worth: Mapping[int, float] = {}
        self._worth_at = 0
        self.exhausted = False

    def next(self) -> Candidate | None:
        """A candidate within the limits, affordable and not tried before, or None where the space holds no more."""
        for attempt in range(_SCREENED_IN_A_ROW * 3):
            if attempt >= _SCREENED_IN_A_ROW and not self._enqueue_feasible():
                break
            candidate = self._admitted(self._trials.study.ask())
            if candidate is not None:
                return candidate
        self.exhausted = True
        return None

    def worth(self) -> Mapping[int, float] | None:
        """What finishing each paused candidate is expected to add to the front, None where the sampler cannot tell.

        It is asked again only once a candidate has arrived somewhere since.
        """
        if self._worth_of is None:
            return None
        candidates = self._trials.candidates.values()
        arrived = sum(len(each.scores) for each in candidates)
        if arrived != self._worth_at:
            waiting = [each.number for each in candidates if each.scores and each.status == "waiting"]
            self._worth = self._worth_of.expected_improvements(self._trials.study, waiting)
            self._worth_at = arrived
        return self._worth

    def expected_gain(self) -> float | None:
        """What the last proposal is expected to add, as a share of the front's hypervolume; None where that is open."""
        return None if self._worth_of is None else self._worth_of.improvement

    def _admitted(self, trial: optuna.Trial) -> Candidate | None:
        try:
            recipe = self._admission.space.draw(trial).with_(**self._fixed)
        except InvalidCombinationError as error:
            self._trials.pass_over(trial, str(error))
            return None
        identity = _identity(recipe)
        if identity in self._seen:
            self._trials.pass_over(trial, f"same recipe as trial {self._seen[identity]}")
            return None
        (price,) = self._admission.pricing.price([recipe])
        excess = self._admission.limits.excess(price)
        if excess is not None:
            self._trials.screen(trial, excess)
            return None
        if not self._admission.affordable(recipe, price):
            self._trials.pass_over(trial, "too dear to train within the budget")
            if self._worth_of is not None:  # what the budget can hold has changed: it prices its candidates anew
                self._worth_of.renew()
            return None
        self._seen[identity] = trial.number
        try:
            return self._trials.add(trial, self._completed(recipe), price.stored())
        except UserError as error:
            self._trials.pass_over(trial, str(error))
            return None

    def _enqueue_feasible(self) -> bool:
        """Give the sampler a hint where the limits leave little: a random recipe that is within them and new."""
        space = self._admission.space
        for _ in range(_MOST_SAMPLES // _POOL):
            recipes = [space.sample(self._rng) for _ in range(_POOL)]
            for recipe, price in zip(recipes, self._admission.pricing.price(recipes), strict=True):
                if self._may_be_tried(recipe, price):
                    self._trials.study.enqueue_trial(space.params(recipe))
                    return True
        return False

    def _may_be_tried(self, recipe: Recipe, price: Priced) -> bool:
        new = _identity(recipe.with_(**self._fixed)) not in self._seen
        return new and self._admission.passes(recipe, price)


def _identity(recipe: Recipe) -> str:
    """Equal for recipes that train alike, whatever of them is decided, or written down, beside the search."""
    document = recipe.document()
    document["distill"].pop("targets", None)
    students.unpin_start(document["student"])
    return digest(document)
