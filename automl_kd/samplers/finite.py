"""Values of any size, as a model and a hypervolume can take them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_LARGE = 1e30
"""Products of nine objectives of this size are still numbers."""


def bounded(value: float) -> float:
    """A value whose digits beyond 1e30 are drawn in, in order; infinite ones stay infinite."""
    size = abs(value)
    if size <= _LARGE or math.isinf(size):
        return value
    return math.copysign(_LARGE * (1.0 + math.log(size) - math.log(_LARGE)), value)


def finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values with the largest and smallest of the finite ones in place of the infinite ones, zero where all are."""
    numbers = values[np.isfinite(values)]
    if len(numbers) == len(values):
        return values
    return np.clip(values, numbers.min(), numbers.max()) if len(numbers) else np.zeros_like(values)
