"""What measured networks say of another one: what to add to the sum of its kernels, and how far off that may be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from automl_kd.hardware.predictor.cost import Floats
from automl_kd.hardware.predictor.misfit import Misfit, Traits
from automl_kd.hardware.predictor.prior import WIDTH, Spread

_COVERAGE = 0.9
USUAL = 1.6
"""Standard deviations to either side that hold nine in ten networks of all targets, left out alone or by family."""
_AS_MANY = 10
"""The errors of all targets together count as much as so many measured networks of the target itself."""
_PER_OCTAVE, _MOST_OCTAVES = 0.3, 3.0
"""An interval is wider by this share for every factor of two outside the sizes that were measured, up to so many
factors, because a far smaller or larger network may be limited by something that the measured ones never showed."""
_LIKE_ALL = 2.0
"""Every kind of kernel counts so many average networks beside its own, so that a kind in few networks is like all."""


@dataclass(frozen=True)
class Measurements:
    """The networks that a target was fitted on, N of them.

    Attributes:
        sensitivities: Derivatives of the logarithm of their time by the log-coefficients, (N, 3 K + 1).
        flops: Their operations, (N,).
        residuals: ``log(measured / predicted)`` under the fit on all of them, (N,).
        errors: ``log(measured / predicted)`` of every network under the fit without it, (N,).
        by_family: For each family its rows, and their errors under the fit without the whole family; may be empty.
    """

    sensitivities: Floats
    flops: Floats
    residuals: Floats
    errors: Floats
    by_family: tuple[tuple[tuple[int, ...], tuple[float, ...]], ...] = ()

    @staticmethod
    def none() -> Measurements:
        """Those of a target that nobody measured."""
        return Measurements(np.empty((0, WIDTH)), np.empty(0), np.empty(0), np.empty(0))


@dataclass(frozen=True)
class Posterior:
    """A Gaussian process over the coefficients and the misfit of the model; its width is scaled by the errors it made.

    The width is conformal (Vovk et al. 2005): a quantile of the errors of networks that were left out, each divided by
    the standard deviation of its prediction (normalised scores, Papadopoulos et al. 2008).

    Attributes:
        spread: How far coefficients may lie off before any network was measured.
        misfit: What the model gets wrong with the best coefficients.
        measurements: The measured networks.
    """

    spread: Spread
    misfit: Misfit
    measurements: Measurements

    def assess(self, sensitivities: Floats, flops: Floats) -> tuple[Floats, Floats]:
        """What to add to the logarithms of N predictions, (N,), and the half-widths of their 90 % intervals, (N,).

        Args:
            sensitivities: Derivatives of the logarithm of their time by the log-coefficients, (N, 3 K + 1).
            flops: Their operations, (N,).
        """
        variance = np.einsum("nw,nw->n", sensitivities @ self._prior, sensitivities)
        variance += self.misfit.alike**2 + self.misfit.noise**2
        shift = np.zeros(len(flops))
        if self._count:
            shared = self.misfit.shared(Traits.of(sensitivities, flops), self._traits)
            cross = sensitivities @ self._pulled + shared
            variance -= np.einsum("nm,nm->n", cross @ self._inverse, cross)
            shift = shared @ self._lasting
        deviations = np.sqrt(np.maximum(variance, self.misfit.noise**2))
        return shift, self._scale * self._units(sensitivities) * deviations * self._outside(flops)

    def of_coefficients(self, mixes: Floats) -> Floats:
        """Half-widths of the times of single kinds of kernel, which have no misfit of a whole network, (N,).

        Args:
            mixes: Derivatives of the logarithm of each by the log-coefficients, (N, 3 K + 1).
        """
        variance = np.einsum("nw,nw->n", mixes @ self.covariance, mixes)
        widths: Floats = self._scale * np.sqrt(np.maximum(variance, 0.0))
        return widths

    @cached_property
    def covariance(self) -> Floats:
        """Covariance of the log-coefficients after the networks were measured, (3 K + 1, 3 K + 1)."""
        if not self._count:
            return self._prior
        found: Floats = self._prior - self._pulled @ self._inverse @ self._pulled.T
        return found

    @cached_property
    def typical(self) -> float:
        """Half-width for a network like those measured; where none was, for a network that consists of launches."""
        if self._count:
            return float(np.median(self.left_out_widths()))
        launches = np.repeat((0.0, 0.0, 1.0), WIDTH // 3) / (WIDTH // 3)
        return float(self.assess(np.append(launches, 0.0)[None], np.ones(1))[1][0])

    def left_out_widths(self) -> Floats:
        """Half-widths that the measured networks had when each was left out, (N,)."""
        widths: Floats = self._scale * self._units(self.measurements.sensitivities) * self._alone
        return widths

    @property
    def _count(self) -> int:
        return len(self.measurements.flops)

    @cached_property
    def _prior(self) -> Floats:
        return self.spread.covariance()

    @cached_property
    def _traits(self) -> Traits:
        return Traits.of(self.measurements.sensitivities, self.measurements.flops)

    @cached_property
    def _pulled(self) -> Floats:
        """Covariance of the coefficients with the measured networks, (3 K + 1, N)."""
        found: Floats = self._prior @ self.measurements.sensitivities.T
        return found

    @cached_property
    def _inverse(self) -> Floats:
        covariance = self.measurements.sensitivities @ self._pulled + self.misfit.covariance(self._traits)
        found: Floats = np.linalg.inv(covariance).astype(np.float64)
        return found

    @cached_property
    def _lasting(self) -> Floats:
        """Residuals as weights of the covariances with alike networks, (N,)."""
        found: Floats = np.linalg.solve(self.misfit.covariance(self._traits), self.measurements.residuals).astype(
            np.float64
        )
        return found

    @cached_property
    def _alone(self) -> Floats:
        """Standard deviation of the prediction of each measured network by the others, (N,)."""
        found: Floats = 1 / np.sqrt(np.asarray(np.diag(self._inverse), dtype=np.float64))
        return found

    @cached_property
    def _scores(self) -> list[Floats]:
        """Errors in standard deviations: of networks left out and, where there are several families, of families."""
        alone: Floats = self.measurements.errors / self._alone
        if len(self.measurements.by_family) < 2:
            return [alone]
        by_family = np.empty(self._count)
        for rows, errors in self.measurements.by_family:
            block = np.linalg.inv(self._inverse[np.ix_(rows, rows)])
            by_family[list(rows)] = np.asarray(errors) / np.sqrt(np.diag(block))
        return [alone, by_family]

    @cached_property
    def _by_kind(self) -> Floats:
        """Mean square score by kind, and of all networks in the last place, (K + 1,)."""
        squares = np.square(self.measurements.errors / self._alone)
        shares = _by_kind(self.measurements.sensitivities)
        pooled = max(float(squares.mean()), 1e-6)
        found: Floats = np.append((_LIKE_ALL * pooled + squares @ shares) / (_LIKE_ALL + shares.sum(axis=0)), pooled)
        return found

    def _units(self, sensitivities: Floats) -> Floats:
        """Factor by which networks err more than the average, because of the kinds that their time is in, (N,)."""
        if not self._count:
            return np.ones(len(sensitivities))
        shares = _by_kind(sensitivities)
        whole = np.column_stack([shares, np.maximum(0.0, 1.0 - shares.sum(axis=1))])
        found: Floats = np.sqrt(whole @ self._by_kind / self._by_kind[-1])
        return found

    def _outside(self, flops: Floats) -> Floats:
        """Factor by which intervals are wider outside the sizes that were measured, (N,)."""
        if not self._count:
            return np.ones(len(flops))
        size, known = np.maximum(flops, 1.0), self.measurements.flops
        beyond = np.log2(np.maximum(1.0, np.maximum(known.min() / size, size / known.max())))
        found: Floats = 1 + _PER_OCTAVE * np.minimum(beyond, _MOST_OCTAVES)
        return found

    @cached_property
    def _scale(self) -> float:
        """Standard deviations to either side that hold nine in ten."""
        if self._count < 2:
            return USUAL
        units = self._units(self.measurements.sensitivities)
        own = max(_quantile(np.abs(scores) / units) for scores in self._scores)
        mixed = self._count * math.log(max(own, 1e-3)) + _AS_MANY * math.log(USUAL)
        return math.exp(mixed / (self._count + _AS_MANY))


def _quantile(scores: Floats) -> float:
    """What nine in ten scores lie below, corrected for few of them; too few are taken for normally distributed."""
    rank = math.ceil(_COVERAGE * (len(scores) + 1))
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else USUAL * math.sqrt(np.mean(np.square(scores)))


def _by_kind(sensitivities: Floats) -> Floats:
    """Shares of the time by kind, (N, K)."""
    shares = np.abs(sensitivities[:, :-1])
    found: Floats = shares.reshape(len(shares), 3, -1).sum(axis=1)
    return found
