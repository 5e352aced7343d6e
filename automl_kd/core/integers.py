"""How real values become integers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """How the values of one activation become integers: ``round(x / scale) + zero_point``, cut off at both ends.

    Attributes:
        scale: Of one step, positive.
        zero_point: The integer that stands for 0.
    """

    scale: float
    zero_point: int
