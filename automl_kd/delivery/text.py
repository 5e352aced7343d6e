"""What only reports say of numbers: differences, intervals, sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping

from automl_kd.core import UNKNOWN, milliseconds, three_digits


def points(difference: float | None) -> str:
    """A signed difference of accuracies in percentage points: 0.012 as ``+1.2``."""
    if difference is None:
        return UNKNOWN
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def spread(share: float | None) -> str:
    """A standard deviation of accuracies in percentage points: 0.004 as ``0.4``."""
    return UNKNOWN if share is None else f"{100 * share:.1f}"


def gain(difference: Mapping[str, float] | None) -> str:
    """A paired difference with its interval: ``+1.2 points (95 % interval +0.3 to +2.1)``."""
    if not difference:
        return UNKNOWN
    interval = f"{points(difference['low'])} to {points(difference['high'])}"
    return f"{points(difference['difference'])} points (95 % interval {interval})"


def inconclusive(difference: Mapping[str, float]) -> bool:
    """Whether the interval includes 0."""
    return difference["low"] <= 0 <= difference["high"]


def latency(ms: float | None, low: float | None, high: float | None) -> str:
    """A prediction with its interval: ``1.42 ms (1.30–1.55)``."""
    if ms is not None and not math.isfinite(ms):
        return "no time: it does not fit the device's memory"
    if ms is None or low is None or high is None:
        return milliseconds(ms)
    return f"{milliseconds(ms)} ({three_digits(low)}–{three_digits(high)})"
