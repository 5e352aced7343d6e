"""What only reports say of numbers: gains with their intervals, latencies with theirs."""

from __future__ import annotations

import math

from automl_kd.core import milliseconds, signed, three_digits
from automl_kd.objectives import Objective
from automl_kd.results import Gain

ACCURACY = "accuracy"
"""The metric that a bare percentage is taken for, and that the fields of version 0.1 are named after."""


def scored(value: float | None, objective: Objective) -> str:
    """A value with the name of what it is of: ``97.8 %`` of accuracy, ``log loss 0.132 nats``."""
    shown = objective.shown(value)
    return shown if objective.name == ACCURACY else f"{objective.title} {shown}"


def titled(objective: Objective) -> str:
    """The head of a column, with the direction where less is better: ``Log loss (less is better)``."""
    return capital(objective.title) + (" (less is better)" if objective.direction == "minimize" else "")


def capital(title: str) -> str:
    """A title at the start of a line, but for abbreviations: ``Log loss``, ``RMSE``, ``mAP``."""
    return title if title[1:2].isupper() else title[:1].upper() + title[1:]


def spread_unit(objective: Objective) -> str:
    """The unit of a difference behind a number, with its space: `` points`` of shares, `` nats``, nothing of labels."""
    shown = objective.shown_spread(0.0)
    return objective.shown_difference(0.0).removeprefix(shown)


def interval(gain: Gain, objective: Objective) -> str:
    """The ends of a gain's interval alone: ``[+0.3, +2.1]``."""
    low, high = (signed(each, objective.unit) for each in (gain.low, gain.high))
    return f"[{low}, {high}]"


def difference(gain: Gain, objective: Objective) -> str:
    """A paired difference for a table: ``−1.2 points [−2.0, −0.4]``."""
    return f"{objective.shown_difference(gain.difference)} {interval(gain, objective)}"


def worth(gain: Gain, objective: Objective) -> str:
    """A paired difference with its interval: ``+1.2 points (95 % interval +0.3 to +2.1)``."""
    low, high = (signed(each, objective.unit) for each in (gain.low, gain.high))
    return f"{objective.shown_difference(gain.difference)} (95 % interval {low} to {high})"


def inconclusive(gain: Gain) -> bool:
    """Whether the interval includes 0."""
    return gain.low <= 0 <= gain.high


def harmful(gain: Gain, objective: Objective) -> bool:
    """Whether the whole interval is on the worse side of 0."""
    return all(objective.goodness(end) < 0 for end in (gain.low, gain.high))


def latency(ms: float | None, low: float | None = None, high: float | None = None) -> str:
    """A prediction with its interval: ``1.42 ms (1.30–1.55)``."""
    if ms is not None and not math.isfinite(ms):
        return "no time: it does not fit the device's memory"
    if ms is None or low is None or high is None:
        return milliseconds(ms)
    return f"{milliseconds(ms)} ({three_digits(low)}–{three_digits(high)})"
