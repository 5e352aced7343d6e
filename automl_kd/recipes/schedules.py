"""Numbers of a recipe that change over a run. Fractions are of the whole schedule."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from automl_kd.recipes.part import Part

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=1e6)]
Weight = Annotated[float, Field(ge=0, le=1e6)]


class Schedule(Part):
    """A number that moves from ``start`` to ``end``.

    ``exponential`` multiplies by the same factor in equal times; ``step`` goes in equal jumps at the fractions ``at``.
    """

    schedule: Literal["constant", "linear", "cosine", "exponential", "step"]
    start: Weight
    end: Weight
    at: tuple[Annotated[float, Field(gt=0, lt=1)], ...] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.schedule == "constant" and self.start != self.end:
            raise ValueError("a constant schedule has equal start and end")
        if self.schedule == "exponential" and min(self.start, self.end) == 0:
            raise ValueError("an exponential schedule never reaches 0; give start and end above 0")
        if (self.schedule == "step") != bool(self.at):
            raise ValueError("a step schedule, and only it, says at which fractions of the run it jumps, at: [0.5]")
        if self.at and list(self.at) != sorted(set(self.at)):
            raise ValueError(f"the fractions {list(self.at)} should ascend")
        return self


class TemperatureSchedule(Schedule):
    """A temperature that moves from ``start`` to ``end``."""

    start: Positive
    end: Positive


class EntropyTemperature(Part):
    """A temperature for every sample: ``low`` where the teacher is least sure, ``high`` where it is surest."""

    adaptive: Literal["entropy"]
    low: Positive = 2.0
    high: Positive = 8.0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} must be below high {self.high:g}")
        return self


class LearnedTemperature(Part):
    """A temperature that learns to make the loss harder (CTKD; Li et al. 2023, arXiv:2211.16231).

    It ascends the loss that the student descends, with a strength that grows by half a cosine up to the fraction
    ``full`` of the run: a curriculum from easy to hard.
    """

    adaptive: Literal["learned"]
    start: Positive = 4.0
    low: Positive = 1.0
    high: Positive = 20.0
    full: Annotated[float, Field(gt=0, le=1)] = 0.1

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.start < self.high:
            raise ValueError(f"start {self.start:g} must lie between low {self.low:g} and high {self.high:g}")
        return self


Temperature = Positive | TemperatureSchedule | EntropyTemperature | LearnedTemperature


class HandOver(Part):
    """A hand-over of weight from one loss to another between two fractions of the run: a smooth two-stage training."""

    source: str = "hint"
    target: str = "kd"
    schedule: Literal["linear", "cosine"] = "linear"
    start: Fraction = 0.0
    end: Fraction = 1.0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"start {self.start:g} must come before end {self.end:g}")
        if self.source == self.target:
            raise ValueError(f"source and target are both {self.source}")
        return self


class Curriculum(Part):
    """A curriculum: outputs are compared on the easiest ``start`` of each batch first, on all from ``until`` on.

    A sample is as hard as the teacher's own task loss on it (Hacohen & Weinshall 2019, arXiv:1904.03626).
    """

    start: Annotated[float, Field(gt=0, lt=1)] = 0.3
    until: Annotated[float, Field(gt=0, le=1)] = 0.5
