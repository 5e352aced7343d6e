"""New candidates: asked of the sampler, priced, and screened before any training."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import optuna

from automl_kd import students
from automl_kd.core import UserError
from automl_kd.hardware import Prediction, Profile
from automl_kd.recipes import InvalidCombinationError, Recipe, Space, Student, digest
from automl_kd.studies.trials import Candidate, TrialStore
from automl_kd.tasks import Task

_SCREENED_IN_A_ROW = 20
_POOL = 64
_MOST_SAMPLES = 2048
_EXAMPLES = 5

Affordable = Callable[[Recipe, Prediction], bool]
"""Whether the budget can hold the training of a recipe at its price."""


@dataclass(frozen=True)
class Limits:
    """What a candidate may cost; None where anything goes."""

    max_latency_ms: float | None = None
    max_params: float | None = None
    max_memory_bytes: float | None = None

    def excess(self, price: Prediction) -> str | None:
        """Which limit a candidate breaks and by what, or None."""
        if not price.fits:
            return f"needs {price.missing_bytes} bytes more memory than the device has"
        for limit, value, unit in (
            (self.max_latency_ms, price.ms, "ms"),
            (self.max_params, price.params, "parameters"),
            (self.max_memory_bytes, price.memory_bytes, "bytes"),
        ):
            if limit is not None and value > limit:
                return f"{value:.6g} {unit} is over the limit of {limit:.6g}"
        return None

    def document(self) -> dict[str, Any]:
        """The limits as plain data."""
        return asdict(self)


class Pricing:
    """Prices of recipes on the target.

    Args:
        task: For the shapes.
        profile: The target.
        allow_code: Whether a model space of the user's own may be loaded, which runs its file.
    """

    def __init__(self, task: Task, profile: Profile, allow_code: bool = False) -> None:
        self._task = task
        self._profile = profile
        self._allow_code = allow_code
        self._plans: dict[Student, students.Plan] = {}

    def price(self, recipes: Sequence[Recipe]) -> list[Prediction]:
        """What each recipe's student is predicted to cost."""
        return self._profile.price([self._plan(recipe.student) for recipe in recipes])

    def extrapolated(self, recipes: Sequence[Recipe]) -> dict[str, float]:
        """Mean shares of their students' time in kinds of kernel that were not measured on the target."""
        shares = self._profile.extrapolated([self._plan(recipe.student) for recipe in recipes])
        return {kind.value: share for kind, share in shares.items()}

    def _plan(self, student: Student) -> students.Plan:
        # A model space is run on shapes for its plan: once for a student, not once for a recipe.
        found = self._plans.get(student)
        if found is None:
            shape, classes = self._task.input_shape, self._task.classes
            found = students.plan(student, input_shape=shape, classes=classes, allow_code=self._allow_code)
            self._plans[student] = found
        return found


class Proposer:
    """Asks the study for candidates until one passes the limits.

    Args:
        store: Where candidates are kept.
        space: The search space.
        pricing: Prices of its recipes.
        limits: What they may cost.
        fixed: Fields that all trials of the study share (task, seed, threads).
        completed: Decides for a recipe what is not searched; raises UserError for one that cannot be trained.
    """

    def __init__(
        self,
        store: TrialStore,
        space: Space,
        pricing: Pricing,
        limits: Limits,
        fixed: Mapping[str, Any],
        completed: Callable[[Recipe], Recipe],
    ) -> None:
        self._store = store
        self._space = space
        self._pricing = pricing
        self._limits = limits
        self._fixed = dict(fixed)
        self._completed = completed
        self._seen = {_identity(candidate.recipe): number for number, candidate in store.candidates.items()}
        self._rng = random.Random(self._fixed.get("seed", 0) + len(store.study.get_trials(deepcopy=False)))
        self.exhausted = False

    def next(self, affordable: Affordable = lambda recipe, price: True) -> Candidate | None:
        """A candidate within the limits, affordable and not tried before, or None where the space holds no more.

        Args:
            affordable: Whether the budget can hold the training of a recipe at this price.
        """
        for attempt in range(_SCREENED_IN_A_ROW * 3):
            if attempt >= _SCREENED_IN_A_ROW and not self._enqueue_feasible(affordable):
                break
            trial = self._store.study.ask()
            candidate = self._admitted(trial, affordable)
            if candidate is not None:
                return candidate
        self.exhausted = True
        return None

    def _admitted(self, trial: optuna.Trial, affordable: Affordable) -> Candidate | None:
        try:
            recipe = self._space.draw(trial).with_(**self._fixed)
        except InvalidCombinationError as error:
            self._store.pass_over(trial, str(error))
            return None
        identity = _identity(recipe)
        if identity in self._seen:
            self._store.pass_over(trial, f"same recipe as trial {self._seen[identity]}")
            return None
        (price,) = self._pricing.price([recipe])
        excess = self._limits.excess(price)
        if excess is not None:
            self._store.screen(trial, excess)
            return None
        if not affordable(recipe, price):
            self._store.pass_over(trial, "too dear to train within the budget")
            self._store.renew_candidates()
            return None
        self._seen[identity] = trial.number
        try:
            return self._store.add(trial, self._completed(recipe), price)
        except UserError as error:
            self._store.pass_over(trial, str(error))
            return None

    def _enqueue_feasible(self, affordable: Affordable) -> bool:
        """Give the sampler a hint where the limits leave little: a random recipe that is within them and new."""
        for _ in range(_MOST_SAMPLES // _POOL):
            recipes = [self._space.sample(self._rng) for _ in range(_POOL)]
            for recipe, price in zip(recipes, self._pricing.price(recipes), strict=True):
                new = _identity(recipe.with_(**self._fixed)) not in self._seen
                if new and self._limits.excess(price) is None and affordable(recipe, price):
                    self._store.study.enqueue_trial(self._space.params(recipe))
                    return True
        return False


def _identity(recipe: Recipe) -> str:
    """Equal for recipes that train alike: where the teacher's outputs come from is decided beside the search."""
    document = recipe.document()
    document["distill"].pop("targets", None)
    return digest(document)


@dataclass(frozen=True)
class Survey:
    """What a random sample of a space costs.

    Attributes:
        sampled: Number of recipes priced.
        feasible: Share of them within the limits.
        latency_ms: Quantiles 0, 0.25, 0.5, 0.75, 1 of the predicted latency.
        params: The same of the number of parameters.
        extrapolated: Mean shares of their time in kinds of kernel that were not measured on the target, dearest first.
        examples: The first few with their price.
    """

    sampled: int
    feasible: float
    latency_ms: tuple[float, ...]
    params: tuple[float, ...]
    extrapolated: dict[str, float]
    examples: tuple[tuple[Recipe, Prediction], ...]


def survey(space: Space, pricing: Pricing, limits: Limits, seed: int) -> Survey:
    """Price a random sample of the space.

    Raises:
        UserError: If the space holds a single recipe, or nothing of a large sample is within the limits: which limit
            binds, and what comes nearest.
    """
    if space.size() == 1:
        raise UserError(
            f"{space.source}: holds a single recipe, so there is nothing to search; distil it with automl-kd distill,"
            " or leave a hole in the space"
        )
    rng = random.Random(seed)
    recipes: list[Recipe] = []
    prices: list[Prediction] = []
    while not any(limits.excess(price) is None for price in prices):
        if len(prices) >= _MOST_SAMPLES:
            raise UserError(_nothing_fits(prices, limits))
        recipes += [space.sample(rng) for _ in range(_POOL)]
        prices += pricing.price(recipes[len(prices) :])
    shares = [0, 0.25, 0.5, 0.75, 1]
    return Survey(
        sampled=len(prices),
        feasible=sum(limits.excess(price) is None for price in prices) / len(prices),
        latency_ms=tuple(float(x) for x in np.quantile([price.ms for price in prices], shares)),
        params=tuple(float(x) for x in np.quantile([price.params for price in prices], shares)),
        extrapolated=pricing.extrapolated(recipes),
        examples=tuple(zip(recipes[:_EXAMPLES], prices[:_EXAMPLES], strict=True)),
    )


def _nothing_fits(prices: Sequence[Prediction], limits: Limits) -> str:
    nearest = [
        f"{option} is {limit:.6g} {unit}, but the least in the sample is {least:.6g}"
        for option, limit, least, unit in (
            ("--max-latency", limits.max_latency_ms, min(price.ms for price in prices), "ms"),
            ("--max-params", limits.max_params, min(price.params for price in prices), "parameters"),
            ("--max-memory", limits.max_memory_bytes, min(price.memory_bytes for price in prices), "bytes"),
        )
        if limit is not None and least > limit
    ]
    reason = "; ".join(nearest) or "each limit alone can be met, but not all together"
    return f"none of {len(prices)} sampled candidates is within the limits: {reason}"
