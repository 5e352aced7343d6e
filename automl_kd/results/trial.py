"""One candidate of a search: what it costs on the device, and what it reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PlainSerializer, computed_field, model_validator

from automl_kd.recipes import Recipe
from automl_kd.results.base import ACCURACY, Error, Metrics, Result

RecipeDocument = Annotated[Recipe, PlainSerializer(lambda recipe: recipe.document(), return_type=dict[str, Any])]
"""A recipe inside a process, its document in JSON."""


_FLOAT32 = 4
"""Bytes of a number."""


class Price(Result):
    """What a student costs on the device, predicted before any training."""

    latency_ms: float = Field(description="Latency of one example in ms; infinite where it does not fit the device.")
    latency_low: float = Field(description="Lower end of the 90 % interval, ms.")
    latency_high: float = Field(description="Upper end of the 90 % interval, ms.")
    params: int = Field(description="Parameters.")
    memory_bytes: int = Field(description="Weights and activations alive at once, bytes.")
    coverage: float = Field(description="Share of its kernels that the profile knows, 0 to 1.")
    flops: int = Field(0, description="Operations; a multiply-accumulate counts as 2.")
    energy_mj: float | None = Field(None, description="Energy of one inference in mJ, where the profile knows it.")
    size_bytes: int = Field(description="Weights in the file that ships, bytes.")
    others: dict[str, tuple[float, float, float]] = Field(
        default_factory=dict,
        description="Latency in ms and its interval (low, high) on further devices of the search, by device.",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_size_of_0_2(cls, data: Any) -> Any:
        """Up to version 0.2 every student shipped in float32, and nobody wrote down its size."""
        if isinstance(data, dict) and "params" in data and "size_bytes" not in data:
            return {**data, "size_bytes": _FLOAT32 * data["params"]}
        return data


class Scored(Result):
    """A trial with what it reached on search-validation."""

    accuracies: ClassVar[Mapping[str, str]] = {"accuracy": "metrics"}

    trial: int = Field(description="Its number.")
    score: float = Field(description="The metric that is searched, on search-validation, in its own unit and sign.")
    metrics: Metrics = Field(description="All metrics on search-validation.")
    objectives: dict[str, float] = Field(description="Its values by the name of the search's objectives.")

    @computed_field(description="Accuracy on search-validation, in [0, 1].")  # type: ignore[prop-decorator]
    @property
    def accuracy(self) -> float | None:
        return self.metrics.get(ACCURACY)


class TrialResult(Scored, Price):
    """A candidate that was trained as long as a search trains."""

    epochs: int = Field(description="Epochs that it was trained for.")
    score_error: Error = Field(None, description="Standard error of the score; None where it is not known.")
    recipe: RecipeDocument = Field(description="How it is made.")


class StoppedTrial(Scored):
    """A candidate that a search gave up at a lower rung; its score is that of the rung."""

    epochs: int = Field(description="Epochs that it was trained for.")
    latency_ms: float = Field(description="Predicted latency, ms.")
    params: int = Field(description="Parameters.")


class HistoryRow(Scored):
    """A trial at the moment at which it was finished."""

    seconds: float = Field(description="Since the search began.")
    latency_ms: float = Field(description="Predicted latency, ms.")
    state: Literal["complete"] = Field("complete", description="A finished trial is complete.")
