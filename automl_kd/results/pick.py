"""A point of the front that was distilled in full, beside the same network trained in other ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, computed_field

from automl_kd.results.base import ACCURACY, Metrics, Result
from automl_kd.results.form import ShippedFile
from automl_kd.results.trial import RecipeDocument

Arm = Literal["searched", "no_distillation", "plain_kd", "from_scratch"]
ARMS: tuple[Arm, ...] = ("searched", "no_distillation", "plain_kd", "from_scratch")
"""Trainings that share network, training, epochs and seeds: the losses that were searched, none, soft targets alone.

These share the weights that they start from, too. The last has the searched losses and starts from random weights: it
is trained beside the knee alone, where that starts from others.
"""


class Gain(Result):
    """What is delivered minus an arm, in the metric's own unit and sign, with a 95 % interval."""

    difference: float = Field(description="The difference of the means.")
    low: float = Field(description="Lower end of the interval of a paired bootstrap over test examples and seeds.")
    high: float = Field(description="Upper end.")


class ArmResult(Result):
    """One arm of a pick, over the seeds that it shares with what is delivered."""

    score: float = Field(description="Mean score on the test split.")
    metrics: Metrics = Field(description="Means of all metrics on the test split.")
    gain: Gain | None = Field(description="What is delivered against it; None for what is delivered.")


class PlainKdSetting(Result):
    """The best setting of plain KD by search-validation."""

    temperature: float = Field(description="Temperature of the soft targets.")
    weight: float = Field(description="Weight of the soft targets; the task's own loss weighs the rest.")


class PickResult(Result):
    """A pick as it is delivered."""

    accuracies: ClassVar[Mapping[str, str]] = {
        "test_accuracy": "test_metrics",
        "test_accuracy_std": "test_metrics",
        "test_accuracy_deployed": "deployed_metrics",
    }

    trial: int = Field(description="The trial that it was picked from.")
    role: str = Field(description="knee, best, fastest, between, near tie, …: what it stands for on the front.")
    round: int = Field(description="Round of picks that it belongs to; a study that was given more time picks anew.")
    arm: Arm = Field(description="What is delivered: another arm than searched where that was ahead beyond noise.")
    hears_teacher: bool = Field(description="Whether the searched losses hear the teacher.")
    origin: Literal["distilled in full", "search checkpoint"] = Field(description="How it came about.")
    seeds: tuple[int, ...] = Field(description="Seeds that its means are over.")
    epochs: int = Field(description="Epochs of its training.")
    test_score: float = Field(description="Mean score on the test split over its seeds.")
    test_score_std: float | None = Field(description="Standard deviation over the seeds; None for a single one.")
    test_metrics: Metrics = Field(description="Means of all metrics on the test split.")
    test_metrics_std: Metrics = Field(description="Their standard deviations; empty for a single seed.")
    test_score_float: float | None = Field(
        None, description="Mean score of the same weights in float32; None without stages of compress."
    )
    float_metrics: Metrics = Field(default_factory=dict, description="Means of all metrics of the same.")
    gain_over_float: Gain | None = Field(None, description="What ships against the same weights in float32.")
    arms: dict[Arm, ArmResult] = Field(description="The arms whose test was read.")
    missing: dict[Arm, str] = Field(description="Why the other arms have no result.")
    plain_kd_setting: PlainKdSetting | None = Field(description="Of plain KD.")
    deployed_metrics: Metrics = Field(description="All metrics of its ONNX file in the device's precision, test split.")
    test_score_deployed: float | None = Field(description="Score of its ONNX file in the device's precision.")
    latency_ms: float = Field(description="Predicted latency, ms.")
    latency_low: float = Field(description="Lower end of the 90 % interval, ms.")
    latency_high: float = Field(description="Upper end, ms.")
    objectives: dict[str, float] = Field(description="Its known objectives by name, and the test score.")
    onnx_max_difference: float = Field(description="Largest difference between outputs of torch and ONNX.")
    shipped: ShippedFile | None = Field(None, description="Its file on the device; None of earlier versions.")
    path: str = Field(description="Folder of its delivery.")
    recipe: RecipeDocument = Field(description="What makes it again.")
    measured_ms: float | None = Field(None, description="Latency measured on the device, ms.")

    @property
    def form(self) -> str:
        """What ships, in a word or two: as its file is where that is known, else as its recipe asks for."""
        return (self.shipped and self.shipped.form) or self.recipe.form

    @property
    def pretrained(self) -> bool:
        """Whether the student that was searched starts from weights, also where another is delivered."""
        return self.arm == "from_scratch" or self.recipe.student.start is not None

    @computed_field(description="Whether the measured latency lies in the interval.")  # type: ignore[prop-decorator]
    @property
    def measured_inside(self) -> bool | None:
        return None if self.measured_ms is None else self.latency_low <= self.measured_ms <= self.latency_high

    @computed_field(description="Mean accuracy on the test split, in [0, 1].")  # type: ignore[prop-decorator]
    @property
    def test_accuracy(self) -> float | None:
        return self.test_metrics.get(ACCURACY)

    @computed_field(description="Its standard deviation over the seeds.")  # type: ignore[prop-decorator]
    @property
    def test_accuracy_std(self) -> float | None:
        return self.test_metrics_std.get(ACCURACY)

    @computed_field(description="Accuracy of its ONNX file in the device's precision.")  # type: ignore[prop-decorator]
    @property
    def test_accuracy_deployed(self) -> float | None:
        return self.deployed_metrics.get(ACCURACY)

    @computed_field(description="Mean score of the searched losses.")  # type: ignore[prop-decorator]
    @property
    def searched(self) -> float | None:
        return self._score("searched")

    @computed_field(description="Mean score without distillation.")  # type: ignore[prop-decorator]
    @property
    def no_distillation(self) -> float | None:
        return self._score("no_distillation")

    @computed_field(description="Mean score of plain KD.")  # type: ignore[prop-decorator]
    @property
    def plain_kd(self) -> float | None:
        return self._score("plain_kd")

    @computed_field(description="Mean score of the searched losses from random weights.")  # type: ignore[prop-decorator]
    @property
    def from_scratch(self) -> float | None:
        return self._score("from_scratch")

    @computed_field(description="What is delivered against the searched losses.")  # type: ignore[prop-decorator]
    @property
    def gain_over_searched(self) -> Gain | None:
        return self._gain("searched")

    @computed_field(description="What is delivered against no distillation.")  # type: ignore[prop-decorator]
    @property
    def gain_over_no_distillation(self) -> Gain | None:
        return self._gain("no_distillation")

    @computed_field(description="What is delivered against plain KD.")  # type: ignore[prop-decorator]
    @property
    def gain_over_plain_kd(self) -> Gain | None:
        return self._gain("plain_kd")

    @computed_field(description="What is delivered against the same losses from random weights.")  # type: ignore[prop-decorator]
    @property
    def gain_over_from_scratch(self) -> Gain | None:
        return self._gain("from_scratch")

    def _score(self, arm: Arm) -> float | None:
        return self.arms[arm].score if arm in self.arms else None

    def _gain(self, arm: Arm) -> Gain | None:
        return self.arms[arm].gain if arm in self.arms else None


class UndistilledPick(Result):
    """A pick that the time left did not hold."""

    trial: int = Field(description="The trial that it was picked from.")
    role: str = Field(description="What it stands for on the front.")
    missing: dict[Arm, str] = Field(description="Why, by arm.")


def compared_arms(picks: Sequence[PickResult]) -> tuple[Arm, ...]:
    """The arms that a table of picks has a column for: that from scratch only where one was to be compared with it."""
    asked = {arm for pick in picks for arm in (*pick.arms, *pick.missing)}
    return tuple(arm for arm in ARMS if arm != "from_scratch" or arm in asked)
