"""Values of any size, clipped to what a model and a hypervolume can compute with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_LARGE = 1e30
"""Products of nine objectives of this size are still numbers."""


def clip_magnitude(value: float) -> float:
    """The value, compressed to a logarithm beyond 1e30; the order is kept, and infinite values stay infinite."""
    size = abs(value)
    if size <= _LARGE or math.isinf(size):
        return value
    return math.copysign(_LARGE * (1.0 + math.log(size) - math.log(_LARGE)), value)


def clip_infinite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values with the largest and smallest finite one in place of infinite ones; zeros where all are infinite."""
    numbers = values[np.isfinite(values)]
    if len(numbers) == len(values):
        return values
    return np.clip(values, numbers.min(), numbers.max()) if len(numbers) else np.zeros_like(values)
