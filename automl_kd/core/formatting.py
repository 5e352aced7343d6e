"""Quantities for people, the same in a terminal and in a report; what is not known is an en dash."""

from __future__ import annotations

import math

UNKNOWN = "–"


def percent(share: float | None) -> str:
    """0.97812 as ``97.8 %``."""
    return UNKNOWN if share is None else f"{100 * share:.1f} %"


def chance(p: float | None) -> str:
    """A chance of error: ``0.012``, ``below 0.001``."""
    if p is None:
        return UNKNOWN
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def three_digits(value: float) -> str:
    """``1.42``, ``0.0713``, ``142``, ``1,234``."""
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def milliseconds(ms: float | None) -> str:
    """A latency: ``1.42 ms``."""
    return UNKNOWN if ms is None else f"{three_digits(ms)} ms"


def duration(seconds: float | None) -> str:
    """``48 s``, ``2 min 05 s``, ``3 h 20 min``."""
    if seconds is None:
        return UNKNOWN
    rounded = round(seconds)
    if rounded < 90:
        return f"{rounded} s"
    if rounded < 5400:
        return f"{rounded // 60} min {rounded % 60:02d} s"
    return f"{rounded // 3600} h {rounded % 3600 // 60:02d} min"


def count(number: float | None) -> str:
    """About how many, for parameters: ``12.3 k``, ``1.5 M``."""
    if number is None:
        return UNKNOWN
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"


def counted(number: int, noun: str) -> str:
    """How many of a thing: ``1 image``, ``12,345 images``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def whole(number: float | None) -> str:
    """Exactly how many: ``12,345``, ``infinitely many``."""
    if number is None:
        return UNKNOWN
    return "infinitely many" if math.isinf(number) else f"{number:,.0f}"
