"""What a candidate has to pass before it is trained: the limits of its price, and what the budget can hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from automl_kd.recipes import Recipe, Space, StudentPart
from automl_kd.studies.pricing import Limits, Priced, Pricing

Affordable = Callable[[Recipe, Priced], bool]
"""Whether the budget can hold the training of a recipe at its price."""


@dataclass(frozen=True)
class Admission:
    """What candidates of a study come from, and what they have to pass.

    Attributes:
        space: The search space.
        pricing: Prices of its recipes.
        limits: What they may cost.
        affordable: Whether the budget can hold the training of a recipe.
        can_start: Whether the weights that a student starts from are to be had.
    """

    space: Space
    pricing: Pricing
    limits: Limits
    affordable: Affordable
    can_start: Callable[[StudentPart], bool] = lambda student: True

    def passes(self, recipe: Recipe, price: Priced) -> bool:
        """Whether a recipe at its price is within the limits and can be trained."""
        startable = self.can_start(recipe.student)
        return startable and self.limits.excess(price) is None and self.affordable(recipe, price)
