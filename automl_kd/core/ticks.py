"""Round values along a logarithmic axis."""

from __future__ import annotations

import math


def round_numbers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from below ``low`` to above ``high``, both positive."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [float(f"{step}e{decade}") for decade in decades for step in (1, 2, 5)]


def round_bytes(low: float, high: float) -> list[float]:
    """Powers of two from below ``low`` to above ``high``, both positive; at most some eight of them lie between."""
    first, last = math.floor(math.log2(low)), math.ceil(math.log2(high))
    step = max(1, math.ceil((last - first) / 8))
    return [2.0**power for power in range(first, last + 1, step)]


def round_steps(low: float, high: float, most: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between two numbers, at most so many."""
    span = max(high - low, 1e-12)
    size = 10.0 ** math.floor(math.log10(span / most))
    step = next(size * each for each in (1, 2, 5, 10, 20) if span / (size * each) <= most - 1)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 12) for number in range(first, math.floor(high / step + 1e-9) + 1)]
