"""A transformation of values for a Gaussian process: standardised, with the lower tail compressed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

_KNEE, _REACH = 0.4, 0.7
"""Quantiles. With knees at 0.25 and 0.6 the search was worse, because gains count in the values' own unit: a high knee
makes the model too uncertain about cheap candidates, a low one about the best."""
_LARGEST = 600.0
"""Bound of exponents."""


@dataclass(frozen=True)
class Warp:
    """A transformation that is linear above a knee and logarithmic below it; large values are good.

    It is continuous, and so is its slope. A student that did not learn at all is no error of measurement, but a single
    one at 1 % would stretch the scale on which good students differ. Above the knee proportions are kept.

    Attributes:
        knee: A quantile of the values.
        reach: Distance below the knee at which differences are halved: that from the knee to a higher quantile.
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

    def moved(self, by: float) -> Warp:
        """The warp of values that are larger by an amount."""
        return Warp(self.knee + by, self.reach, self.mean + by, self.scale)

    def __call__(self, values: Array) -> Array:
        """The values, warped and standardised."""
        below = np.maximum(self.knee - values, 0.0)
        compressed = np.where(below > 0.0, self.knee - self.reach * np.log1p(below / self.reach), values)
        return np.asarray((compressed - self.mean) / self.scale)

    def inverse(self, warped: Array) -> Array:
        """The values that stand at these places of the warped scale."""
        compressed = self.mean + self.scale * warped
        below = np.minimum(np.maximum(self.knee - compressed, 0.0) / self.reach, _LARGEST)
        return np.asarray(np.where(below > 0.0, self.knee - self.reach * np.expm1(below), compressed))

    def expected_excess(self, levels: Array, mean: Array, std: Array) -> Array:
        r"""E[(y - level)_+] in the values' own unit, with y normal on the warped scale, shape (m, levels).

        Above the knee y is linear in the normal variable, and the expectation is
        :math:`\sigma (z \Phi(z) + \varphi(z)), z = (\mu - level) / \sigma`. Below it y is an exponential, whose
        expectation over an interval is that of a log-normal variable.

        Args:
            levels: Values, not warped.
            mean: On the warped scale, shape (m,).
            std: Its standard deviation.
        """
        centre, spread = (self.mean + self.scale * mean)[:, None], (self.scale * std)[:, None]
        z = (centre - np.maximum(levels, self.knee)) / spread
        above = spread * (z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi))
        depth = np.maximum(self.knee - levels, 0.0)
        if not depth.any():
            return np.asarray(above)
        top = (self.knee - centre) / spread
        bottom = top - self.reach * np.log1p(depth / self.reach) / spread
        inside = ndtr(top) - ndtr(bottom)
        # Between level and knee y is knee + reach - reach * exp((knee - x) / reach), with x normal.
        rate = spread / self.reach
        grown = np.exp(np.minimum(rate * (top + 0.5 * rate), _LARGEST)) * (ndtr(top + rate) - ndtr(bottom + rate))
        grown = np.clip(grown, inside, (1.0 + depth / self.reach) * inside)  # because the product can lose all digits
        between = (depth + self.reach) * inside - self.reach * grown
        return np.asarray(above + depth * ndtr(-top) + between)
