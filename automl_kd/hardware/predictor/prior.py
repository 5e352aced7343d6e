"""What is expected of a target's coefficients before its own networks are measured, and how far off that may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from automl_kd.hardware.kernels.graph import COMPUTE
from automl_kd.hardware.predictor.cost import KINDS, Coefficients, Floats

K = len(KINDS)
WIDTH = 3 * K + 1
"""Coefficients of a target: throughput, bandwidth and launch by kind, and the intercept."""

_ARITHMETIC = [index for index, kind in enumerate(KINDS) if kind in COMPUTE]
GROUPS: Mapping[str, Sequence[int]] = {
    "arithmetic": _ARITHMETIC,
    "other": [index for index in range(K) if index not in _ARITHMETIC],
    "bandwidth": range(K, 2 * K),
    "launch": range(2 * K, 3 * K),
}
"""Groups of coefficients: a device is faster or slower in a group as a whole, and each kind deviates from that."""

_LEAST = 0.01
"""No coefficient is known better than this, in natural logarithms."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations of a target's coefficients around what is expected, in natural logarithms.

    Attributes:
        shared: Deviation that all kinds of a group share, in the order of ``GROUPS``.
        kinds: Deviation that each kind has of its own: throughputs, bandwidths, launches, (3 K,).
        intercept: Deviation of the intercept.
    """

    shared: tuple[float, ...]
    kinds: tuple[float, ...]
    intercept: float

    @staticmethod
    def even(shared: Mapping[str, float], kinds: Mapping[str, float], intercept: float) -> Spread:
        """The spread in which all kinds of a group have the same figure."""
        own = np.empty(3 * K)
        for name, rows in GROUPS.items():
            own[list(rows)] = kinds[name]
        return Spread(tuple(shared[name] for name in GROUPS), tuple(own.tolist()), intercept)

    @staticmethod
    def of(covariance: Floats) -> Spread:
        """The spread closest to a covariance, (3 K + 1, 3 K + 1): what a group shares is its mean covariance."""
        shared, own = [], np.empty(3 * K)
        for rows in GROUPS.values():
            block = covariance[np.ix_(list(rows), list(rows))]
            count = len(rows)
            together = max(0.0, float(block.sum() - np.trace(block)) / (count * (count - 1)))
            shared.append(together**0.5)
            own[list(rows)] = np.sqrt(np.maximum(np.diag(block) - together, _LEAST**2))
        return Spread(tuple(shared), tuple(own.tolist()), max(_LEAST, float(covariance[-1, -1]) ** 0.5))

    def covariance(self) -> Floats:
        """The covariance of the logarithms, (3 K + 1, 3 K + 1)."""
        found = np.zeros((WIDTH, WIDTH))
        for together, rows in zip(self.shared, GROUPS.values(), strict=True):
            found[np.ix_(list(rows), list(rows))] = together**2
        found[np.arange(WIDTH), np.arange(WIDTH)] += np.square((*self.kinds, self.intercept))
        return found


@dataclass(frozen=True, slots=True)
class Prior:
    """Coefficients to expect and how far they may lie off.

    Attributes:
        centre: The most probable coefficients.
        covariance: Covariance of their logarithms, (3 K + 1, 3 K + 1).
    """

    centre: Coefficients
    covariance: Floats


_MEASURED_SHARED = {"arithmetic": 0.5, "other": 0.7, "bandwidth": 0.5, "launch": 0.8}
MEASURED = Spread.even(_MEASURED_SHARED, {"arithmetic": 0.6, "other": 0.6, "bandwidth": 0.3, "launch": 0.5}, 1.0)
"""Spread around a datasheet, where networks like those to be predicted are measured for the purpose."""
KNOWN_LOOPS = Spread.even(_MEASURED_SHARED, {"arithmetic": 0.1, "other": 0.6, "bandwidth": 0.6, "launch": 0.2}, 1.0)
"""The same spread where operations count what the inner loops execute, so that kinds hardly differ in arithmetic."""
UNMEASURED = Spread.even(
    {"arithmetic": 0.55, "other": 0.61, "bandwidth": 0.48, "launch": 1.3},
    {"arithmetic": 0.86, "other": 0.56, "bandwidth": 1.1, "launch": 0.99},
    1.4,
)
"""Spread around a datasheet alone: that of measured targets around theirs."""
