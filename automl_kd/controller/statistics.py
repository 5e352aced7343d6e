"""What a difference between two arms is worth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def paired_difference(
    ours: NDArray[np.bool_], theirs: NDArray[np.bool_], *, draws: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """Accuracy of ours minus theirs with a 95 % interval from a paired bootstrap over examples and seeds.

    Args:
        ours: Right answers, shape (seeds, examples).
        theirs: Right answers of the other arm on the same examples under the same seeds, same shape.
        draws: Bootstrap samples.
        seed: Of the bootstrap.

    Returns:
        ``difference``, ``low`` and ``high``, in accuracy (0.01 is a point).
    """
    gains = ours.astype(np.float64) - theirs.astype(np.float64)
    rng = np.random.default_rng(seed)
    seeds, examples = gains.shape
    samples = np.empty(draws)
    for draw in range(draws):
        rows = gains[rng.integers(seeds, size=seeds)].mean(axis=0)
        samples[draw] = rows[rng.integers(examples, size=examples)].mean()
    low, high = np.quantile(samples, [0.025, 0.975])
    return {"difference": float(gains.mean()), "low": float(low), "high": float(high)}


def difference_error(accuracy: float, images: int) -> float:
    """Standard error of the difference of two accuracies about as high as this, each of so many images."""
    return math.sqrt(2 * max(accuracy * (1 - accuracy), 1 / images) / images)
