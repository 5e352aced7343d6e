"""What a trial keeps of itself in Optuna's storage: one typed, versioned attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from optuna.trial import FrozenTrial, TrialState
from pydantic import BaseModel, ConfigDict, Field

from automl_kd.recipes import Recipe
from automl_kd.results import Error, Metrics, Price, RecipeDocument

TRIAL = "akd:trial"
"""The attribute's name."""
Ending = Literal["screened", "passed over", "stopped", "failed"]
ENDED_BY_OWNER = "ended by its owner"
"""The reason of a trial that somebody wanted ended."""
_ENDINGS: Mapping[str, Ending] = {
    "akd:screened": "screened",
    "akd:passed_over": "passed over",
    "akd:stopped": "stopped",
    "akd:failed": "failed",
}
_ACCURACY = "akd:accuracy@"


class TrialAttributes(BaseModel):
    """A trial beside what Optuna knows of it. Every change is one write, so a kill leaves no half of it.

    Attributes:
        version: Of this layout. Studies of version 0.1 kept an attribute for each field, and are read.
        recipe: Its recipe, None for a proposal that was never priced.
        price: Its prices.
        scores: The metric that is searched, on search-validation, by epoch.
        error: Standard error of the last of these, in the metric's unit; None where it is not known.
        metrics: All metrics there.
        seconds: Training time so far.
        between: Seconds that its worker did not train since the training before; None for a worker's first.
        training: The epoch that it is being trained to, while it is; None else.
        attempts: Times that its worker died under it.
        ending: How it ended before the top rung, if it did.
        reason: Why.
        origin: Study and number of the trial that it was taken over from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    recipe: RecipeDocument | None = None
    price: Price | None = None
    scores: dict[int, float] = Field(default_factory=dict)
    error: Error = None
    metrics: Metrics = Field(default_factory=dict)
    seconds: float = 0.0
    between: float | None = None
    training: int | None = None
    attempts: int = 0
    ending: Ending | None = None
    reason: str | None = None
    origin: tuple[str, int] | None = None

    @classmethod
    def of(cls, trial: FrozenTrial) -> Self:
        """Those of a trial, also of one that version 0.1 made; empty where it has none."""
        attributes = trial.user_attrs
        return cls.model_validate(attributes[TRIAL]) if TRIAL in attributes else cls._of_0_1(attributes)

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return self.model_dump(mode="json", exclude_defaults=True) | {"version": self.version}

    @classmethod
    def _of_0_1(cls, attributes: Mapping[str, Any]) -> Self:
        recipe, origin, scores = attributes.get("akd:recipe"), attributes.get("akd:from"), _accuracies(attributes)
        key = next((key for key in _ENDINGS if key in attributes), None)
        return cls(
            recipe=None if recipe is None else Recipe.model_validate(recipe),
            price=attributes.get("akd:price"),
            scores=scores,
            metrics={"accuracy": scores[max(scores)]} if scores else {},
            seconds=attributes.get("akd:seconds", 0.0),
            between=attributes.get("akd:between"),
            attempts=attributes.get("akd:attempts", 0),
            ending=None if key is None else _ENDINGS[key],
            reason=None if key is None else str(attributes[key]),
            origin=None if origin is None else tuple(origin),
        )


def lower_scores(trial: FrozenTrial) -> dict[int, float]:
    """Scores by epoch below the top rung, for a sampler that learns from them; cheap, for it is asked often.

    At the top rung a trial is complete, and the score is its value.
    """
    kept = trial.user_attrs.get(TRIAL)
    scores = _accuracies(trial.user_attrs) if kept is None else kept.get("scores", {})
    found = {int(epoch): float(score) for epoch, score in scores.items()}
    if trial.state == TrialState.COMPLETE and found:
        del found[max(found)]
    return found


def _accuracies(attributes: Mapping[str, Any]) -> dict[int, float]:
    """Scores by epoch as version 0.1 kept them, one attribute a rung."""
    return {
        int(key.removeprefix(_ACCURACY)): float(value) for key, value in attributes.items() if key.startswith(_ACCURACY)
    }
