"""Values as a Gaussian process can take them: standardised, with a heavy lower tail drawn in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_KNEE, _REACH = 0.6, 0.8
"""Quantiles; knees at 0.1, 0.25, 0.5, 0.6 and 0.7 were tried, and the search was the better the higher they were."""


@dataclass(frozen=True)
class Warp:
    """Linear above a knee, logarithmic below it, continuous with its slope; larger is better.

    A student that did not learn at all is no outlier of measurement, but a single one at 1 % would stretch the scale on
    which the good ones differ. What matters, above the knee, keeps its proportions.

    Attributes:
        knee: A quantile of the values.
        reach: Distance below the knee from which on differences shrink: from the knee to a higher quantile.
        mean: Of the warped values.
        scale: Standard deviation of the warped values.
    """

    knee: float
    reach: float
    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, values: Array) -> Warp:
        """The warp that standardises these values."""
        knee, middle = np.quantile(values, [_KNEE, _REACH])
        plain = cls(float(knee), float(middle - knee) or float(np.ptp(values)) or 1.0)
        warped = plain(values)
        return cls(plain.knee, plain.reach, float(warped.mean()), float(warped.std()) or 1.0)

    def __call__(self, values: Array) -> Array:
        """Warped and standardised."""
        below = np.maximum(self.knee - values, 0.0)
        drawn = np.where(below > 0.0, self.knee - self.reach * np.log1p(below / self.reach), values)
        return np.asarray((drawn - self.mean) / self.scale)
