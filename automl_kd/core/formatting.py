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
    """How many of a thing: ``1 text``, ``12,345 texts``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def whole(number: float | None) -> str:
    """Exactly how many: ``12,345``, ``infinitely many``."""
    if number is None:
        return UNKNOWN
    return "infinitely many" if math.isinf(number) else f"{number:,.0f}"


def size(number: float | None) -> str:
    """Bytes in the largest binary unit below the number: ``1.4 MiB``."""
    if number is None:
        return UNKNOWN
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"


def in_unit(value: float | None, unit: str) -> str:
    """A value in its unit: ``97.8 %``, ``1.42 ms``, ``0.132 nats``, ``1.4 MiB``.

    Args:
        value: None, or what is not a number, becomes an en dash.
        unit: ``%`` for a share in [0, 1]; ``bytes``; ``label`` or nothing for a plain number; any other is written as
            it is.
    """
    if value is None or math.isnan(value):
        return UNKNOWN
    if unit == "%":
        return percent(value)
    if unit == "bytes":
        return size(value)
    return _with_unit(_digits(value), unit)


def difference_in_unit(difference: float | None, unit: str) -> str:
    """A signed difference of two values of a unit: ``+1.2 points``, ``-0.013 nats``."""
    if difference is None or math.isnan(difference):
        return UNKNOWN
    return _with_unit(signed(difference, unit), "points" if unit == "%" else unit)


def signed(difference: float, unit: str) -> str:
    """The number of :func:`difference_in_unit` alone, zero without a sign."""
    text = f"{100 * difference:+.1f}" if unit == "%" else f"{'-' if difference < 0 else '+'}{_digits(abs(difference))}"
    return text[1:] if not text.strip("+-0.") else text.replace("-", "−")


def spread_in_unit(deviation: float | None, unit: str) -> str:
    """A standard deviation of values of a unit, without the unit: 0.004 of ``%`` as ``0.4`` (points)."""
    if deviation is None:
        return UNKNOWN
    return f"{100 * deviation:.1f}" if unit == "%" else _digits(deviation)


def _digits(value: float) -> str:
    return f"−{three_digits(-value)}" if value < 0 else three_digits(value)


def _with_unit(number: str, unit: str) -> str:
    return number if unit in ("", "label") else f"{number} {unit}"
