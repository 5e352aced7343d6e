"""What prices the kernels of one target: coefficients, how far off they are, and the memory that binds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from automl_kd.hardware.fit_section import Fit
from automl_kd.hardware.kernels.graph import Kind
from automl_kd.hardware.kernels.kernel import Network
from automl_kd.hardware.limits import Limits
from automl_kd.hardware.predictor.cost import KINDS, Coefficients, Features, Floats, Integers
from automl_kd.hardware.predictor.misfit import PUBLISHED
from automl_kd.hardware.predictor.posterior import Measurements, Posterior
from automl_kd.hardware.predictor.prediction import Prediction
from automl_kd.hardware.predictor.prior import UNMEASURED
from automl_kd.hardware.predictor.residual import Correction, residual_features
from automl_kd.hardware.profile_file import Target
from automl_kd.hardware.target import features_of

_UNMEASURED = math.log(1.5)
"""Wider by so much for kernels of integers on a target of floats: what they gain was measured on another machine."""
_LEAST_COVERAGE = 0.05

# Columns of what a price needs of a block. Seconds by limit and kind come first; all of it adds up over a plan.
_K = len(KINDS)
_LIMITED = 3 * _K
_FLOPS, _PARAMETERS, _WEIGHTS, _KERNELS, _UNKNOWN, _INTEGER, _UNEVEN, _MOVED = range(_LIMITED, _LIMITED + 8)
_SIGNS = np.repeat((-1.0, -1.0, 1.0), _K)
"""More throughput and bandwidth is less time, a longer launch is more."""


@dataclass(frozen=True)
class Times:
    """Latencies of N networks and the ends of their 90 % intervals, milliseconds, (N,) each."""

    ms: Floats
    low: Floats
    high: Floats

    def scaled(self, factors: Floats) -> Times:
        """So many times as long each, (N,)."""
        return Times(self.ms * factors, self.low * factors, self.high * factors)

    def followed_by(self, other: Times, rows: Integers) -> Times:
        """These, of which some go on with others: what is off in both is off the same way, as it is one device.

        Args:
            other: M latencies.
            rows: Which of these go on with them, (M,).
        """
        found = [each.copy() for each in (self.ms, self.low, self.high)]
        for mine, theirs in zip(found, (other.ms, other.low, other.high), strict=True):
            mine[rows] += theirs
        return Times(*found)


class PriceModel:
    """Prices networks of one target.

    Args:
        target: The target.
        fitted: Its fit; None for the datasheet alone.
        limits: Memory of its device.
    """

    def __init__(self, target: Target, fitted: Fit | None, limits: Limits) -> None:
        self._target = target
        self._limits = limits
        self.coefficients: Coefficients = target.prior if fitted is None else fitted.coefficients(target.prior)
        """What prices kernels."""
        self.kinds: frozenset[Kind] = frozenset(() if fitted is None else fitted.kinds)
        """Kinds of kernel that they were fitted on."""
        self.posterior: Posterior = (
            Posterior(UNMEASURED, PUBLISHED, Measurements.none()) if fitted is None else fitted.posterior()
        )
        """How far off a price may be."""
        self._correction: Correction | None = None
        if fitted is not None and fitted.residual is not None:
            self._correction = Correction(np.array(fitted.residual.features), np.array(fitted.residual.errors))

    def features(self, network: Network) -> Features:
        """Work and traffic of a network's kernels on the target."""
        return features_of(self._target, network)

    def numbers(self, network: Network) -> Floats:
        """What a price needs of a network, one number a column; that of a plan is the sum over its blocks."""
        unknown_kernels = sum(kernel.kind is Kind.OTHER for kernel in network.kernels)
        features = self.features(network)
        seconds = 0.0
        if not self._target.of_integers:
            integer = np.array([kernel.speed is not None for kernel in network.kernels], dtype=np.float64)
            seconds = float(features.kernel_seconds(self.coefficients) @ integer)
        limited = features.limited_by_kind(self.coefficients).ravel()
        uneven = 0.0
        if network.even:
            even = self.features(replace(network, kernels=network.even)).seconds_by_kind(self.coefficients)
            uneven = max(0.0, float(limited.sum() - even.sum()))
        moved = sum((kernel.read + kernel.written + kernel.weights) * kernel.times for kernel in network.kernels)
        counts = (network.flops, network.parameters, network.weights, len(network.kernels), unknown_kernels)
        return np.array([*limited, *counts, seconds, uneven, moved])

    def times(self, sums: Floats, weights: Floats, intercepts: Floats | None = None) -> Times:
        """Latencies of N networks, whatever memory they need.

        Args:
            sums: Their numbers, (N, columns).
            weights: Bytes of all of their weights, (N,).
            intercepts: Seconds of each beside its kernels, (N,), where that is not the target's.
        """
        by_kind, kernels = kind_sums(sums), np.maximum(sums[:, _KERNELS], 1)
        work = by_kind.sum(axis=1)
        intercept = np.full_like(work, self.coefficients.intercept) if intercepts is None else intercepts
        summed = intercept + work
        total = summed + self._limits.streaming_seconds(weights)
        whole = np.maximum(total, np.finfo(np.float64).tiny)  # nothing takes no time
        shares = np.hstack([_SIGNS * sums[:, :_LIMITED], intercept[:, None]]) / whole[:, None]
        shift, width = self.posterior.assess(shares, sums[:, _FLOPS])
        if self._correction is not None:
            # At most the typical error of the networks that it learned from, so that the interval holds the plain sum.
            most = self.posterior.typical
            shift = shift + np.clip(self._correction(residual_features(by_kind, kernels)), -most, most)
        seconds = total * np.exp(shift)
        # The interval reaches down to what slightly wider layers cost, where those fill a runtime's blocks.
        least = np.minimum(seconds, total) * (1 - sums[:, _UNEVEN] / whole)
        integer = sums[:, _INTEGER] / np.maximum(work, 1e-12)
        # An unknown operator may cost several times what its bytes cost.
        factor = np.exp(width + _UNMEASURED * integer - 2 * np.log(np.maximum(_coverage(sums), _LEAST_COVERAGE)))
        ms = seconds * 1e3
        return Times(ms, least * 1e3 / factor, ms * factor)

    def predictions(
        self, sums: Floats, peaks: Floats, times: Times | None = None, sizes: Sequence[int] | None = None
    ) -> list[Prediction]:
        """Prices of N networks.

        Args:
            sums: Their numbers, (N, columns).
            peaks: Bytes of activations alive at once, (N,).
            times: Their latencies, where they are not those of the sums.
            sizes: Bytes of the weights in the files that ship, (N,); None where that is not known.
        """
        weights = sums[:, _WEIGHTS]
        times = self.times(sums, weights) if times is None else times
        missing = self._limits.missing(peaks, weights)
        ms, low, high = (np.where(missing > 0, np.inf, each) for each in (times.ms, times.low, times.high))
        counts = (peaks + weights, sums[:, _PARAMETERS], sums[:, _FLOPS], missing)
        whole = (c.astype(np.int64).tolist() for c in counts)
        columns = (c.tolist() for c in (ms, low, high, _coverage(sums)))
        stored = [None] * len(ms) if sizes is None else sizes
        rows = zip(*columns, *whole, self._energy(ms, sums), stored, strict=True)
        return [Prediction(*row) for row in rows]

    def _energy(self, ms: Floats, sums: Floats) -> list[float] | list[None]:
        """Millijoules of N inferences, (N,)."""
        facts = self._target.facts
        if facts.energy is not None:
            found: list[float] = facts.energy.millijoules(ms, sums[:, _FLOPS], sums[:, _MOVED]).tolist()
            return found
        if facts.power_w is not None:
            proportional: list[float] = (ms * facts.power_w.value).tolist()
            return proportional
        return [None] * len(ms)


def kind_sums(sums: Floats) -> Floats:
    """Seconds by kind from the numbers of N networks, (N, K)."""
    found: Floats = sums[:, :_K] + sums[:, _K : 2 * _K] + sums[:, 2 * _K : _LIMITED]
    return found


def weights_of(sums: Floats) -> Floats:
    """Bytes of the weights of N networks as the device keeps them, from their numbers, (N,)."""
    found: Floats = sums[:, _WEIGHTS]
    return found


def parameters_of(numbers: Floats) -> Floats:
    """How many parameters N networks have, from their numbers, (N,)."""
    found: Floats = numbers[:, _PARAMETERS]
    return found


def _coverage(sums: Floats) -> Floats:
    """Share of the kernels of N networks whose operator is known, (N,)."""
    found: Floats = 1 - sums[:, _UNKNOWN] / np.maximum(sums[:, _KERNELS], 1)
    return found
