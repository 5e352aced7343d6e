"""What prices the kernels of one target: coefficients, how far off they are, and the memory that binds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from automl_kd.hardware.fit_section import Fit
from automl_kd.hardware.kernels.graph import Kind
from automl_kd.hardware.kernels.kernel import Network
from automl_kd.hardware.limits import Limits
from automl_kd.hardware.predictor.cost import KINDS, Coefficients, Features, Floats
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

    def predictions(self, sums: Floats, peaks: Floats, weight_bytes: Sequence[int] | None = None) -> list[Prediction]:
        """Prices of N networks.

        Args:
            sums: Their numbers, (N, columns).
            peaks: Bytes of activations alive at once, (N,).
            weight_bytes: Bytes that one weight takes in the file that ships, (N,); None where that is not known.
        """
        by_kind, kernels = kind_sums(sums), np.maximum(sums[:, _KERNELS], 1)
        work = by_kind.sum(axis=1)
        streamed = self._limits.streaming_seconds(sums[:, _WEIGHTS])
        summed = self.coefficients.intercept + work
        total = (summed + streamed)[:, None]
        shares = np.hstack([_SIGNS * sums[:, :_LIMITED], np.full_like(total, self.coefficients.intercept)]) / total
        shift, width = self.posterior.assess(shares, sums[:, _FLOPS])
        if self._correction is not None:
            # At most the typical error of the networks that it learned from, so that the interval holds the plain sum.
            most = self.posterior.typical
            shift = shift + np.clip(self._correction(residual_features(by_kind, kernels)), -most, most)
        seconds = (summed + streamed) * np.exp(shift)
        # The interval reaches down to what slightly wider layers cost, where those fill a runtime's blocks.
        least = np.minimum(seconds, summed + streamed) * (1 - sums[:, _UNEVEN] / (summed + streamed))
        coverage = 1 - sums[:, _UNKNOWN] / kernels
        integer = sums[:, _INTEGER] / np.maximum(work, 1e-12)
        # An unknown operator may cost several times what its bytes cost.
        factor = np.exp(width + _UNMEASURED * integer - 2 * np.log(np.maximum(coverage, _LEAST_COVERAGE)))
        missing = self._limits.missing(peaks, sums[:, _WEIGHTS])
        ms = np.where(missing > 0, np.inf, seconds * 1e3)
        columns = (ms, np.where(missing > 0, np.inf, least * 1e3) / factor, ms * factor, coverage)
        counts = (peaks + sums[:, _WEIGHTS], sums[:, _PARAMETERS], sums[:, _FLOPS], missing)
        energy = self._energy(ms, sums)
        sizes = [None] * len(ms) if weight_bytes is None else (counts[1] * np.array(weight_bytes)).astype(int).tolist()
        whole = (c.astype(np.int64).tolist() for c in counts)
        rows = zip(*(c.tolist() for c in columns), *whole, energy, sizes, strict=True)
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
