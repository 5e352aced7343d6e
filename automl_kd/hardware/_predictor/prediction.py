"""What is said of a network on a device, and how wide the interval around it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from automl_kd.hardware._predictor.cost import Floats

_COVERAGE = 0.9
_MOST_OCTAVES = 3.0
"""Factors of two outside the anchors beyond which ignorance no longer grows: latency tends to the intercept there."""
_LIKE_ALL = 2.0
"""Anchors that err as all do together, which every kind counts beside its own."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One network on one device.

    Attributes:
        ms: Predicted latency in milliseconds; infinite when the network does not fit the device.
        low: Lower end of the 90 % interval, ms.
        high: Upper end of the 90 % interval, ms.
        coverage: Share of the kernels whose operator is known, 0 to 1.
        memory_bytes: Weights and the activations alive at once, in the profile's precision; the runtime's own
            memory comes on top.
        params: Parameters.
        flops: Operations in multiply-accumulates, each counted as 2.
        missing_bytes: How much memory the device lacks; 0 when the network fits.
        energy_mj: Energy of one inference in millijoules, where the target's power is known.
        notes: What the price rests on beside the target's fit, a sentence each.
    """

    ms: float
    low: float
    high: float
    coverage: float
    memory_bytes: int
    params: int
    flops: int
    missing_bytes: int
    energy_mj: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Nothing negative, infinite or out of order gets any further, whoever made it.

        Raises:
            ValueError: If a price is none.
        """
        ordered = 0 < self.low <= self.ms <= self.high < math.inf if self.fits else self.low == self.high == math.inf
        if not ordered or not 0 <= self.coverage <= 1:
            raise ValueError(f"no price: {self.low} <= {self.ms} <= {self.high} ms, coverage {self.coverage}")

    @property
    def fits(self) -> bool:
        """Whether the device has the memory; only then is there a latency."""
        return self.missing_bytes == 0


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How far a prediction may be off, as half the width of its 90 % interval in natural logarithms.

    Attributes:
        error: Half-width for a network like the anchors; in units of the error to expect of it where that is known.
        flops: Smallest and largest operations among the anchors, or ``None`` without any.
        spread: Mean square error by kind, and of all anchors last, (K + 1,); ``None`` where anchors are alike.
    """

    error: float
    flops: tuple[float, float] | None
    spread: tuple[float, ...] | None = None

    @property
    def typical(self) -> float:
        """Half-width for a network whose kinds err like all anchors together."""
        return self.error if self.spread is None else self.error * math.sqrt(self.spread[-1])

    @staticmethod
    def from_errors(errors: Sequence[float], flops: Sequence[float], shares: Floats | None = None) -> Uncertainty:
        """Conformal from nine errors on: their 90 % quantile, with the correction for few of them.

        The interval then covers a network exchangeable with the anchors with probability 90 % (Vovk et al. 2005;
        leaving one out as in Barber et al. 2021). Below nine anchors no quantile of theirs is wide enough, and errors
        are taken as normal around 0: Student's interval for one more. The largest and the smallest anchor were
        predicted from outside the others, so their errors count by the width that an outsider would have had
        (normalised scores, Papadopoulos et al. 2008). So do errors of anchors that spend their time in kinds which are
        predicted badly, where anchors are unlike each other.

        Args:
            errors: ``log(measured / predicted)`` of every anchor when left out, at least 2.
            flops: Operations of every anchor.
            shares: Shares of the anchors' time by kind, (N, K), where they are unlike each other.
        """
        squares = np.square(errors)
        scores = []
        for index, error in enumerate(errors):
            others = [value for other, value in enumerate(flops) if other != index]
            size = np.array([flops[index]])
            factor, _ = _outside(size, min(others), max(others))  # with the summand two anchors excused each other
            unit = 1.0
            if shares is not None:
                kept = np.arange(len(squares)) != index
                unit = float(_expected(shares[[index]], _spread(squares[kept], shares[kept]))[0])
            scores.append(abs(error) / (unit * float(factor[0])))
        count = len(scores)
        rank = math.ceil(_COVERAGE * (count + 1))
        if rank <= count:
            error = sorted(scores)[rank - 1]
        else:
            quantile = float(stdtrit(count, (1 + _COVERAGE) / 2))
            error = quantile * math.sqrt(sum(score**2 for score in scores) / count)
        spread = None if shares is None else tuple(_spread(squares, shares).tolist())
        return Uncertainty(error, (min(flops), max(flops)), spread)

    def half_widths(self, flops: Floats, coverage: Floats, unfitted: Floats, shares: Floats | None = None) -> Floats:
        """Half-widths of N networks, (N,).

        Kinds that no anchor contains rest on the datasheet, which is good to a factor of two; and a kernel that is not
        known may cost several that are.

        Args:
            flops: Operations, (N,).
            coverage: Shares of known kernels, (N,).
            unfitted: Shares of the time in kinds that no anchor contains, (N,).
            shares: Shares of the time by kind, (N, K); needed where the spread is known.
        """
        width: Floats = np.full_like(flops, self.error)
        if self.spread is not None and shares is not None:
            width = width * _expected(shares, np.array(self.spread))
        if self.flops is not None:
            factor, extra = _outside(flops, *self.flops)
            width = factor * width + extra
        width += math.log(2) * unfitted - 2 * np.log(np.maximum(coverage, 0.05))
        return width


def _spread(squares: Floats, shares: Floats) -> Floats:
    """Mean square error by kind, and of all anchors last, (K + 1,); a kind that few anchors hold is like all."""
    pooled = squares.mean()
    by_kind = (_LIKE_ALL * pooled + squares @ shares) / (_LIKE_ALL + shares.sum(axis=0))
    found: Floats = np.append(by_kind, pooled)
    return found


def _expected(shares: Floats, spread: Floats) -> Floats:
    """Root mean square errors to expect of N networks, (N,); time that is of no kind errs like all anchors."""
    whole = np.column_stack([shares, np.maximum(0.0, 1.0 - shares.sum(axis=1))])
    found: Floats = np.sqrt(whole @ spread)
    return found


def _outside(flops: Floats, smallest: float, largest: float) -> tuple[Floats, Floats]:
    """What networks outside the anchors' operations add to a half-width: a factor and a summand, (N,) each.

    The error grows by half for every factor of two; and what limits a much smaller or larger network (launches,
    bandwidth) the anchors may never have shown, so that the datasheet's factor of two comes back.
    """
    size = np.maximum(flops, 1.0)
    octaves = np.minimum(_MOST_OCTAVES, np.log2(np.maximum(1.0, np.maximum(smallest / size, size / largest))))
    factor: Floats = 1 + 0.5 * octaves
    extra: Floats = math.log(2) * (1 - 2.0**-octaves)
    return factor, extra
