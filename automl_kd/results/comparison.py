"""Two or three finished trials side by side: what they reach and cost, how sure that is, and in what they differ."""

from __future__ import annotations

from pydantic import Field, computed_field

from automl_kd.core import UNKNOWN, count, in_unit, three_digits
from automl_kd.objectives import Direction
from automl_kd.results.base import Result


class ComparedValue(Result):
    """What one trial has of a quantity."""

    value: float | str | None = Field(description="In the quantity's unit; None where it is not known.")
    low: float | None = Field(None, description="Lower end of its interval; None where it has none.")
    high: float | None = Field(None, description="Upper end.")


class ComparedQuantity(Result):
    """A quantity of all the trials."""

    name: str = Field(description="Such as score, latency_ms, params, test_score or form.")
    title: str = Field(description="Its name for people.")
    unit: str = Field(description="Of the values: %, ms, bytes, …; count or text where there is none.")
    direction: Direction | None = Field(description="Whether more or less is better; None where neither is.")
    values: tuple[ComparedValue, ...] = Field(description="One a trial, in their order.")

    def shown(self, found: ComparedValue) -> str:
        """A value for people, with its interval where it has one."""
        value = found.value
        if value is None or isinstance(value, str):
            return value or UNKNOWN
        if self.unit == "count":
            return count(value)
        shown = in_unit(value, self.unit)
        if found.low is None or found.high is None:
            return shown
        if self.unit == "%":
            return f"{shown} ({100 * max(0.0, found.low):.1f}–{100 * min(1.0, found.high):.1f})"
        return f"{shown} ({three_digits(found.low)}–{three_digits(found.high)})"


class ScoreDifference(Result):
    """One score minus another, in the metric's own unit and sign."""

    difference: float = Field(description="The first trial's minus the second's.")
    low: float | None = Field(None, description="Lower end of a 95 % interval; None where no error is known.")
    high: float | None = Field(None, description="Upper end.")

    @computed_field(description="Whether the interval includes 0; None where there is none.")  # type: ignore[prop-decorator]
    @property
    def within_noise(self) -> bool | None:
        return None if self.low is None or self.high is None else self.low <= 0 <= self.high


class PriceRatio(Result):
    """What one trial costs as a multiple of another."""

    name: str = Field(description="Of the objective: latency_ms, memory_bytes, …")
    ratio: float = Field(description="The first trial's price over the second's.")
    overlap: bool | None = Field(description="Whether their 90 % intervals overlap; None for a price that has none.")


class ComparedPair(Result):
    """Two of the trials."""

    first: int = Field(description="A trial.")
    second: int = Field(description="The other.")
    score: ScoreDifference = Field(description="On search-validation.")
    test_score: ScoreDifference | None = Field(description="On the test split, where both are picks.")
    prices: tuple[PriceRatio, ...] = Field(description="Of every known objective.")


class RecipeDifference(Result):
    """A place in which the recipes differ."""

    path: str = Field(description="Such as distill.losses.kd.temperature; stages are counted from 0.")
    title: str = Field(description="For people: kd temperature, channels of stage 2.")
    values: tuple[str, ...] = Field(description="What stands there, one a trial.")


class Comparison(Result):
    """What ``compare --json`` prints and ``automl_kd.compare`` returns."""

    study: str = Field(description="The study.")
    trials: tuple[int, ...] = Field(description="Two or three trials, in the order in which they were asked for.")
    roles: tuple[str | None, ...] = Field(description="What each stands for on the front, where it is a pick.")
    quantities: tuple[ComparedQuantity, ...] = Field(description="The quantities of all, side by side.")
    pairs: tuple[ComparedPair, ...] = Field(description="Every two of them.")
    differences: tuple[RecipeDifference, ...] = Field(description="In what their recipes differ.")
    recipes: tuple[tuple[str, ...], ...] = Field(description="Each trial's recipe in plain sentences.")
    sentences: tuple[str, ...] = Field(description="The comparison in plain sentences.")
