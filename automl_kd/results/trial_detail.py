"""All that is known of one trial: how it is made, what became of it, what it costs and why, and where it errs."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from automl_kd.objectives import Objective
from automl_kd.results.base import Metrics, Result
from automl_kd.results.form import ShippedFile
from automl_kd.results.pick import Arm, PickResult
from automl_kd.results.trial import Price, RecipeDocument

TrialState = Literal["screened", "passed over", "waiting", "running", "stopped", "failed", "complete"]
_Z95 = 1.96


class Estimate(Result):
    """The value of a metric on search-validation, and how far it may be off on other examples."""

    value: float = Field(description="The value, in the metric's own unit and sign.")
    error: float | None = Field(description="Its standard error; None where it was not stored.")
    low: float | None = Field(description="Lower end of the 95 % interval: 1.96 standard errors.")
    high: float | None = Field(description="Upper end.")

    @classmethod
    def of(cls, value: float, error: float | None, unit: str) -> Estimate:
        """From a value and its standard error; the interval of a share (``%``) ends at 0 and 1."""
        if error is None:
            return cls(value=value, error=None, low=None, high=None)
        least, most = (0.0, 1.0) if unit == "%" else (-math.inf, math.inf)
        low, high = max(least, value - _Z95 * error), min(most, value + _Z95 * error)
        return cls(value=value, error=error, low=low, high=high)


class CurvePoint(Result):
    """What a training had reached at an epoch."""

    training: Literal["search", "in full"] = Field(description="Of the search, rung by rung, or of the pick.")
    arm: Arm | None = Field(None, description="Of the pick's training; None of the search.")
    epochs: int = Field(description="Epochs trained.")
    score: float = Field(description="Score on search-validation.")


class PricePart(Result):
    """The kernels of a kind, or what comes on top of all kernels."""

    name: str = Field(description="A kind of kernel; intercept, streaming of weights, or correction of the sum.")
    ms: float = Field(description="Its milliseconds; a correction may be negative.")
    share: float = Field(description="Its share of the latency.")
    kernels: int | None = Field(description="How many are executed; None where it is no kind.")
    gflops: float | None = Field(description="10⁹ operations in multiply-accumulates, each counted as 2.")
    mb: float | None = Field(description="10⁶ bytes that are read and written.")
    arithmetic: float | None = Field(description="Milliseconds that arithmetic takes.")
    memory: float | None = Field(description="Milliseconds of memory traffic.")
    launch: float | None = Field(description="Milliseconds of launches.")
    extrapolated: bool = Field(description="Whether no measured network of the device holds the kind.")
    networks: int | None = Field(description="Measured networks that spend a noteworthy share of their time in it.")
    off_by: float | None = Field(description="Factor by which the time may be off either way, 90 % interval.")
    on_host: int | None = Field(description="How many of the kernels the device's runtime leaves to its host.")


class Breakdown(Result):
    """What a price consists of."""

    parts: tuple[PricePart, ...] = Field(description="What adds up to the latency, kinds of kernel first.")
    extrapolated: dict[str, float] = Field(description="Shares of the latency in kinds that were not measured there.")
    in_floats: tuple[str, ...] = Field(description="Layers of a quantised student that are kept in floats.")
    notes: tuple[str, ...] = Field(description="What the price rests on, a sentence each.")
    unexplained: str | None = Field(None, description="Why there are no parts; None where there are.")


class ClassRow(Result):
    """A class, or a label, of search-validation."""

    name: str = Field(description="Of the class or label.")
    examples: int = Field(description="Examples that have it.")
    answered: int = Field(description="Examples that the student gives it to.")
    right: int = Field(description="Examples of both.")
    recall: float | None = Field(description="Share of its examples that are recognised; None where there are none.")
    precision: float | None = Field(description="Share of such answers that are right; None where there are none.")


class Confusion(Result):
    """Examples of one class that are taken for another."""

    label: str = Field(description="What they are.")
    answer: str = Field(description="What they are taken for.")
    count: int = Field(description="How many.")
    share: float = Field(description="Of the examples of the class.")


class ValueRow(Result):
    """How far off a value is on search-validation; an error is answer minus label, in the label's unit."""

    name: str = Field(description="Of the value.")
    bias: float = Field(description="Mean error.")
    rmse: float = Field(description="Root of the mean squared error.")
    mae: float = Field(description="Mean absolute error.")
    quantiles: tuple[float, ...] = Field(description="Quantiles 5, 25, 50, 75 and 95 % of the error.")
    worst: float = Field(description="Largest absolute error.")


class Reading(Result):
    """What a student answers to the examples of search-validation, in the form that ships."""

    student: Literal["search checkpoint", "delivered"] = Field(description="Which student was read.")
    form: str = Field(description="In what form: float32, fp16, int8.")
    examples: int = Field(description="How many examples there are.")
    metrics: dict[str, Estimate] = Field(description="All metrics of this very student.")
    float_metrics: Metrics = Field(description="The same weights in float32; empty without stages of compress.")
    classes: tuple[ClassRow, ...] = Field((), description="By class or label; empty of a regression.")
    matrix: tuple[tuple[int, ...], ...] | None = Field(
        None, description="Confusion matrix, a row a class and a column an answer; None where it is too large or none."
    )
    confusions: tuple[Confusion, ...] = Field((), description="The largest confusions, most frequent first.")
    values: tuple[ValueRow, ...] = Field((), description="By value; empty where answers are no values.")


class TrialDetail(Result):
    """One trial of a study: what ``trial --json`` prints and ``automl_kd.trial_detail`` returns."""

    study: str = Field(description="The study.")
    trial: int = Field(description="Its number.")
    task: str = Field(description="What is learned.")
    hw: str = Field(description="The device.")
    state: TrialState = Field(description="What became of it; waiting and running may change.")
    reason: str | None = Field(description="Why it was screened, passed over or stopped, or failed.")
    told: str = Field(description="State and reason in words.")
    training_until: int | None = Field(description="The epoch that it is being trained to; None where it is not.")
    on_front: bool = Field(description="Whether it is on the study's front now.")
    objectives: tuple[Objective, ...] = Field(description="What the study is of: the score first, then prices.")
    metric_details: tuple[Objective, ...] = Field(description="All metrics by name, unit and direction.")
    score: float | None = Field(description="Score at its last rung, on search-validation.")
    epochs: int = Field(description="Epochs of that rung; 0 before the first.")
    metrics: dict[str, Estimate] = Field(description="All metrics there, as stored.")
    curve: tuple[CurvePoint, ...] = Field(description="What it reached rung by rung, and trained in full.")
    seconds: float = Field(description="Seconds of training in the search.")
    attempts: int = Field(description="Times that its worker died under it.")
    origin: tuple[str, int] | None = Field(description="Study and trial that it was taken over from.")
    price: Price | None = Field(description="Predicted before training; None for a proposal that was never priced.")
    breakdown: Breakdown | None = Field(description="What the price consists of; None where there is no price.")
    shipped: ShippedFile | None = Field(description="The delivered file on the device; None of others than picks.")
    pick: PickResult | None = Field(description="Distilled in full, tested and delivered; None of others than picks.")
    reading: Reading | None = Field(description="Where it errs on search-validation; None where nothing is to be read.")
    unread: str | None = Field(description="Why nothing is to be read; None where something is.")
    log: tuple[str, ...] = Field(description="Its last lines: what its jobs said, and what workers wrote meanwhile.")
    recipe: RecipeDocument | None = Field(description="How it is made; None for a proposal that was never priced.")
