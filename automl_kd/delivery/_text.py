"""Numbers as a reader wants them; what is not known is an en dash."""

from __future__ import annotations

import math
from collections.abc import Mapping

UNKNOWN = "–"


def percent(share: float | None) -> str:
    """0.97812 as ``97.8%``."""
    return UNKNOWN if share is None else f"{100 * share:.1f}%"


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
    """A paired difference with its interval: ``+1.2 points (95% interval +0.3 to +2.1)``."""
    if not difference:
        return UNKNOWN
    interval = f"{points(difference['low'])} to {points(difference['high'])}"
    return f"{points(difference['difference'])} points (95% interval {interval})"


def inconclusive(difference: Mapping[str, float]) -> bool:
    """Whether the interval includes 0."""
    return difference["low"] <= 0 <= difference["high"]


def milliseconds(ms: float | None) -> str:
    """Three significant digits: ``1.42 ms``, ``0.0713 ms``, ``142 ms``."""
    if ms is None:
        return UNKNOWN
    return f"{_three_digits(ms)} ms" if math.isfinite(ms) else "no time: it does not fit the device's memory"


def latency(ms: float | None, low: float | None, high: float | None) -> str:
    """A prediction with its interval: ``1.42 ms (1.30–1.55)``."""
    if ms is None or low is None or high is None or not math.isfinite(ms):
        return milliseconds(ms)
    return f"{milliseconds(ms)} ({_three_digits(low)}–{_three_digits(high)})"


def count(number: float | None) -> str:
    """12345 as ``12,345``."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def size(number: float | None) -> str:
    """Bytes in the largest binary unit below the number: ``1.4 MiB``."""
    if number is None:
        return UNKNOWN
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"


def duration(seconds: float | None) -> str:
    """The two largest units: ``3 min 12 s``, ``2 h 5 min``."""
    if seconds is None:
        return UNKNOWN
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    large, small = (f"{hours} h", f"{minutes} min") if hours else (f"{minutes} min", f"{rest} s")
    return large if small.startswith("0 ") else f"{large} {small}"


def _three_digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:,.0f}"
    text = f"{value:#.3g}"
    return f"{value:.6f}".rstrip("0") if "e" in text else text
