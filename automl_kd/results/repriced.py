"""The finished trials of a study at another device's prices."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from automl_kd.objectives import Objective
from automl_kd.results.base import Result
from automl_kd.results.study import LimitsResult
from automl_kd.results.trial import Price, Scored


class PriceError(Result):
    """How far off a device's predicted latencies are, and on what networks that is known."""

    basis: Literal["networks", "datasheet", "first use"] = Field(
        description="networks were measured; a datasheet alone, which only ranks; or this machine, at its first use."
    )
    median_error: float | None = Field(description="Median error over measured networks left out one at a time.")
    family_error: float | None = Field(description="The same where families of networks are left out together.")
    interval: float | None = Field(description="Factor by which nine in ten such networks are off at most, either way.")
    networks: dict[str, int] = Field(description="How many were measured: published, cells, own.")
    kinds: tuple[str, ...] = Field(description="Kinds of kernel that they hold.")


class RepricedTrial(Scored):
    """A finished trial that the other device holds."""

    epochs: int = Field(description="Epochs that it was trained for.")
    form: str = Field(description="What ships: float32, fp16, int8.")
    price: Price = Field(description="On the other device.")
    before: Price = Field(description="On the study's own.")
    place: int = Field(description="Its place by latency there among the trials listed, 1 the fastest.")
    place_before: int = Field(description="The same on the study's own device.")
    on_front: bool = Field(description="Whether it is on the front there.")
    on_front_before: bool = Field(description="Whether it is on the study's front.")


class UnfitTrial(Result):
    """A finished trial that the other device does not hold, or that is over a limit."""

    trial: int = Field(description="Its number.")
    score: float = Field(description="Score on search-validation.")
    on_front_before: bool = Field(description="Whether it is on the study's front.")
    reason: str = Field(description="Why.")


class Repriced(Result):
    """A study at another device's prices: what ``reprice --json`` prints and ``automl_kd.reprice`` returns."""

    study: str = Field(description="The study.")
    task: str = Field(description="What is learned.")
    hw_before: str = Field(description="Its device.")
    hw: str = Field(description="The other device.")
    key: str = Field(description="Device, runtime, precision, batch, threads and power mode of its latencies.")
    latency_error: PriceError = Field(description="How far off they are.")
    notes: tuple[str, ...] = Field(description="What holds for all of its prices, a sentence each.")
    extrapolated: dict[str, float] = Field(
        description="Mean shares of the trials' latency in kinds of kernel that were not measured there."
    )
    limits: LimitsResult = Field(description="What a trial may cost there.")
    objectives: tuple[Objective, ...] = Field(description="What the front there is of: the score first, then prices.")
    trials: tuple[RepricedTrial, ...] = Field(description="The finished trials that it holds, fastest first.")
    front: tuple[int, ...] = Field(description="Those on the front there, best in its first price first.")
    entered: tuple[int, ...] = Field(description="Trials that are on the front there and not on the study's.")
    left: tuple[int, ...] = Field(description="Trials of the study's front that are not on the one there.")
    unfit: tuple[UnfitTrial, ...] = Field(description="Trials that it does not hold, and why.")
